import { CreateTableCommand, DeleteTableCommand, DescribeTableCommand } from '@aws-sdk/client-dynamodb';
import { ACCOUNT, REGION } from './account.ts';
import { HttpApi } from './http-api.ts';
import { type FunctionConfig, functionArn, type Grant } from './lambda.ts';
import type { PolicyDocument } from './policy.ts';
import { Refusal } from './refusal.ts';
import { type Making, type ResourceType, type Right, text } from './resource-type.ts';
import { type Made, TemplateError } from './template.ts';

const regional = (service: string, rest: string): string => `arn:aws:${service}:${REGION}:${ACCOUNT}:${rest}`;
const none = (): void => undefined;
const madeAs = (ref: string, attributes: Readonly<Record<string, string>> = {}): Made => ({ ref, attributes });

const roleName = ({ stackName, logicalId }: Making): string => `${stackName}-${REGION}-${logicalId}`;
const bucketName = ({ properties, stackName, logicalId }: Making): string =>
  text(properties, 'BucketName') || `${stackName}-${logicalId.toLowerCase()}-1a2b3c4d5e6f`;

const bucket: ResourceType = {
  properties: ['BucketName', 'BucketEncryption', 'PublicAccessBlockConfiguration'],
  arn: (making) => `arn:aws:s3:::${bucketName(making)}`,
  rights: () => ({
    create: ['s3:CreateBucket', 's3:PutEncryptionConfiguration', 's3:PutBucketPublicAccessBlock'],
    update: [],
    remove: ['s3:DeleteBucket'],
  }),
  make(making) {
    const name = bucketName(making);
    making.cloud.storage.createBucket(name);
    return madeAs(name, { Arn: `arn:aws:s3:::${name}` });
  },
  remove: ({ cloud }, { ref }) => cloud.storage.deleteBucket(ref),
};

const bucketPolicy: ResourceType = {
  properties: ['Bucket', 'PolicyDocument'],
  arn: ({ properties }) => `arn:aws:s3:::${text(properties, 'Bucket')}`,
  rights: () => ({
    create: ['s3:PutBucketPolicy', 's3:GetBucketPolicy'],
    update: [],
    remove: ['s3:DeleteBucketPolicy'],
  }),
  make: ({ cloud, properties, logicalId }) => {
    cloud.storage.bucket(text(properties, 'Bucket'));
    return madeAs(logicalId);
  },
  remove: none,
};

const logGroup: ResourceType = {
  properties: ['LogGroupName', 'RetentionInDays'],
  arn: ({ properties }) => regional('logs', `log-group:${text(properties, 'LogGroupName')}`),
  rights: () => ({
    create: ['logs:CreateLogGroup', 'logs:PutRetentionPolicy', 'logs:DescribeLogGroups'],
    update: ['logs:PutRetentionPolicy'],
    remove: ['logs:DeleteLogGroup'],
  }),
  make: (making) => madeAs(text(making.properties, 'LogGroupName'), { Arn: `${logGroup.arn(making)}:*` }),
  remove: none,
};

const role: ResourceType = {
  properties: ['AssumeRolePolicyDocument', 'Policies'],
  arn: (making) => `arn:aws:iam::${ACCOUNT}:role/${roleName(making)}`,
  rights: () => ({
    create: ['iam:CreateRole', 'iam:GetRole', 'iam:PutRolePolicy', 'iam:GetRolePolicy'],
    update: ['iam:PutRolePolicy'],
    remove: ['iam:DeleteRolePolicy', 'iam:DeleteRole'],
  }),
  make(making) {
    const policies = making.properties.Policies as { readonly PolicyDocument: PolicyDocument }[];
    const documents = policies.map(({ PolicyDocument }) => PolicyDocument);
    return madeAs(roleName(making), { Arn: making.cloud.account.putRole(roleName(making), documents) });
  },
  remove: ({ cloud }, { ref }) => cloud.account.deleteRole(ref),
};

