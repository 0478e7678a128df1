import { mediaTypeOf } from './message.ts';

export const DNS_MESSAGE = 'application/dns-message';
export const DNS_JSON = 'application/dns-json';

/** How a client may be answered: octets (RFC 8484 section 6), or JSON for people. */
export type AnswerForm = typeof DNS_MESSAGE | typeof DNS_JSON;

const FORM_OF: ReadonlyMap<string, AnswerForm> = new Map([
  ['application/dns-message', DNS_MESSAGE],
  ['application/dns-json', DNS_JSON],
  ['application/json', DNS_JSON],
]);

const WILDCARDS = new Set(['*/*', 'application/*']);

function quality(range: string): number {
  const q = /;\s*q=([\d.]+)/i.exec(range)?.[1];
  return q === undefined ? 1 : Number(q);
}

/**
 * The form that `Accept` prefers (RFC 9110 section 12.5.1), `preferred` where it does not care, undefined when it
 * excludes both.
 */
export function answerForm(accept: string | undefined, preferred: AnswerForm): AnswerForm | undefined {
  // What nearly all clients send is not worth taking apart.
  if (accept === undefined || accept === '*/*' || accept === preferred || accept.trim() === '') return preferred;
  let best: { form: AnswerForm; q: number } | undefined;
  for (const range of accept.split(',')) {
    const type = mediaTypeOf(range);
    const form = FORM_OF.get(type) ?? (WILDCARDS.has(type) ? preferred : undefined);
    const q = quality(range);
    const better = !best || q > best.q || (q === best.q && form === preferred);
    if (form && q > 0 && better) best = { form, q };
  }
  return best?.form;
}
