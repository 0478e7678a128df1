import { httpApi, integration, route, stage } from './api-resources.ts';
import { functionUrl, lambdaFunction, permission, role } from './function-resources.ts';
import { alarm, dashboard, logGroup, rule } from './monitoring-resources.ts';
import type { ResourceType } from './resource-type.ts';
import { bucket, bucketPolicy, table } from './storage-resources.ts';

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
