import { Command, CommanderError } from 'commander';
import { applyCommand } from './apply.ts';
import { completeCommand, completionCommand } from './completion.ts';
import { deleteCommand } from './delete.ts';
import { describeCommand } from './describe.ts';
import { DIFF_FAILED, diffCommand } from './diff.ts';
import { explainCommand } from './explain.ts';
import { exportCommand } from './export.ts';
import { fsckCommand } from './fsck.ts';
import { getCommand } from './get.ts';
import { kubeconfigCommand } from './kubeconfig.ts';
import { listenersCommand } from './listeners.ts';
import { packageVersion } from './package-root.ts';
import { principalCommand } from './principal.ts';
import { proxyCommand } from './proxy.ts';
import { resolveCommand } from './resolve.ts';
import { serveCommand } from './serve.ts';
import { startCommand } from './start.ts';
import { tokenCommand } from './token.ts';
import { vipsCommand } from './vips.ts';

/** Every verb. */
export function program(): Command {
  return new Command('meshdoh')
    .description('ServiceEntry names and stable virtual IPs for machines outside Kubernetes, over DNS-over-HTTPS.')
    .version(packageVersion)
    .showHelpAfterError('(--help shows what there is)')
    .addCommand(startCommand())
    .addCommand(serveCommand())
    .addCommand(applyCommand())
    .addCommand(diffCommand())
    .addCommand(getCommand())
    .addCommand(describeCommand())
    .addCommand(deleteCommand())
    .addCommand(resolveCommand())
    .addCommand(explainCommand())
    .addCommand(listenersCommand())
    .addCommand(exportCommand())
    .addCommand(tokenCommand())
    .addCommand(principalCommand())
    .addCommand(vipsCommand())
    .addCommand(fsckCommand())
    .addCommand(kubeconfigCommand())
    .addCommand(proxyCommand())
    .addCommand(completionCommand())
    .addCommand(completeCommand(), { hidden: true })
    .addHelpText('after', MORE_HELP);
}

const MORE_HELP = `
A command finds its server by --server, MESHDOH_SERVER, or the "meshdoh start" or "serve" of this folder.
Exit code 0: done; 1: something failed, or was refused, or the words were not understood (diff: 2, as 1 says "different").

Examples:
  meshdoh start
  meshdoh apply -f external-auto.yaml
  meshdoh resolve auto.internal
  source <(meshdoh completion bash)`;

/** What a command that does not understand its words has said so far is all there is to say. */
function throwInsteadOfExit(command: Command): Command {
  command.exitOverride();
  for (const below of command.commands) throwInsteadOfExit(below);
  return command;
}

/** Runs one command. Faults end it with exit code 1 (diff: 2) and a sentence on stderr, never a stack. */
export async function main(argv: readonly string[]): Promise<void> {
  const failed = argv[2] === 'diff' ? DIFF_FAILED : 1;
  try {
    await throwInsteadOfExit(program()).parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : failed;
      return;
    }
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(failed);
  }
}
