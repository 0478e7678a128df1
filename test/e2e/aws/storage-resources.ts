import {
  CreateTableCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  ResourceInUseException,
} from '@aws-sdk/client-dynamodb';
import { Refusal } from './refusal.ts';
import { type Making, madeAs, none, type ResourceType, regional, text } from './resource-type.ts';

const bucketName = ({ properties, stackName, logicalId }: Making): string =>
  text(properties, 'BucketName') || `${stackName}-${logicalId.toLowerCase()}-1a2b3c4d5e6f`;

export const bucket: ResourceType = {
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

export const bucketPolicy: ResourceType = {
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

export const table: ResourceType = {
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
      await cloud.tables.send(command).catch((error: unknown) => {
        if (!(error instanceof ResourceInUseException)) throw error;
        throw new Refusal(400, 'AlreadyExists', `AWS::DynamoDB::Table with identifier '${name}' already exists`);
      });
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
