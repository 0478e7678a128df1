import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const DEPLOYED = ['package.json', 'serverless.yml', 'functions', 'infra', 'src'];

interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
  readonly DependsOn?: readonly string[];
}

type Resources = Readonly<Record<string, Resource>>;

/** Packages a copy of what is deployed, with neither credentials nor proxies, and reads the template. */
async function packaged(stage: string): Promise<{ folder: string; resources: Resources }> {
  const folder = mkdtempSync(join(tmpdir(), 'meshdoh-package-'));
  for (const path of DEPLOYED) cpSync(join(ROOT, path), join(folder, path), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const command = join(ROOT, 'node_modules/serverless/bin/serverless.js');
  await promisify(execFile)(process.execPath, [command, 'package', '--stage', stage], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, TZ: 'UTC' },
  });
  const template = readFileSync(join(folder, '.serverless/cloudformation-template-update-stack.json'), 'utf8');
  return { folder, resources: (JSON.parse(template) as { Resources: Resources }).Resources };
}

let dev: Awaited<ReturnType<typeof packaged>>;
let prod: Awaited<ReturnType<typeof packaged>>;

beforeAll(async () => {
  [dev, prod] = await Promise.all([packaged('dev'), packaged('prod')]);
}, 60_000);

afterAll(() => {
  for (const { folder } of [dev, prod]) rmSync(folder, { recursive: true });
});

function resource(name: string, { resources } = dev): Resource {
  const found = resources[name];
  if (!found) throw new Error(`no ${name} in the template: ${Object.keys(resources).join(', ')}`);
  return found;
}

const ofType = (type: string): [string, Resource][] =>
  Object.entries(dev.resources).filter(([, { Type }]) => Type === type);

interface Statement {
  readonly Effect: string;
  readonly Action: readonly string[];
  readonly Resource: unknown;
}

/** What a role may do to a resource, actions sorted. */
function actionsOf(role: string, on: string): string[] {
  const { Policies } = resource(role).Properties as { Policies: { PolicyDocument: { Statement: Statement[] } }[] };
  const statements = Policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);
  expect(statements.every(({ Effect }) => Effect === 'Allow')).toBe(true);
  const arn = JSON.stringify({ 'Fn::GetAtt': [on, 'Arn'] });
  return statements.flatMap(({ Action, Resource }) => (JSON.stringify(Resource) === arn ? Action : [])).sort();
}

describe('the package', () => {
  it('is one archive for each function, and leaves nothing else behind', () => {
    const archives = readdirSync(join(dev.folder, '.serverless')).filter((name) => name.endsWith('.zip'));
    expect(archives.sort()).toEqual(['admin.zip', 'doh.zip']);
    expect(readdirSync(dev.folder).sort()).toEqual([...DEPLOYED, '.serverless', 'node_modules'].sort());
  });
});

describe('the functions', () => {
  it.each([
    ['DohLambdaFunction', 'functions/doh.handler', 4, 'DohRole'],
    ['AdminLambdaFunction', 'functions/admin.handler', 15, 'AdminRole'],
  ])('%s runs %s', (name, handler, timeout, role) => {
    expect(resource(name).Properties).toMatchObject({
      Handler: handler,
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      MemorySize: 512,
      Timeout: timeout,
      Role: { 'Fn::GetAtt': [role, 'Arn'] },
      LoggingConfig: { LogFormat: 'JSON', SystemLogLevel: 'WARN' },
      Environment: { Variables: { MESHDOH_STORE: 'dynamodb', MESHDOH_TABLE: { Ref: 'RegistryTable' } } },
    });
  });

  it('have roles of their own, and no other role is made', () => {
    expect(ofType('AWS::IAM::Role').map(([name]) => name)).toEqual(['DohRole', 'AdminRole']);
  });

  it('may read the table; that of administration may also write to it, and look through it for fsck', () => {
    const reads = ['dynamodb:BatchGetItem', 'dynamodb:GetItem', 'dynamodb:Query'];
    const own = ['ConditionCheckItem', 'DeleteItem', 'PutItem', 'Scan', 'UpdateItem'].map((name) => `dynamodb:${name}`);
    expect(actionsOf('DohRole', 'RegistryTable')).toEqual(reads);
    expect(actionsOf('AdminRole', 'RegistryTable')).toEqual([...reads, ...own].sort());
  });

  it.each(['Doh', 'Admin'])('%s may write to its own log, and do nothing else', (name) => {
    const { Policies } = resource(`${name}Role`).Properties as { Policies: object };
    expect(actionsOf(`${name}Role`, `${name}LogGroup`)).toEqual(['logs:CreateLogStream', 'logs:PutLogEvents']);
    expect(JSON.stringify(Policies)).not.toContain('*');
  });

  it('have logs that end', () => {
    const retention = ofType('AWS::Logs::LogGroup').map(([, { Properties }]) => Properties.RetentionInDays);
    expect(retention).toEqual([14, 14, 14]);
  });
});

