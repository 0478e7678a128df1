import { type Finding, problem, warning, when } from './finding.ts';
import type { EndpointFacts, HostFacts } from './host-facts.ts';

/** Beyond it certificates and signed requests begin to fail. */
const MAX_SKEW_MS = 60_000;

export function clock({ clock: { skewMs, synchronised } }: HostFacts): readonly Finding[] {
  const seconds = Math.round(Math.abs(skewMs ?? 0) / 1000);
  if (seconds * 1000 > MAX_SKEW_MS) {
    const direction = (skewMs ?? 0) > 0 ? 'ahead of' : 'behind';
    return [
      problem(
        'clock-wrong',
        `the clock of this host is ${seconds} s ${direction} the endpoint's: certificates look expired or not yet valid`,
        'set the clock: enable chrony or systemd-timesyncd, and give it an NTP server by address',
      ),
    ];
  }
  return when(synchronised === false, () =>
    warning(
      'clock-unsynchronised',
      'nobody keeps the clock of this host right: one day certificates will look expired',
      'enable chrony or systemd-timesyncd ("timedatectl set-ntp true")',
    ),
  );
}

const CERTIFICATE_CODES = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ALTNAME|ERR_TLS/;
const NAME_CODES: ReadonlySet<string> = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA']);

export function endpoints(facts: HostFacts): readonly Finding[] {
  if (facts.settings.endpoints.length === 0) {
    const remedy = 'add "endpoint = https://…/dns-query" to the settings file';
    return [problem('endpoint-missing', "no endpoint is set: only the system's resolvers are asked", remedy)];
  }
  return facts.endpoints.flatMap(endpoint);
}

function endpoint({ url, outcome }: EndpointFacts): readonly Finding[] {
  switch (outcome.kind) {
    case 'answered':
      return [];
    case 'notDns':
      return [
        problem(
          'endpoint-not-doh',
          `${url} answers, but not with DNS`,
          'look whether its path is right: most end in /dns-query',
        ),
      ];
    case 'status':
      return [endpointStatus(url, outcome.status)];
    case 'unreachable':
      return [unreachable(url, outcome.code, outcome.message)];
  }
}

function endpointStatus(url: string, status: number): Finding {
  if ([401, 403, 404].includes(status)) {
    return problem(
      'endpoint-unauthorised',
      `${url} answers ${status}: it does not know our credential, or has nothing at that path`,
      'make a token with "meshdoh token create --for vm", write it to the file of "token-file" (mode 0600, owned by the shim\'s user), and look at the path of "endpoint"',
    );
  }
  return problem(
    'endpoint-failing',
    `${url} answers ${status}`,
    status === 429 ? 'raise its rate limit, or ask it less' : 'look at the log of the endpoint',
  );
}

function unreachable(url: string, code: string, message: string): Finding {
  if (CERTIFICATE_CODES.test(code)) {
    const remedy = 'renew its certificate, correct the clock of this host, or name its authority with "ca-file"';
    return problem('endpoint-certificate', `the certificate of ${url} is not accepted: ${message}`, remedy);
  }
  if (NAME_CODES.has(code)) {
    const remedy = 'give its addresses with "bootstrap": then no resolver is needed to reach it';
    return problem('endpoint-name', `the host of ${url} does not resolve`, remedy);
  }
  const remedy =
    'let this host connect to it: look at routes, security groups and firewalls (TCP, the port of the URL)';
  return problem('endpoint-unreachable', `${url} cannot be reached: ${message}`, remedy);
}
