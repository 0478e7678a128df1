import { ACCOUNT, REGION } from './account.ts';
import type { Cloud } from './cloud.ts';
import type { Making, Properties, ResourceType, Rights } from './resource-type.ts';
import { RESOURCE_TYPES } from './resource-types.ts';
import type { ServiceCall } from './service.ts';
import { Evaluation, type Made, type Template, TemplateError, type TemplateResource } from './template.ts';

export interface StackEvent {
  readonly logicalId: string;
  readonly type: string;
  readonly physicalId: string;
  readonly status: string;
  readonly reason?: string;
}

export interface StackResource extends Made {
  readonly type: string;
  readonly properties: Properties;
  readonly retained: boolean;
}

type Demand = ServiceCall['demand'];

function typeOf(logicalId: string, { Type }: TemplateResource): ResourceType {
  const type = RESOURCE_TYPES[Type];
  if (!type) throw new TemplateError(`${logicalId}: the type ${Type} is not understood`);
  return type;
}

/** A CloudFormation stack: resources made from a template, changed where their properties have, and removed. */
export class Stack {
  readonly name: string;
  /** The latest first. */
  readonly events: StackEvent[] = [];
  readonly resources = new Map<string, StackResource>();
  outputs: Readonly<Record<string, string>> = {};
  status = 'REVIEW_IN_PROGRESS';
  readonly #cloud: Cloud;

  constructor(name: string, cloud: Cloud) {
    this.name = name;
    this.#cloud = cloud;
  }

  get id(): string {
    return `arn:aws:cloudformation:${REGION}:${ACCOUNT}:stack/${this.name}/1`;
  }

  /** Ends in `…_COMPLETE`, or in a rollback that names the reason. What was made is left as it is, to be looked at. */
  async deploy(template: Template, kind: 'CREATE' | 'UPDATE', demand: Demand): Promise<void> {
    this.#tell(`${kind}_IN_PROGRESS`);
    try {
      await this.#apply(template, demand);
      this.status = `${kind}_COMPLETE`;
    } catch (error) {
      this.status = kind === 'CREATE' ? 'ROLLBACK_COMPLETE' : 'UPDATE_ROLLBACK_COMPLETE';
      this.#tell(`${kind}_FAILED`, error instanceof Error ? error.message : String(error));
    }
    this.#tell(this.status);
  }

  async remove(demand: Demand): Promise<void> {
    this.#tell('DELETE_IN_PROGRESS');
    for (const [logicalId] of [...this.resources].reverse()) await this.#remove(logicalId, demand);
    this.status = 'DELETE_COMPLETE';
    this.#tell(this.status);
  }

  async #apply(template: Template, demand: Demand): Promise<void> {
    const made = new Map<string, Promise<Made>>();
    const make = (logicalId: string): Promise<Made> => {
      const known = made.get(logicalId) ?? this.#make(logicalId, template, evaluation, make, demand);
      made.set(logicalId, known);
      return known;
    };
    const evaluation = new Evaluation(template, this.name, make);
    const wanted: string[] = [];
    for (const [logicalId, { Condition }] of Object.entries(template.Resources)) {
      if (Condition === undefined || (await evaluation.holds(Condition))) wanted.push(logicalId);
    }
    for (const logicalId of wanted) await make(logicalId);
    const gone = [...this.resources.keys()].filter((logicalId) => !wanted.includes(logicalId));
    for (const logicalId of gone.reverse()) await this.#remove(logicalId, demand);
    const outputs = Object.entries(template.Outputs ?? {}).map(async ([name, { Value }]) => {
      return [name, String(await evaluation.value(Value))] as const;
    });
    this.outputs = Object.fromEntries(await Promise.all(outputs));
  }

  async #make(
    logicalId: string,
    template: Template,
    evaluation: Evaluation,
    make: (logicalId: string) => Promise<Made>,
    demand: Demand,
  ): Promise<Made> {
    const resource = template.Resources[logicalId];
    if (!resource) throw new TemplateError(`Unresolved resource dependencies [${logicalId}]`);
    const type = typeOf(logicalId, resource);
    for (const needed of [resource.DependsOn ?? []].flat()) await make(needed);
    const properties = (await evaluation.value(resource.Properties ?? {})) as Properties;
    const strange = Object.keys(properties).find((name) => !type.properties.includes(name));
    if (strange) throw new TemplateError(`${logicalId}: extraneous key [${strange}] is not permitted`);
    const before = this.resources.get(logicalId);
    const retained = resource.DeletionPolicy === 'Retain';
    if (before && JSON.stringify(before.properties) === JSON.stringify(properties)) {
      this.resources.set(logicalId, { ...before, retained });
      return before;
    }
    const making = this.#making(logicalId, properties);
    this.#demand(making, type, before ? 'update' : 'create', demand);
    const made = await type.make(making, before);
    this.resources.set(logicalId, { ...made, type: resource.Type, properties, retained });
    const status = before ? 'UPDATE_COMPLETE' : 'CREATE_COMPLETE';
    this.events.unshift({ logicalId, type: resource.Type, physicalId: made.ref, status });
    return made;
  }

  async #remove(logicalId: string, demand: Demand): Promise<void> {
    const resource = this.resources.get(logicalId);
    if (!resource) return;
    const type = RESOURCE_TYPES[resource.type];
    const making = this.#making(logicalId, resource.properties);
    if (type && !resource.retained) {
      this.#demand(making, type, 'remove', demand);
      await type.remove(making, resource);
    }
    this.resources.delete(logicalId);
    const status = resource.retained ? 'DELETE_SKIPPED' : 'DELETE_COMPLETE';
    this.events.unshift({ logicalId, type: resource.type, physicalId: resource.ref, status });
  }

  #making(logicalId: string, properties: Properties): Making {
    return { cloud: this.#cloud, stackName: this.name, logicalId, properties };
  }

  /** CloudFormation acts with the rights of who deploys. */
  #demand(making: Making, type: ResourceType, what: keyof Rights, demand: Demand): void {
    for (const right of type.rights(making)[what]) {
      if (typeof right === 'string') demand(right, type.arn(making));
      else demand(...right);
    }
  }

  #tell(status: string, reason?: string): void {
    const about = { logicalId: this.name, type: 'AWS::CloudFormation::Stack', physicalId: this.id };
    this.events.unshift({ ...about, status, ...(reason === undefined ? {} : { reason }) });
  }
}
