import { type Command, Option } from 'commander';
import { parseType, Rcode, rcodeName, typeName } from '../dns/constants.ts';
import { type DecodedMessage, decodeMessage } from '../dns/message.ts';
import { parseName } from '../dns/name.ts';
import { decodeQuery, encodeQuery, type Question } from '../dns/query.ts';
import { sameQuestion } from '../dns/walk.ts';
import { DNS_MESSAGE } from '../http/accept.ts';
import { jsonAnswer } from '../http/json-answer.ts';
import { mediaTypeOf } from '../http/message.ts';
import { addConnectionOptions, type Connection, type ConnectionOptions, findConnection } from './connection.ts';
import { CommandFailure, reportFailure, reporting } from './failure.ts';
import { type HttpReply, openHttpClient } from './http-client.ts';
import { type Io, processIo } from './io.ts';
import { formatValue } from './object-output.ts';
import { printable } from './printable.ts';
import { extendedErrorText, messageTrace, replyTrace, requestTrace } from './resolve-trace.ts';
import { verb } from './verb.ts';

interface ResolveOptions extends ConnectionOptions {
  readonly trace?: boolean;
  readonly json?: boolean;
  readonly output?: 'json' | 'yaml';
  readonly vips?: '0' | '1';
}

const RESOLVE_TIMEOUT_MS = 5_000;
/** What fits through any path without fragments (RFC 9715 section 3); over HTTP it only says that there is EDNS. */
const UDP_SIZE = 1232;

function readQuestion(nameText: string, typeText: string): Question & { readonly message: Buffer } {
  const qname = parseName(nameText);
  if (!qname) throw new CommandFailure(`${JSON.stringify(nameText)} is not a domain name`);
  const qtype = parseType(typeText);
  if (qtype === undefined) {
    throw new CommandFailure(
      `${JSON.stringify(typeText)} is not a record type: it takes a name (A, AAAA, SRV, PTR, …), a number or TYPE123`,
    );
  }
  const message = encodeQuery({ qname, qtype, edns: { udpSize: UDP_SIZE } });
  const decoded = decodeQuery(message);
  if (!decoded.ok || !decoded.query.question) throw new CommandFailure(`${typeName(qtype)} cannot be asked for`);
  return { ...decoded.query.question, message };
}

function remedyFor(status: number, { credential }: Connection): string {
  if (status !== 401) return '';
  return credential
    ? `: the token of ${credential.origin} is not accepted`
    : ': name the file of a token with --token-file or MESHDOH_TOKEN_FILE';
}

/** The DNS message in the reply, or why there is none (RFC 8484 section 4.2.1). */
function readReply(reply: HttpReply, question: Question, connection: Connection): DecodedMessage {
  const { status, headers, body } = reply;
  const type = mediaTypeOf(headers['content-type'] ?? '');
  const fail = (what: string) => new CommandFailure(`${connection.url.href} answers ${what}`);
  if (status !== 200) {
    const said = type === 'text/plain' ? `: ${body.toString('utf8').split('\n', 1)[0]?.slice(0, 200)}` : '';
    throw fail(`HTTP ${status}${said}${remedyFor(status, connection)}`);
  }
  if (type !== DNS_MESSAGE) throw fail(`with ${type || 'no media type'}, not ${DNS_MESSAGE}: is it a meshdoh server?`);
  const message = decodeMessage(body);
  if (!message) throw fail('with a malformed DNS message');
  if (!sameQuestion(body, question)) throw fail('another question than was asked');
  return message;
}

/** Tells on stderr why there are no records; a name without records of the type is no failure. */
function reportAbsence({ rcode, answers, edns }: DecodedMessage, { qname, qtype }: Question, io: Io): void {
  const errors = (edns?.ede ?? []).map((error) => `\n${extendedErrorText(error)}`).join('');
  if (rcode !== Rcode.noError) reportFailure(io, `${qname}: ${rcodeName(rcode)}${errors}`);
  else if (answers.length === 0)
    io.stderr.write(printable(`${qname}: NODATA: no ${typeName(qtype)} record${errors}\n`));
}

function printShort({ rcode, answers }: DecodedMessage, io: Io): void {
  if (rcode === Rcode.noError) io.stdout.write(answers.map(({ data }) => `${data}\n`).join(''));
}

async function resolve(nameText: string, typeText: string, options: ResolveOptions, io: Io): Promise<void> {
  const question = readQuestion(nameText, typeText);
  const connection = await findConnection(options, io);
  const trace = (lines: readonly string[]) => {
    if (options.trace) io.stdout.write(lines.map((line) => `${printable(line)}\n`).join(''));
  };
  const target = `${connection.signer ? '/iam' : ''}/dns-query${options.vips === undefined ? '' : `?vips=${options.vips}`}`;
  const headers = { 'content-type': DNS_MESSAGE, accept: DNS_MESSAGE };
  trace(requestTrace(connection, target, question.message.length));
  const http = openHttpClient(connection);
  try {
    const reply = await http.call({ method: 'POST', target, headers, body: question.message });
    trace(replyTrace(reply));
    const message = readReply(reply, question, connection);
    trace(messageTrace(message));
    const output = options.json ? 'json' : options.output;
    if (output !== undefined) io.stdout.write(formatValue(jsonAnswer(reply.body), output));
    else if (!options.trace) printShort(message, io);
    reportAbsence(message, question, io);
  } finally {
    http.close();
  }
}

const EXAMPLES = `
Examples:
  meshdoh resolve auto.internal
  meshdoh resolve auto.internal AAAA --trace
  meshdoh resolve _http._tcp.auto.internal SRV --json`;

export function resolveCommand(io: Io = processIo()): Command {
  const command = verb('resolve', io)
    .summary('ask for a name over DNS-over-HTTPS')
    .description('Asks the server for a name over DNS-over-HTTPS, and prints what the records hold, one to a line.')
    .argument('<name>', 'the domain name')
    .argument('[type]', 'the record type: a name, a number or TYPE123', 'A')
    .option('--trace', 'print every step, and all of the answer')
    .addOption(new Option('--json', 'the same as -o json').conflicts(['trace', 'output']))
    .addOption(
      new Option('-o, --output <format>', 'print all of the answer').choices(['json', 'yaml']).conflicts('trace'),
    )
    .addOption(new Option('--vips <0|1>', 'whether virtual IPs are wanted; 0 leaves them out').choices(['0', '1']))
    .action(reporting(io, (name: string, type: string, options: ResolveOptions) => resolve(name, type, options, io)));
  return addConnectionOptions(command, RESOLVE_TIMEOUT_MS).addHelpText('after', EXAMPLES);
}