describe('the routes', () => {
  const routes = () =>
    ofType('AWS::ApiGatewayV2::Route').map(([, { Properties }]) => [
      Properties.RouteKey,
      JSON.stringify(Properties.Target).includes('HttpApiIntegrationAdmin') ? 'admin' : 'doh',
      Properties.AuthorizationType ?? 'NONE',
    ]);

  it('lead to administration through AWS_IAM only', () => {
    expect(routes()).toEqual([
      ['$default', 'doh', 'NONE'],
      ['ANY /dns-query', 'doh', 'NONE'],
      ['ANY /{token}/dns-query', 'doh', 'NONE'],
      ['ANY /iam/dns-query', 'doh', 'AWS_IAM'],
      ['ANY /apis/{proxy+}', 'admin', 'AWS_IAM'],
      ['ANY /v1/{proxy+}', 'admin', 'AWS_IAM'],
    ]);
  });

  it('are throttled apart, each after it exists', () => {
    const { Properties, DependsOn } = resource('HttpApiStage');
    const { RouteSettings, DefaultRouteSettings } = Properties as Record<string, Record<string, object>>;
    expect(DefaultRouteSettings).toEqual({ ThrottlingRateLimit: 50, ThrottlingBurstLimit: 100 });
    expect(Object.keys(RouteSettings ?? {}).length).toBe(3);
    for (const [key, settings] of Object.entries(RouteSettings ?? {})) {
      const [name] = ofType('AWS::ApiGatewayV2::Route').find(([, route]) => route.Properties.RouteKey === key) ?? [];
      expect(settings).toEqual({ ThrottlingRateLimit: 500, ThrottlingBurstLimit: 1000 });
      expect(DependsOn, key).toContain(name);
    }
  });

  it('are logged by key, never by path: a path may hold a token', () => {
    const { AccessLogSettings } = resource('HttpApiStage').Properties as { AccessLogSettings: { Format: string } };
    expect(AccessLogSettings.Format).toContain('$context.routeKey');
    expect(AccessLogSettings.Format).not.toMatch(/\$context\.path|\$context\.http/);
  });

  it('leave CORS to the functions', () => {
    expect(resource('HttpApi').Properties).not.toHaveProperty('CorsConfiguration');
  });

  it('send events of format 2.0', () => {
    const formats = ofType('AWS::ApiGatewayV2::Integration').map(
      ([, { Properties }]) => Properties.PayloadFormatVersion,
    );
    expect(formats).toEqual(['2.0', '2.0']);
  });
});

describe('the table', () => {
  it('has the keys of the registry, on demand up to a bound, encrypted', () => {
    expect(resource('RegistryTable').Properties).toMatchObject({
      TableName: 'meshdoh-dev',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' },
      ],
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      OnDemandThroughput: { MaxReadRequestUnits: 2000, MaxWriteRequestUnits: 500 },
      SSESpecification: { SSEEnabled: true },
    });
  });

  it.each([
    ['dev', 'Delete', false],
    ['prod', 'Retain', true],
  ])('of %s is left by a removal: %s; protected, and restorable to any second: %s', (stage, policy, kept) => {
    const { DeletionPolicy, UpdateReplacePolicy, Properties } = resource('RegistryTable', stage === 'dev' ? dev : prod);
    expect([DeletionPolicy, UpdateReplacePolicy]).toEqual([policy, 'Retain']);
    expect(Properties).toMatchObject({
      TableName: `meshdoh-${stage}`,
      DeletionProtectionEnabled: kept,
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: kept },
    });
  });
});
