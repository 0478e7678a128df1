import { ACCOUNT, REGION } from './account.ts';
import type { Cloud } from './cloud.ts';
import { Refusal } from './refusal.ts';
import type { Reply, ServiceCall } from './service.ts';
import { Stack } from './stack.ts';
import type { Template } from './template.ts';
import { toXml } from './xml.ts';

interface ChangeSet {
  readonly stack: Stack;
  readonly template: Template;
  readonly kind: 'CREATE' | 'UPDATE';
}

type Parameters = Readonly<Record<string, string>>;
type Action = (parameters: Parameters, call: ServiceCall) => object | Promise<object>;

/** CloudFormation by AWS's query protocol, as far as a deployment goes. */
export class CloudFormation {
  readonly stacks = new Map<string, Stack>();
  readonly #changeSets = new Map<string, ChangeSet>();
  readonly #cloud: Cloud;
  readonly #actions: Readonly<Record<string, Action>>;

  constructor(cloud: Cloud) {
    this.#cloud = cloud;
    this.#actions = {
      DescribeStacks: (parameters) => ({ Stacks: [describe(this.#stack(parameters))] }),
      ValidateTemplate: (parameters, call) => {
        this.#template(parameters, call);
        return { Capabilities: ['CAPABILITY_IAM'] };
      },
      CreateChangeSet: (parameters, call) => this.#createChangeSet(parameters, call),
      DescribeChangeSet: (parameters) => {
        const { stack } = this.#changeSet(parameters);
        const name = parameters.ChangeSetName;
        const done = { Status: 'CREATE_COMPLETE', ExecutionStatus: 'AVAILABLE' };
        return { StackId: stack.id, StackName: stack.name, ChangeSetId: name, ChangeSetName: name, ...done };
      },
      DeleteChangeSet: ({ ChangeSetName = '' }) => {
        this.#changeSets.delete(ChangeSetName);
        return {};
      },
      ExecuteChangeSet: async (parameters, { demand }) => {
        const { stack, template, kind } = this.#changeSet(parameters);
        await stack.deploy(template, kind, demand);
        return {};
      },
      DescribeStackEvents: (parameters) => ({ StackEvents: eventsOf(this.#stack(parameters)) }),
      DescribeStackResource: (parameters) => this.#describeResource(parameters),
      ListStackResources: (parameters) => ({ StackResourceSummaries: summariesOf(this.#stack(parameters)) }),
      DeleteStack: async (parameters, { demand }) => {
        const stack = this.#stack(parameters);
        await stack.remove(demand);
        this.stacks.delete(stack.name);
        return {};
      },
    };
  }

  async answer(call: ServiceCall): Promise<Reply> {
    const parameters = Object.fromEntries(new URLSearchParams(call.request.body.toString()));
    const { Action = '', StackName } = parameters;
    const action = this.#actions[Action];
    if (!action) throw new Refusal(400, 'InvalidAction', `${Action} is not understood`);
    const name = StackName?.split('/')[1] ?? StackName;
    const arn = Action === 'ValidateTemplate' ? '*' : `arn:aws:cloudformation:${REGION}:${ACCOUNT}:stack/${name}/1`;
    call.demand(`cloudformation:${Action}`, arn);
    return queryReply(Action, await action(parameters, call));
  }

  #stack({ StackName = '' }: Parameters): Stack {
    const name = StackName.split('/')[1] ?? StackName;
    const stack = this.stacks.get(name);
    if (!stack) throw new Refusal(400, 'ValidationError', `Stack with id ${name} does not exist`);
    return stack;
  }

  #changeSet({ ChangeSetName = '' }: Parameters): ChangeSet {
    const found = this.#changeSets.get(ChangeSetName);
    if (!found) throw new Refusal(404, 'ChangeSetNotFound', `ChangeSet [${ChangeSetName}] does not exist`);
    return found;
  }

  #template({ TemplateBody, TemplateURL }: Parameters, { demand }: ServiceCall): Template {
    if (TemplateBody !== undefined) return JSON.parse(TemplateBody);
    const [, bucket = '', ...key] = decodeURIComponent(new URL(TemplateURL ?? '').pathname).split('/');
    demand('s3:GetObject', `arn:aws:s3:::${bucket}/${key.join('/')}`);
    return JSON.parse(this.#cloud.storage.object(bucket, key.join('/')).toString());
  }

  #createChangeSet(parameters: Parameters, call: ServiceCall): object {
    const { StackName = '', ChangeSetName = '', ChangeSetType } = parameters;
    const stack = this.stacks.get(StackName) ?? new Stack(StackName, this.#cloud);
    this.stacks.set(StackName, stack);
    const kind = ChangeSetType === 'CREATE' ? 'CREATE' : 'UPDATE';
    this.#changeSets.set(ChangeSetName, { stack, template: this.#template(parameters, call), kind });
    return { Id: ChangeSetName, StackId: stack.id };
  }

  #describeResource(parameters: Parameters): object {
    const stack = this.#stack(parameters);
    const { LogicalResourceId = '' } = parameters;
    const found = summariesOf(stack).find((summary) => summary.LogicalResourceId === LogicalResourceId);
    if (!found) throw new Refusal(400, 'ValidationError', `Resource ${LogicalResourceId} does not exist for stack`);
    const { LastUpdatedTimestamp, ...detail } = found;
    return { StackResourceDetail: { StackName: stack.name, LastUpdatedTimestamp, ...detail } };
  }
}

/** AWS's query protocol wraps a result twice. */
export const queryReply = (action: string, result: object): Reply => ({
  status: 200,
  headers: { 'content-type': 'text/xml' },
  body: toXml({ [`${action}Response`]: { [`${action}Result`]: result, ResponseMetadata: { RequestId: '1' } } }),
});

const describe = (stack: Stack) => ({
  StackName: stack.name,
  StackId: stack.id,
  CreationTime: new Date(0).toISOString(),
  StackStatus: stack.status,
  EnableTerminationProtection: false,
  Outputs: Object.entries(stack.outputs).map(([OutputKey, OutputValue]) => ({ OutputKey, OutputValue })),
});

/** Osls takes events that are newer than its own start. */
const eventsOf = (stack: Stack) =>
  stack.events.map(({ logicalId, type, physicalId, status, reason }, index) => ({
    EventId: String(stack.events.length - index),
    StackId: stack.id,
    StackName: stack.name,
    LogicalResourceId: logicalId,
    PhysicalResourceId: physicalId,
    ResourceType: type,
    ResourceStatus: status,
    ResourceStatusReason: reason,
    Timestamp: new Date(Date.now() + 1000).toISOString(),
  }));

const summariesOf = (stack: Stack) =>
  [...stack.resources].map(([LogicalResourceId, { ref, type }]) => ({
    LogicalResourceId,
    PhysicalResourceId: ref,
    ResourceType: type,
    ResourceStatus: 'CREATE_COMPLETE',
    LastUpdatedTimestamp: new Date(0).toISOString(),
  }));
