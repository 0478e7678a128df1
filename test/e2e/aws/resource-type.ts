import { ACCOUNT, REGION } from './account.ts';
import type { Cloud } from './cloud.ts';
import type { Made } from './template.ts';

export type Properties = Readonly<Record<string, unknown>>;

/** One resource that is being made, changed or removed. */
export interface Making {
  readonly cloud: Cloud;
  readonly stackName: string;
  readonly logicalId: string;
  /** Evaluated. */
  readonly properties: Properties;
}

/** What CloudFormation does to a resource with the deployer's own rights: an action on the resource, or on another. */
export type Right = string | readonly [action: string, resource: string, context?: Readonly<Record<string, string>>];

export interface Rights {
  readonly create: readonly Right[];
  readonly update: readonly Right[];
  readonly remove: readonly Right[];
}

/** A type of resource that templates may use. */
export interface ResourceType {
  /** Any other is refused. */
  readonly properties: readonly string[];
  /** What its rights are on. */
  arn(making: Making): string;
  rights(making: Making): Rights;
  make(making: Making, before: Made | undefined): Made | Promise<Made>;
  remove(making: Making, made: Made): void | Promise<void>;
}

export const text = (properties: Properties, name: string): string => String(properties[name] ?? '');

export const regional = (service: string, rest: string): string => `arn:aws:${service}:${REGION}:${ACCOUNT}:${rest}`;

export const madeAs = (ref: string, attributes: Readonly<Record<string, string>> = {}): Made => ({ ref, attributes });

/** For what leaves nothing behind. */
export const none = (): void => undefined;
