import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LoopbackAws, startLoopbackAws } from './loopback-aws.ts';
import { accessDenied } from './refusal.ts';
import { Stack } from './stack.ts';
import type { Template } from './template.ts';

let aws: LoopbackAws;

beforeAll(async () => {
  aws = await startLoopbackAws('');
});
afterAll(() => aws.close());

const LOG_GROUP = { Type: 'AWS::Logs::LogGroup', Properties: { LogGroupName: '/a' } };
const allowAll = () => undefined;

async function deploy(template: object, demand: (action: string, resource: string) => void = allowAll) {
  const stack = new Stack('test', aws);
  await stack.deploy({ Resources: {}, ...template } as Template, 'CREATE', demand);
  const reason = stack.events.find((event) => event.reason !== undefined)?.reason;
  return { status: stack.status, reason, outputs: stack.outputs, resources: [...stack.resources.keys()] };
}

const output = (Value: unknown, more: object = {}) =>
  deploy({ Resources: { Group: LOG_GROUP }, Outputs: { It: { Value } }, ...more });

describe('a template is evaluated', () => {
  const values: [value: unknown, result: string][] = [
    [{ Ref: 'Group' }, '/a'],
    [{ Ref: 'AWS::Region' }, 'us-east-1'],
    [{ 'Fn::GetAtt': ['Group', 'Arn'] }, 'arn:aws:logs:us-east-1:123456789012:log-group:/a:*'],
    [{ 'Fn::Join': ['-', ['a', { Ref: 'Group' }]] }, 'a-/a'],
    [{ 'Fn::Sub': `\${AWS::AccountId} \${Group} \${!Group}` }, `123456789012 /a \${Group}`],
    [{ 'Fn::Sub': [`\${x}`, { x: { Ref: 'Group' } }] }, '/a'],
    [{ 'Fn::If': ['Yes', 'a', 'b'] }, 'a'],
    [{ 'Fn::If': ['No', 'a', 'b'] }, 'b'],
  ];
  const Conditions = { Yes: { 'Fn::Equals': ['a', 'a'] }, No: { 'Fn::Not': [{ Condition: 'Yes' }] } };
  it.each(values)('%j is %s', async (value, result) => {
    expect((await output(value, { Conditions })).outputs).toEqual({ It: result });
  });

  it('makes what its condition says, in the order of references', async () => {
    const Resources = {
      Never: { ...LOG_GROUP, Condition: 'No' },
      Second: { Type: 'AWS::Logs::LogGroup', Properties: { LogGroupName: { 'Fn::Sub': `\${First}/b` } } },
      First: LOG_GROUP,
    };
    expect((await deploy({ Resources, Conditions })).resources).toEqual(['First', 'Second']);
  });
});

describe('a deployment fails', () => {
  const wrong: [what: string, template: object, reason: string][] = [
    ['for a type', { Resources: { Queue: { Type: 'AWS::SQS::Queue' } } }, 'the type AWS::SQS::Queue is not understood'],
    [
      'for a property',
      { Resources: { Group: { ...LOG_GROUP, Properties: { LogGroupNames: 'a' } } } },
      'Group: extraneous key [LogGroupNames] is not permitted',
    ],
    ['for a field of a resource', { Resources: { Group: { ...LOG_GROUP, Metadata: {} } } }, 'Group: Metadata is not'],
    ['for a section', { Mappings: {} }, 'the section Mappings is not understood'],
    ['for a reference', { Outputs: { It: { Value: { Ref: 'Nobody' } } } }, 'Unresolved resource dependencies [Nobody]'],
    [
      'for an attribute',
      { Resources: { Group: LOG_GROUP }, Outputs: { It: { Value: { 'Fn::GetAtt': ['Group', 'Name'] } } } },
      'Group has no attribute Name',
    ],
    [
      'for a function',
      { Outputs: { It: { Value: { 'Fn::Base64': 'a' } } } },
      'the function Fn::Base64 is not understood',
    ],
    ['for a condition', { Outputs: { It: { Value: { 'Fn::If': ['X', 'a', 'b'] } } } }, 'there is no condition X'],
    [
      'for a reference to what its condition leaves out',
      {
        Conditions: { No: { 'Fn::Equals': ['a', 'b'] } },
        Resources: { Group: { ...LOG_GROUP, Condition: 'No' } },
        Outputs: { It: { Value: { Ref: 'Group' } } },
      },
      'Group is referred to, and its condition No does not hold',
    ],
  ];
  it.each(wrong)('%s that it does not know', async (_what, template, reason) => {
    const failed = await deploy(template);
    expect(failed.status).toBe('ROLLBACK_COMPLETE');
    expect(failed.reason).toContain(reason);
  });

  it('for a right that its deployer does not have', async () => {
    const demand = (action: string, resource: string) => {
      if (action === 'logs:PutRetentionPolicy') throw accessDenied('me', action, resource);
    };
    const { reason } = await deploy({ Resources: { Group: LOG_GROUP } }, demand);
    expect(reason).toContain('me is not authorized to perform: logs:PutRetentionPolicy');
  });
});
