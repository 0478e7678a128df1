import { type Check, type Finding, problem, warning } from './finding.ts';

/** Beyond it certificates and signed requests begin to fail. */
const MAX_SKEW_SECONDS = 60;

export const clock: Check = function* ({ clock: { skewMs = 0, synchronised } }) {
  const ahead = Math.round(skewMs / 1000);
  const seconds = Math.abs(ahead);
  if (seconds > MAX_SKEW_SECONDS) {
    yield problem(
      'clock-wrong',
      `the clock of this host is ${seconds} s ${ahead > 0 ? 'ahead of' : 'behind'} the endpoint's: certificates look expired or not yet valid`,
      'set the clock: enable chrony or systemd-timesyncd, and give it an NTP server by address',
    );
  } else if (synchronised === false) {
    yield warning(
      'clock-unsynchronised',
      'nobody keeps the clock of this host right: one day certificates will look expired',
      'enable chrony or systemd-timesyncd ("timedatectl set-ntp true")',
    );
  }
};

const CERTIFICATE_CODES = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ALTNAME|ERR_TLS/;
const NAME_CODES = /^(ENOTFOUND|EAI_(AGAIN|FAIL|NODATA))$/;

export const endpoints: Check = function* ({ settings, endpoints }) {
  if (settings.endpoints.length === 0) {
    const remedy = 'add "endpoint = https://…/dns-query" to the settings file';
    yield problem('endpoint-missing', "no endpoint is set: only the system's resolvers are asked", remedy);
  }
  for (const { url, outcome } of endpoints) {
    if (outcome.kind === 'notDns') {
      const remedy = 'look whether its path is right: most end in /dns-query';
      yield problem('endpoint-not-doh', `${url} answers, but not with DNS`, remedy);
    } else if (outcome.kind === 'status') yield endpointStatus(url, outcome.status);
    else if (outcome.kind === 'unreachable') yield unreachable(url, outcome.code, outcome.message);
  }
};

function endpointStatus(url: string, status: number): Finding {
  const what = `${url} answers ${status}`;
  if ([401, 403, 404].includes(status)) {
    return problem(
      'endpoint-unauthorised',
      `${what}: it does not know our credential, or has nothing at that path`,
      'make a token with "meshdoh token create --for vm", write it to the file of "token-file" (mode 0600, owned by the shim\'s user), and look at the path of "endpoint"',
    );
  }
  const remedy = status === 429 ? 'raise its rate limit, or ask it less' : 'look at the log of the endpoint';
  return problem('endpoint-failing', what, remedy);
}

function unreachable(url: string, code: string, message: string): Finding {
  if (CERTIFICATE_CODES.test(code)) {
    const remedy = 'renew its certificate, correct the clock of this host, or name its authority with "ca-file"';
    return problem('endpoint-certificate', `the certificate of ${url} is not accepted: ${message}`, remedy);
  }
  if (NAME_CODES.test(code)) {
    const remedy = 'give its addresses with "bootstrap": then no resolver is needed to reach it';
    return problem('endpoint-name', `the host of ${url} does not resolve`, remedy);
  }
  const remedy =
    'let this host connect to it: look at routes, security groups and firewalls (TCP, the port of the URL)';
  return problem('endpoint-unreachable', `${url} cannot be reached: ${message}`, remedy);
}