const lambdaFunction: ResourceType = {
  properties: [
    'Code',
    'Handler',
    'Runtime',
    'FunctionName',
    'MemorySize',
    'Timeout',
    'Architectures',
    'Description',
    'Environment',
    'Role',
    'LoggingConfig',
    'ReservedConcurrentExecutions',
  ],
  arn: ({ properties }) => functionArn(text(properties, 'FunctionName')),
  rights({ properties }) {
    const { S3Bucket, S3Key } = properties.Code as Record<string, string>;
    const code: Right = ['s3:GetObject', `arn:aws:s3:::${S3Bucket}/${S3Key}`];
    const pass: Right = ['iam:PassRole', text(properties, 'Role'), { 'iam:PassedToService': 'lambda.amazonaws.com' }];
    const reserve: Right[] = properties.ReservedConcurrentExecutions ? ['lambda:PutFunctionConcurrency'] : [];
    return {
      create: ['lambda:CreateFunction', 'lambda:GetFunction', code, pass, ...reserve],
      update: ['lambda:UpdateFunctionCode', 'lambda:UpdateFunctionConfiguration', code, pass],
      remove: ['lambda:DeleteFunction'],
    };
  },
  async make({ cloud, properties }) {
    const { S3Bucket = '', S3Key = '' } = properties.Code as Record<string, string>;
    const config = properties as unknown as FunctionConfig;
    await cloud.lambda.put(config, cloud.storage.object(S3Bucket, S3Key));
    return madeAs(config.FunctionName, { Arn: functionArn(config.FunctionName) });
  },
  remove: ({ cloud }, { ref }) => cloud.lambda.delete(ref),
};

const permission: ResourceType = {
  properties: ['Action', 'FunctionName', 'Principal', 'SourceArn', 'FunctionUrlAuthType', 'InvokedViaFunctionUrl'],
  arn: ({ properties }) => functionArn(functionOf(properties, 'FunctionName')),
  rights: () => ({ create: ['lambda:AddPermission'], update: [], remove: ['lambda:RemovePermission'] }),
  make({ cloud, properties, logicalId }) {
    const grant: Grant = {
      functionName: functionOf(properties, 'FunctionName'),
      action: text(properties, 'Action'),
      principal: text(properties, 'Principal'),
      ...(properties.SourceArn === undefined ? {} : { sourceArn: text(properties, 'SourceArn') }),
    };
    cloud.lambda.grants.add(grant);
    return madeAs(logicalId);
  },
  remove({ cloud, properties }) {
    const name = functionOf(properties, 'FunctionName');
    for (const grant of cloud.lambda.grants) if (grant.functionName === name) cloud.lambda.grants.delete(grant);
  },
};

/** Of its name or ARN. */
const functionOf = (properties: Making['properties'], name: string): string =>
  text(properties, name).split(':').at(-1) ?? '';

const functionUrl: ResourceType = {
  properties: ['AuthType', 'TargetFunctionArn'],
  arn: ({ properties }) => functionArn(functionOf(properties, 'TargetFunctionArn')),
  rights: () => ({
    create: ['lambda:CreateFunctionUrlConfig', 'lambda:GetFunctionUrlConfig'],
    update: [],
    remove: ['lambda:DeleteFunctionUrlConfig'],
  }),
  make({ cloud, properties, logicalId }) {
    const functionName = functionOf(properties, 'TargetFunctionArn');
    const authType = properties.AuthType === 'AWS_IAM' ? 'AWS_IAM' : 'NONE';
    const id = logicalId.toLowerCase();
    cloud.functionUrls.set(id, { functionName, authType });
    const FunctionUrl = `https://${id}.lambda-url.${REGION}.on.aws/`;
    return madeAs(functionArn(functionName), { FunctionUrl, FunctionArn: functionArn(functionName) });
  },
  remove: ({ cloud, logicalId }) => void cloud.functionUrls.delete(logicalId.toLowerCase()),
};

const gateway = (path: string): string => `arn:aws:apigateway:${REGION}::${path}`;
const apiOf = ({ cloud, properties }: Making): HttpApi => {
  const api = cloud.httpApis.get(text(properties, 'ApiId'));
  if (!api) throw new Refusal(404, 'NotFoundException', `Invalid API identifier ${properties.ApiId}`);
  return api;
};
const gatewayRights = (collection: string, item = `${collection}/*`) => ({
  create: [['apigateway:POST', gateway(collection)] as const, ['apigateway:GET', gateway(item)] as const],
  update: [['apigateway:PATCH', gateway(item)] as const],
  remove: [['apigateway:DELETE', gateway(item)] as const],
});

