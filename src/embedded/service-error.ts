const NAMESPACE = 'com.amazonaws.dynamodb.v20120810';

export interface ErrorBody {
  __type: string;
  message?: string;
  readonly [detail: string]: unknown;
}

/** A refusal in DynamoDB's own words: the SDK turns the body into its typed exception. */
export class ServiceError extends Error {
  readonly statusCode: number;
  /** Mutable, because dynalite rewords some of its errors. */
  readonly body: ErrorBody;

  constructor(statusCode: number, body: ErrorBody, options?: ErrorOptions) {
    super(body.message ?? body.__type, options);
    this.name = 'ServiceError';
    this.statusCode = statusCode;
    this.body = body;
  }

  /** The exception's name, without its namespace. */
  get code(): string {
    return this.body.__type.slice(this.body.__type.indexOf('#') + 1);
  }
}

export function serviceError(code: string, message: string, details: object = {}): ServiceError {
  return new ServiceError(400, { __type: `${NAMESPACE}#${code}`, message, ...details });
}

export function validationError(message: string): ServiceError {
  return serviceError('ValidationException', message);
}

/** The body or a value in it has the wrong JSON type. */
export function serializationError(message: string): ServiceError {
  return new ServiceError(400, { __type: 'com.amazon.coral.service#SerializationException', message });
}

export function internalServerError(): ServiceError {
  return new ServiceError(500, { __type: `${NAMESPACE}#InternalServerError`, message: 'Internal server error' });
}

/** dynalite's refusals are plain errors that carry a status and a body; anything else is not a refusal. */
export function asServiceError(error: unknown): ServiceError | undefined {
  if (error instanceof ServiceError) return error;
  if (!(error instanceof Error) || !('statusCode' in error) || !('body' in error)) return undefined;
  return new ServiceError(error.statusCode as number, error.body as ErrorBody, { cause: error });
}

export interface CancellationReason {
  readonly Code: 'None' | 'ConditionalCheckFailed' | 'TransactionConflict' | 'ValidationError';
  readonly Message?: string;
  readonly Item?: object;
}

/** One reason per action of the transaction, in its order. */
export function transactionCanceled(reasons: readonly CancellationReason[]): ServiceError {
  const codes = reasons.map((reason) => reason.Code).join(', ');
  const message = `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes}]`;
  return serviceError('TransactionCanceledException', message, { CancellationReasons: reasons });
}
