import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { ADMIN_TIMEOUT_MS } from './admin-client.ts';
import { addConnectionOptions, type ConnectionOptions, findConnection } from './connection.ts';
import { reporting } from './failure.ts';
import { haproxyConfiguration } from './haproxy-configuration.ts';
import { type Io, processIo } from './io.ts';
import { namespaceTable } from './namespace-table.ts';
import { withOperationsClient } from './operations-client.ts';
import { DEFAULT_NAMESPACE } from './target.ts';
import { verb } from './verb.ts';

interface ExportOptions extends ConnectionOptions {
  readonly namespace: string;
  readonly resolver: readonly string[];
}

function resolverAddress(value: string, earlier: readonly string[]): readonly string[] {
  const url = URL.parse(`dns://${value}`);
  if (url === null || url.hostname === '' || url.pathname !== '') {
    throw new InvalidArgumentError('expected ADDRESS or ADDRESS:PORT, such as 10.0.0.2:53.');
  }
  return [...earlier, `${url.hostname}:${url.port || '53'}`];
}

async function exportHaproxy({ namespace, resolver, ...options }: ExportOptions, io: Io): Promise<void> {
  await withOperationsClient(await findConnection(options, io), async (client) => {
    const table = await namespaceTable(client, namespace);
    const { text, omitted } = haproxyConfiguration(table, { resolvers: resolver });
    io.stdout.write(text);
    for (const line of omitted) io.stderr.write(`left out: ${line}\n`);
  });
}

const EXAMPLES = `
Examples:
  meshdoh export haproxy --resolver 10.0.0.2 >haproxy.cfg
  haproxy -c -f haproxy.cfg`;

export function exportCommand(io: Io = processIo()): Command {
  const haproxy = verb('haproxy', io)
    .summary('a configuration of HAProxy with the listeners of the virtual IPs')
    .description(
      'Prints a configuration of HAProxy that carries the virtual IPs as a namespace sees them, for hosts whose own proxy does that.',
    )
    .option('-n, --namespace <name>', 'as clients of this namespace see it', DEFAULT_NAMESPACE)
    .option('--resolver <address>', 'who resolves endpoint names, and is not meshdoh (repeatable)', resolverAddress, [])
    .action(reporting(io, (options: ExportOptions) => exportHaproxy(options, io)));
  return verb('export', io)
    .summary('print the virtual IPs for another program')
    .addCommand(addConnectionOptions(haproxy, ADMIN_TIMEOUT_MS).addHelpText('after', EXAMPLES));
}