const httpApi: ResourceType = {
  properties: ['Name', 'ProtocolType', 'DisableExecuteApiEndpoint'],
  arn: () => gateway('/apis'),
  rights: () => gatewayRights('/apis'),
  make({ cloud, stackName }, before) {
    const id = before?.ref ?? `${stackName.replace(/\W/g, '')}${cloud.httpApis.size}`;
    if (!before) cloud.httpApis.set(id, new HttpApi(id));
    return madeAs(id, { ApiEndpoint: `https://${id}.execute-api.${REGION}.amazonaws.com`, ApiId: id });
  },
  remove: ({ cloud }, { ref }) => void cloud.httpApis.delete(ref),
};

const LOG_DELIVERY: readonly string[] = ['CreateLogDelivery', 'GetLogDelivery', 'ListLogDeliveries'];

const stage: ResourceType = {
  properties: ['ApiId', 'StageName', 'AutoDeploy', 'DefaultRouteSettings', 'RouteSettings', 'AccessLogSettings'],
  arn: () => gateway('/apis/*/stages'),
  rights({ properties }) {
    const stages = gatewayRights(`/apis/${text(properties, 'ApiId')}/stages`);
    const logging = (...names: readonly string[]) => names.map((name) => [`logs:${name}`, '*'] as const);
    return {
      create: [...stages.create, ...logging(...LOG_DELIVERY, 'DescribeResourcePolicies', 'PutResourcePolicy')],
      update: [...stages.update, ...logging('UpdateLogDelivery')],
      remove: [...stages.remove, ...logging('DeleteLogDelivery')],
    };
  },
  make(making) {
    const { StageName, RouteSettings = {} } = making.properties;
    if (StageName !== '$default') throw new TemplateError(`a stage ${StageName} would be part of every path`);
    apiOf(making).requireRoutes(Object.keys(RouteSettings as object));
    return madeAs('$default');
  },
  remove: none,
};

const integration: ResourceType = {
  properties: ['ApiId', 'IntegrationType', 'IntegrationUri', 'PayloadFormatVersion', 'TimeoutInMillis'],
  arn: () => gateway('/apis/*/integrations'),
  rights: ({ properties }) => gatewayRights(`/apis/${text(properties, 'ApiId')}/integrations`),
  make(making) {
    const { properties, logicalId } = making;
    if (properties.PayloadFormatVersion !== '2.0') throw new TemplateError(`${logicalId}: format 2.0 is understood`);
    apiOf(making).integrations.set(logicalId, functionOf(properties, 'IntegrationUri'));
    return madeAs(logicalId);
  },
  remove: none,
};

const route: ResourceType = {
  properties: ['ApiId', 'RouteKey', 'Target', 'AuthorizationType'],
  arn: () => gateway('/apis/*/routes'),
  rights: ({ properties }) => gatewayRights(`/apis/${text(properties, 'ApiId')}/routes`),
  make(making) {
    const { properties, logicalId } = making;
    const api = apiOf(making);
    const functionName = api.integrations.get(text(properties, 'Target').replace('integrations/', ''));
    if (functionName === undefined) throw new TemplateError(`${logicalId}: there is no ${properties.Target}`);
    const authorization = properties.AuthorizationType === 'AWS_IAM' ? 'AWS_IAM' : 'NONE';
    api.routes.set(logicalId, { key: text(properties, 'RouteKey'), functionName, authorization });
    return madeAs(logicalId);
  },
  remove: (making) => void apiOf(making).routes.delete(making.logicalId),
};

