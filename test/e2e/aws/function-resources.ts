import { ACCOUNT, REGION } from './account.ts';
import { type FunctionConfig, functionArn, type Grant } from './lambda.ts';
import type { PolicyDocument } from './policy.ts';
import { type Making, madeAs, type ResourceType, type Right, text } from './resource-type.ts';

const roleName = ({ stackName, logicalId }: Making): string => `${stackName}-${REGION}-${logicalId}`;

export const role: ResourceType = {
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

export const lambdaFunction: ResourceType = {
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

export const permission: ResourceType = {
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
export const functionOf = (properties: Making['properties'], name: string): string =>
  text(properties, name).split(':').at(-1) ?? '';

export const functionUrl: ResourceType = {
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
