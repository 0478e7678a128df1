import { Argument, type Command } from 'commander';
import type { ServiceEntry } from '../serviceentry/service-entry.ts';
import { type AdminClient, withAdminClient } from './admin-client.ts';
import { findConnection } from './connection.ts';
import { type Io, processIo } from './io.ts';
import { readNamespace } from './resource-names.ts';
import { type NameSource, suggestionsFor } from './suggestions.ts';
import { verb } from './verb.ts';

/** Whoever presses a key does not wait longer. */
const TIMEOUT_MS = 1_000;

type Shell = 'bash' | 'zsh' | 'fish';

/** Each asks the command itself, so that what is offered is what this version takes and this server holds. */
const SCRIPTS: Readonly<Record<Shell, (files: readonly string[]) => string>> = {
  bash: () => `# meshdoh completion for bash: source <(meshdoh completion bash)
_meshdoh() {
  local IFS=$'\\n'
  COMPREPLY=($("$1" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _meshdoh meshdoh
`,
  zsh: () => `#compdef meshdoh
# meshdoh completion for zsh: source <(meshdoh completion zsh), after compinit
_meshdoh() {
  local -a found
  found=(\${(f)"$(meshdoh __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( \${#found} )); then compadd -a found; else _files; fi
}
compdef _meshdoh meshdoh
`,
  fish: (files) => `# meshdoh completion for fish: meshdoh completion fish | source
function __meshdoh_complete
  set -l typed (commandline -opc)
  set -l current (commandline -ct)
  meshdoh __complete -- $typed[2..-1] "$current" 2>/dev/null
end
complete -c meshdoh -f -a '(__meshdoh_complete)'
${files.map((file) => `complete -c meshdoh -l ${file} -r -F\n`).join('')}`,
};

/** Long options anywhere that take a file. */
function fileOptions(command: Command): string[] {
  const own = command.options.flatMap(({ long, flags }) =>
    long && /<(file|folder)/.test(flags) ? [long.slice(2)] : [],
  );
  return [...new Set([...own, ...command.commands.flatMap(fileOptions)])].sort();
}

function namesFrom(io: Io): NameSource {
  const silent: Io = { ...io, stderr: { write: () => undefined } };
  type Options = Readonly<Record<string, string>>;
  async function ask<T>(options: Options, what: (client: AdminClient) => Promise<readonly T[]>): Promise<readonly T[]> {
    let found: readonly T[] = [];
    const connection = await findConnection({ ...options, requestTimeout: TIMEOUT_MS }, silent);
    await withAdminClient(connection, async (client) => {
      found = await what(client);
    });
    return found;
  }
  const entries = (options: Options): Promise<readonly ServiceEntry[]> =>
    ask(options, (client) => client.list(options.allNamespaces ? undefined : readNamespace(options.namespace)));
  const everywhere = (options: Options) => ask(options, (client) => client.list(undefined));
  // Where there is no server, or none that answers, there is nothing to offer.
  const orNone = (names: Promise<readonly string[]>) => names.catch(() => []);
  return {
    entries: (options) => orNone(entries(options).then((found) => found.map(({ metadata }) => metadata.name))),
    hosts: (options) =>
      orNone(
        everywhere(options).then((all) => all.flatMap(({ spec }) => spec.hosts.filter((host) => !/\*/.test(host)))),
      ),
    namespaces: (options) => orNone(everywhere(options).then((all) => all.map(({ metadata }) => metadata.namespace))),
  };
}

const EXAMPLES = `
Examples:
  source <(meshdoh completion bash)
  meshdoh completion zsh > "\${fpath[1]}/_meshdoh"
  meshdoh completion fish > ~/.config/fish/completions/meshdoh.fish`;

export function completionCommand(io: Io = processIo()): Command {
  const command: Command = verb('completion', io)
    .summary('print a script that completes words in a shell')
    .description('Prints a script that completes verbs, options, and names of entries and hosts of the server in use.')
    .addArgument(new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']))
    .action((shell: Shell) => {
      io.stdout.write(SCRIPTS[shell](command.parent ? fileOptions(command.parent) : []));
    });
  return command.addHelpText('after', EXAMPLES);
}

/** What the scripts ask. */
export function completeCommand(io: Io = processIo()): Command {
  const command: Command = verb('__complete', io)
    .argument('[words...]', 'what is typed, up to the cursor')
    .action(async (words: string[]) => {
      if (!command.parent) return;
      const found = await suggestionsFor(command.parent, words, namesFrom(io));
      io.stdout.write(found.map((word) => `${word}\n`).join(''));
    });
  return command;
}
