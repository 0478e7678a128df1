const LABEL = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/i;
const DIGITS = /^[0-9]+$/;

/** RFC 1035 2.3.4 allows 255 octets of wire: two more than the text without its trailing dot. */
const MAX_DNS_CHARACTERS = 253;

/** A DNS-1123 label, upper case allowed as in Istio. */
export const isLabel = (text: string): boolean => text.length <= 63 && LABEL.test(text);

const isFirstLabel = (text: string): boolean =>
  text === '*' || (text.length <= 63 && isLabel(text.replace(/^\*-?/, '')));

function labelsOf(domain: string): string[] {
  const labels = domain.split('.');
  if (labels.length > 1 && labels.at(-1) === '') labels.pop();
  return labels;
}

function lengthProblem(domain: string): string | undefined {
  if (domain === '') return 'must not be empty';
  return domain.length > 255 ? 'must be no more than 255 characters' : undefined;
}

/** Why `host` is no host of a ServiceEntry; undefined when it is one. */
export function hostProblem(host: string): string | undefined {
  const problem = lengthProblem(host);
  if (problem) return problem;
  const [first = '', ...rest] = labelsOf(host);
  if (first === '*' && rest.length === 0) return 'must not be the full wildcard';
  if (!isFirstLabel(first)) return `label "${first}" must be a DNS-1123 label, "*", or such a label after "*" or "*-"`;
  const wrong = rest.find((label) => !isLabel(label));
  if (wrong !== undefined) return `label "${wrong}" must be a DNS-1123 label (letters, digits and inner hyphens)`;
  return DIGITS.test(rest.at(-1) ?? '') ? 'the last label must not be all digits' : undefined;
}

/** A plain name: no wildcard, no address. */
export function isFqdn(name: string): boolean {
  if (lengthProblem(name)) return false;
  const labels = labelsOf(name);
  return labels.every(isLabel) && !DIGITS.test(labels.at(-1) ?? '');
}

/** Lower case, no trailing dot; of a valid host. */
export const canonicalHost = (host: string): string => host.toLowerCase().replace(/\.$/, '');

export const isWildcard = (host: string): boolean => host.startsWith('*');

/** `*foo.com`: for Istio a wildcard, but DNS knows only whole labels (RFC 4592 2.1.1). */
export const isPartialWildcard = (host: string): boolean => host.startsWith('*') && !host.startsWith('*.');

/** Whether some question can match the (canonical) host at all. */
export const isAskable = (host: string): boolean => host.length <= MAX_DNS_CHARACTERS && !isPartialWildcard(host);
