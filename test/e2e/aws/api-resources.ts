import { REGION } from './account.ts';
import { functionOf } from './function-resources.ts';
import { HttpApi } from './http-api.ts';
import { Refusal } from './refusal.ts';
import { type Making, madeAs, none, type ResourceType, text } from './resource-type.ts';
import { TemplateError } from './template.ts';

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

export const httpApi: ResourceType = {
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

export const stage: ResourceType = {
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

export const integration: ResourceType = {
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

export const route: ResourceType = {
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
