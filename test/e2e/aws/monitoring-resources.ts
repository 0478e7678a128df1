import { ACCOUNT } from './account.ts';
import { madeAs, none, type ResourceType, regional, text } from './resource-type.ts';

export const logGroup: ResourceType = {
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

export const rule: ResourceType = {
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

export const alarm: ResourceType = {
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

export const dashboard: ResourceType = {
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