const table: ResourceType = {
  properties: [
    'TableName',
    'AttributeDefinitions',
    'KeySchema',
    'BillingMode',
    'OnDemandThroughput',
    'SSESpecification',
    'DeletionProtectionEnabled',
    'PointInTimeRecoverySpecification',
  ],
  arn: ({ properties }) => regional('dynamodb', `table/${text(properties, 'TableName')}`),
  rights: () => ({
    create: [
      'dynamodb:CreateTable',
      'dynamodb:DescribeTable',
      'dynamodb:UpdateContinuousBackups',
      'dynamodb:DescribeContinuousBackups',
    ],
    update: ['dynamodb:UpdateTable'],
    remove: ['dynamodb:DeleteTable'],
  }),
  async make({ cloud, properties }, before) {
    const { TableName, AttributeDefinitions, KeySchema } = properties as never;
    const name = String(TableName);
    if (!before) {
      const command = new CreateTableCommand({
        TableName,
        AttributeDefinitions,
        KeySchema,
        BillingMode: 'PAY_PER_REQUEST',
      });
      await cloud.tables.send(command);
      await cloud.tables.send(new DescribeTableCommand({ TableName }));
    }
    if (properties.DeletionProtectionEnabled) cloud.protectedTables.add(name);
    else cloud.protectedTables.delete(name);
    return madeAs(name, { Arn: regional('dynamodb', `table/${name}`) });
  },
  async remove({ cloud }, { ref }) {
    if (cloud.protectedTables.has(ref)) throw new Refusal(400, 'ValidationException', `${ref} is protected`);
    await cloud.tables.send(new DeleteTableCommand({ TableName: ref }));
  },
};

const rule: ResourceType = {
  properties: ['ScheduleExpression', 'State', 'Targets'],
  arn: ({ stackName, logicalId }) => regional('events', `rule/${stackName}-${logicalId}`),
  rights: () => ({
    create: ['events:PutRule', 'events:DescribeRule', 'events:PutTargets'],
    update: ['events:PutRule', 'events:PutTargets'],
    remove: ['events:RemoveTargets', 'events:DeleteRule'],
  }),
  make(making) {
    const ruleArn = rule.arn(making);
    const targets = making.properties.Targets as { readonly Arn: string }[];
    for (const { Arn } of targets) making.cloud.schedules.set(making.logicalId, { ruleArn, functionArn: Arn });
    return madeAs(`${making.stackName}-${making.logicalId}`, { Arn: ruleArn });
  },
  remove: ({ cloud, logicalId }) => void cloud.schedules.delete(logicalId),
};

const alarm: ResourceType = {
  properties: [
    'AlarmDescription',
    'Namespace',
    'MetricName',
    'Metrics',
    'Dimensions',
    'Statistic',
    'Period',
    'EvaluationPeriods',
    'Threshold',
    'ComparisonOperator',
    'TreatMissingData',
    'AlarmActions',
    'OKActions',
  ],
  arn: ({ stackName, logicalId }) => regional('cloudwatch', `alarm:${stackName}-${logicalId}`),
  rights: () => ({
    create: ['cloudwatch:PutMetricAlarm', 'cloudwatch:DescribeAlarms'],
    update: ['cloudwatch:PutMetricAlarm'],
    remove: ['cloudwatch:DeleteAlarms'],
  }),
  make: (making) => madeAs(`${making.stackName}-${making.logicalId}`, { Arn: alarm.arn(making) }),
  remove: none,
};

const dashboard: ResourceType = {
  properties: ['DashboardName', 'DashboardBody'],
  arn: ({ properties }) => `arn:aws:cloudwatch::${ACCOUNT}:dashboard/${text(properties, 'DashboardName')}`,
  rights: () => ({
    create: ['cloudwatch:PutDashboard', 'cloudwatch:GetDashboard'],
    update: ['cloudwatch:PutDashboard'],
    remove: ['cloudwatch:DeleteDashboards'],
  }),
  make({ properties }) {
    JSON.parse(text(properties, 'DashboardBody'));
    return madeAs(text(properties, 'DashboardName'));
  },
  remove: none,
};

/** Those that templates may use; any other fails the deployment. */
export const RESOURCE_TYPES: Readonly<Record<string, ResourceType>> = {
  'AWS::ApiGatewayV2::Api': httpApi,
  'AWS::ApiGatewayV2::Integration': integration,
  'AWS::ApiGatewayV2::Route': route,
  'AWS::ApiGatewayV2::Stage': stage,
  'AWS::CloudWatch::Alarm': alarm,
  'AWS::CloudWatch::Dashboard': dashboard,
  'AWS::DynamoDB::Table': table,
  'AWS::Events::Rule': rule,
  'AWS::IAM::Role': role,
  'AWS::Lambda::Function': lambdaFunction,
  'AWS::Lambda::Permission': permission,
  'AWS::Lambda::Url': functionUrl,
  'AWS::Logs::LogGroup': logGroup,
  'AWS::S3::Bucket': bucket,
  'AWS::S3::BucketPolicy': bucketPolicy,
};
