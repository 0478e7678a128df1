import { execFile } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
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
  readonly Condition?: string;
}

type Resources = Readonly<Record<string, Resource>>;

interface Packaged {
  readonly folder: string;
  readonly resources: Resources;
  readonly conditions: Readonly<Record<string, unknown>>;
}

/** Packages a copy of what is deployed, with neither credentials nor proxies, and reads the template. */
async function packaged(stage: string, ...params: readonly string[]): Promise<Packaged> {
  const folder = mkdtempSync(join(tmpdir(), 'meshdoh-package-'));
  for (const path of DEPLOYED) cpSync(join(ROOT, path), join(folder, path), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const command = join(ROOT, 'node_modules/serverless/bin/serverless.js');
  await promisify(execFile)(
    process.execPath,
    [command, 'package', '--stage', stage, ...params.flatMap((param) => ['--param', param])],
    {
      cwd: folder,
      env: { PATH: process.env.PATH, HOME: folder, TZ: 'UTC' },
    },
  );
  const template = readFileSync(join(folder, '.serverless/cloudformation-template-update-stack.json'), 'utf8');
  const { Resources, Conditions } = JSON.parse(template);
  return { folder, resources: Resources, conditions: Conditions };
}

let dev: Packaged;
let prod: Packaged;
let byUrl: Packaged;

beforeAll(async () => {
  [dev, prod, byUrl] = await Promise.all([
    packaged('dev'),
    packaged('prod'),
    packaged(
      'dev',
      'frontDoor=function-url',
      'existingTable=kept',
      'reservedConcurrency=20',
      'alarmTopic=arn:aws:sns:us-east-1:123456789012:alarms',
      'upstreams=[{"url":"https://dns.example/dns-query"}]',
    ),
  ]);
}, 120_000);

afterAll(() => {
  for (const { folder } of [dev, prod, byUrl]) rmSync(folder, { recursive: true });
});

function resource(name: string, { resources } = dev): Resource {
  const found = resources[name];
  if (!found) throw new Error(`no ${name} in the template: ${Object.keys(resources).join(', ')}`);
  return found;
}

const ofType = (type: string, { resources } = dev): [string, Resource][] =>
  Object.entries(resources).filter(([, { Type }]) => Type === type);

const FUNCTIONS = ['Doh', 'Admin', 'Pools'];
const TABLE_NAME = { 'Fn::If': ['MakeTable', { Ref: 'RegistryTable' }, ''] };

interface Statement {
  readonly Effect: string;
  readonly Action: readonly string[];
  readonly Resource: unknown;
}

/** What a role may do to a resource, actions sorted; `*` is on none of ours. */
function actionsOf(role: string, on: string): string[] {
  const { Policies } = resource(role).Properties as { Policies: { PolicyDocument: { Statement: Statement[] } }[] };
  const statements = Policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);
  expect(statements.every(({ Effect }) => Effect === 'Allow')).toBe(true);
  const arn = JSON.stringify({ 'Fn::GetAtt': [on, 'Arn'] });
  return statements.flatMap(({ Action, Resource }) => (JSON.stringify(Resource).includes(arn) ? Action : [])).sort();
}

describe('the package', () => {
  it('is one archive for each function, and leaves nothing else behind', () => {
    const archives = readdirSync(join(dev.folder, '.serverless')).filter((name) => name.endsWith('.zip'));
    expect(archives.sort()).toEqual(['admin.zip', 'doh.zip', 'pools.zip']);
    expect(readdirSync(dev.folder).sort()).toEqual([...DEPLOYED, '.serverless', 'node_modules'].sort());
  });
});

