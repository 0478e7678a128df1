import { parseType, RRType } from '../dns/constants.ts';
import { parseName } from '../dns/name.ts';
import { encodeQuery } from '../dns/query.ts';
import { type AnswerForm, answerForm, DNS_JSON, DNS_MESSAGE } from './accept.ts';
import type { DohParameters } from './doh-target.ts';
import { type HttpRequest, type HttpResponse, mediaTypeOf, textResponse } from './message.ts';

/** Octets of a DNS message that a request may carry: queries are short. */
export const MAX_QUERY_OCTETS = 4096;
const MAX_DNS_PARAMETER = Math.ceil((MAX_QUERY_OCTETS * 4) / 3);

export interface DohQuery {
  readonly wire: Uint8Array;
  readonly form: AnswerForm;
}

const badRequest = (reason: string): HttpResponse => textResponse(400, reason);

const isResponse = (value: object): value is HttpResponse => 'status' in value;

/** RFC 4648 section 5 without padding, which is tolerated. */
function decodeBase64url(text: string): Uint8Array | undefined {
  if (!/^[\w-]+={0,2}$/.test(text)) return undefined;
  const digits = text.endsWith('=') ? text.indexOf('=') : text.length;
  return digits % 4 === 1 ? undefined : Buffer.from(text, 'base64url');
}

function wireOfGet(values: readonly string[]): Uint8Array | HttpResponse {
  const [value] = values;
  if (values.length > 1) return badRequest('more than one "dns" parameter');
  if (value === undefined || value === '')
    return badRequest('the "dns" parameter is missing: GET /dns-query?dns=<base64url of a DNS query>');
  if (value.length > MAX_DNS_PARAMETER)
    return textResponse(414, `"dns" is longer than a query of ${MAX_QUERY_OCTETS} octets`);
  return decodeBase64url(value) ?? badRequest('"dns" is not base64url (RFC 4648 section 5)');
}

/** The JSON form's question: `name`, and `type` by name or number. */
function wireOfName({ name, type = 'A', cd, do: dnssecOk }: NonNullable<DohParameters['named']>) {
  const qname = parseName(name);
  if (!qname) return badRequest(`"name" is not a domain name: ${JSON.stringify(name.slice(0, 300))}`);
  const qtype = parseType(type);
  if (qtype === undefined) return badRequest(`"type" is not a record type: ${JSON.stringify(type.slice(0, 30))}`);
  if (qtype === RRType.OPT) return badRequest('"type" OPT cannot be asked for');
  return encodeQuery({ qname, qtype, cd, edns: { udpSize: 1232, do: dnssecOk } });
}

/** A value that any adapter's POST carries: the media type is checked before the size, the size before the octets. */
function wireOfPost(request: HttpRequest): Uint8Array | HttpResponse {
  if (mediaTypeOf(request.header('content-type') ?? '') !== DNS_MESSAGE) {
    return textResponse(415, `POST takes ${DNS_MESSAGE}`);
  }
  if (request.body.length > MAX_QUERY_OCTETS) return textResponse(413, `the query is over ${MAX_QUERY_OCTETS} octets`);
  return request.body;
}

/** The query that a GET, HEAD or POST carries and the form its answer takes, or the refusal (RFC 8484 section 4.1). */
export function readDohRequest(request: HttpRequest, parameters: DohParameters): DohQuery | HttpResponse {
  const isPost = request.method === 'POST';
  const named = isPost ? undefined : parameters.named;
  if (named && parameters.dns.length > 0) return badRequest('"dns" and "name" exclude each other');
  const form = answerForm(request.header('accept'), named ? DNS_JSON : DNS_MESSAGE);
  if (!form) return textResponse(406, `this endpoint answers ${DNS_MESSAGE} or ${DNS_JSON}`);
  const wire = isPost ? wireOfPost(request) : named ? wireOfName(named) : wireOfGet(parameters.dns);
  return isResponse(wire) ? wire : { wire, form: named ? DNS_JSON : form };
}
