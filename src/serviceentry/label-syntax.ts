const NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const PREFIX_LABEL = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;

const isName = (text: string): boolean => text.length <= 63 && NAME.test(text);

const isPrefix = (text: string): boolean =>
  text.length <= 253 && text.split('.').every((label) => PREFIX_LABEL.test(label));

/** Why `key` is no Kubernetes label or annotation key (`name` or `prefix/name`); undefined when it is one. */
export function keyProblem(key: string): string | undefined {
  const parts = key.split('/');
  if (parts.length > 2) return 'a key has at most one slash';
  const [name = '', prefix] = parts.reverse();
  if (prefix !== undefined && !isPrefix(prefix)) return 'the part before the slash must be a lower case DNS subdomain';
  if (isName(name)) return undefined;
  return 'a key must be 1 to 63 letters, digits, "-", "_" or ".", with a letter or digit at both ends';
}

/** Why `value` is no Kubernetes label value; undefined when it is one. */
export const labelValueProblem = (value: string): string | undefined =>
  value === '' || isName(value)
    ? undefined
    : 'a label value must be at most 63 letters, digits, "-", "_" or ".", with a letter or digit at both ends';
