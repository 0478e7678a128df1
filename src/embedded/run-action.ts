import type { Write } from 'dynalite/db/index.js';
import { createActionStore } from './action-store.ts';
import { actionOf, type OperationName, type WireObject } from './dynalite-operations.ts';
import type { LevelStore } from './level-store.ts';
import { asServiceError, type ServiceError, validationError } from './service-error.ts';

export interface ActionResult {
  readonly output: WireObject;
  /** To be committed, or dropped, by the caller. */
  readonly writes: readonly Write[];
}

/**
 * Runs a dynalite action on checked input. The caller holds the locks of every item it writes.
 * Rejects with a ServiceError where DynamoDB refuses, with the cause itself where LevelDB fails.
 */
export function runAction(level: LevelStore, name: OperationName, data: object): Promise<ActionResult> {
  return new Promise((resolve, reject) => {
    const writes: Write[] = [];
    const guard = (code: () => void) => {
      try {
        code();
      } catch (error) {
        reject(notEvaluable(error));
      }
    };
    const store = createActionStore(level, { guard, fail: reject, writes });
    guard(() =>
      actionOf(name)(store, data as WireObject, (error, output = {}) =>
        error ? reject(asServiceError(error) ?? error) : resolve({ output, writes }),
      ),
    );
  });
}

/** dynalite trips over some operands that DynamoDB refuses. */
function notEvaluable(error: unknown): ServiceError {
  const refusal = validationError('The request cannot be evaluated: an operand has an unsupported type or value');
  refusal.cause = error;
  return refusal;
}