describe('the parameters', () => {
  it('are all in the guide', () => {
    const files = ['serverless.yml', ...globSync('infra/**/*.yml', { cwd: ROOT })];
    const text = files.map((file) => readFileSync(join(ROOT, file), 'utf8')).join('');
    const used = new Set([...text.matchAll(/\$\{param:(\w+)/g)].map(([, name]) => name));
    const guide = readFileSync(join(ROOT, 'docs/deploy.md'), 'utf8');
    expect([...used].filter((name) => !guide.includes(`\`${name}\``))).toEqual([]);
    expect(used.size).toBeGreaterThan(15);
  });
});

describe('the functions', () => {
  it.each([
    ['DohLambdaFunction', 'functions/doh.handler', 4, 512, 'DohRole'],
    ['AdminLambdaFunction', 'functions/admin.handler', 15, 512, 'AdminRole'],
    ['PoolsLambdaFunction', 'functions/pools.handler', 15, 256, 'PoolsRole'],
  ])('%s runs %s', (name, handler, timeout, memory, role) => {
    expect(resource(name).Properties).toMatchObject({
      Handler: handler,
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      MemorySize: memory,
      Timeout: timeout,
      Role: { 'Fn::GetAtt': [role, 'Arn'] },
      LoggingConfig: { LogFormat: 'JSON', SystemLogLevel: 'WARN' },
    });
  });

  it('have the settings that somebody gave, and the defaults of all others', () => {
    const variablesOf = (one: Packaged) => resource('DohLambdaFunction', one).Properties.Environment;
    expect(variablesOf(dev)).toEqual({ Variables: { MESHDOH_STORE: 'dynamodb', MESHDOH_TABLE: TABLE_NAME } });
    expect(variablesOf(byUrl)).toMatchObject({
      Variables: { MESHDOH_UPSTREAMS: '[{"url":"https://dns.example/dns-query"}]' },
    });
  });

  it('keep environments for themselves only where somebody asked for it', () => {
    const reserved = (one: Packaged) => resource('DohLambdaFunction', one).Properties.ReservedConcurrentExecutions;
    expect([reserved(dev), reserved(prod), reserved(byUrl)]).toEqual([undefined, undefined, 20]);
  });

  it('have roles of their own, and no other role is made', () => {
    expect(ofType('AWS::IAM::Role').map(([name]) => name)).toEqual(['DohRole', 'AdminRole', 'PoolsRole']);
  });

  it('may read the table; that of administration alone may also write to it, and look through it for fsck', () => {
    const reads = ['dynamodb:BatchGetItem', 'dynamodb:GetItem', 'dynamodb:Query'];
    const own = ['ConditionCheckItem', 'DeleteItem', 'PutItem', 'Scan', 'UpdateItem'].map((name) => `dynamodb:${name}`);
    expect(actionsOf('DohRole', 'RegistryTable')).toEqual(reads);
    expect(actionsOf('AdminRole', 'RegistryTable')).toEqual([...reads, ...own].sort());
    expect(actionsOf('PoolsRole', 'RegistryTable')).toEqual(['dynamodb:Query']);
  });

  it.each(FUNCTIONS)('%s may write to its own log, and do nothing else', (name) => {
    const { Policies } = resource(`${name}Role`).Properties as { Policies: object };
    expect(actionsOf(`${name}Role`, `${name}LogGroup`)).toEqual(['logs:CreateLogStream', 'logs:PutLogEvents']);
    expect(JSON.stringify(Policies)).not.toContain('*');
  });

  it('have logs that end', () => {
    const retention = (one: Packaged) =>
      ofType('AWS::Logs::LogGroup', one).map(([, { Properties }]) => Properties.RetentionInDays);
    expect(retention(dev)).toEqual([14, 14, 14, 14]);
    expect(retention(prod)).toEqual([90, 90, 90, 90]);
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
      ['GET /{token}/v1/table', 'doh', 'NONE'],
      ['ANY /iam/dns-query', 'doh', 'AWS_IAM'],
      ['GET /iam/v1/table', 'doh', 'AWS_IAM'],
      ['ANY /apis/{proxy+}', 'admin', 'AWS_IAM'],
      ['ANY /v1/{proxy+}', 'admin', 'AWS_IAM'],
      ['GET /apis', 'admin', 'AWS_IAM'],
      ['GET /api', 'admin', 'AWS_IAM'],
      ['GET /api/{proxy+}', 'admin', 'AWS_IAM'],
      ['GET /openapi/{proxy+}', 'admin', 'AWS_IAM'],
      ['GET /version', 'admin', 'AWS_IAM'],
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

describe('behind function URLs', () => {
  it('there is no API, and administration takes signed requests only', () => {
    expect(ofType('AWS::ApiGatewayV2::Api', byUrl)).toEqual([]);
    const urls = ofType('AWS::Lambda::Url', byUrl).map(([name, { Properties }]) => [name, Properties.AuthType]);
    expect(urls).toEqual([
      ['DohLambdaFunctionUrl', 'NONE'],
      ['AdminLambdaFunctionUrl', 'AWS_IAM'],
    ]);
    const open = ofType('AWS::Lambda::Permission', byUrl).filter(([, { Properties }]) => Properties.Principal === '*');
    expect(open.map(([name]) => name)).toEqual(['DohLambdaPermissionFnUrl', 'DohLambdaPermissionFn']);
  });
});

describe('the alarms', () => {
  const alarms = (one = dev) => ofType('AWS::CloudWatch::Alarm', one);

  it('are about the pool, SERVFAIL, the registry, throttling and errors of every function', () => {
    expect(alarms().map(([name]) => name)).toEqual([
      'PoolAlarm',
      'ServfailAlarm',
      'RegistryAlarm',
      'TableThrottleAlarm',
      'DohErrorAlarm',
      'DohThrottleAlarm',
      'AdminErrorAlarm',
      'PoolsErrorAlarm',
    ]);
    expect(resource('PoolAlarm').Properties).toMatchObject({ MetricName: 'PoolTaken', Threshold: 80 });
    expect(resource('ServfailAlarm').Properties).toMatchObject({ Threshold: 5, EvaluationPeriods: 5 });
  });

  it('are told to the topic that somebody named, and to nobody otherwise', () => {
    const topic = ['arn:aws:sns:us-east-1:123456789012:alarms'];
    expect(byUrl.conditions.TellAlarms).toEqual({ 'Fn::Not': [{ 'Fn::Equals': [topic[0], ''] }] });
    for (const [name, { Properties }] of alarms(byUrl)) {
      expect(Properties.AlarmActions, name).toEqual({ 'Fn::If': ['TellAlarms', topic, { Ref: 'AWS::NoValue' }] });
      expect(Properties.OKActions, name).toEqual(Properties.AlarmActions);
    }
  });

  it('and the dashboard, look at metrics that are written', () => {
    const written = new Set(
      readFileSync(join(ROOT, 'src/service/metrics-emf.ts'), 'utf8').match(/(?<=')[A-Za-z]+(?=')/g),
    );
    const { DashboardBody } = resource('Dashboard').Properties as { DashboardBody: { 'Fn::Sub': [string, object] } };
    const { widgets } = JSON.parse(DashboardBody['Fn::Sub'][0]);
    const ours = widgets.flatMap(({ properties: { metrics } }: { properties: { metrics: unknown[][] } }) =>
      metrics[0]?.[0] === 'meshdoh' ? metrics.filter(([first]) => first === 'meshdoh' || first === '.') : [],
    );
    const names: string[] = ours.flatMap(([first, name, dimension]: string[]) =>
      first === 'meshdoh' || dimension === '.' ? [name] : [],
    );
    const alarmed = alarms().flatMap(([, { Properties }]) =>
      Properties.Namespace === 'meshdoh' ? [String(Properties.MetricName)] : [],
    );
    const lambda = ['Errors', 'Throttles', 'WriteThrottleEvents'];
    expect([...names, ...alarmed].filter((name) => !written.has(name) && !lambda.includes(name))).toEqual([]);
    expect(names).toEqual(expect.arrayContaining(['SERVFAIL', 'FromRegistry', 'Latency', 'PoolLive']));
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

  it('is made unless there is one to use, which the roles are for then', () => {
    expect(dev.conditions.MakeTable).toEqual({ 'Fn::Equals': ['', ''] });
    expect(byUrl.conditions.MakeTable).toEqual({ 'Fn::Equals': ['kept', ''] });
    expect(resource('RegistryTable', byUrl).Condition).toBe('MakeTable');
    const roles = ofType('AWS::IAM::Role', byUrl).map(([, { Properties }]) => JSON.stringify(Properties));
    for (const role of roles) expect(role).toContain(':table/kept');
  });
});
