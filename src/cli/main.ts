import { Command } from 'commander';
import { applyCommand } from './apply.ts';
import { deleteCommand } from './delete.ts';
import { fsckCommand } from './fsck.ts';
import { getCommand } from './get.ts';
import { packageVersion } from './package-root.ts';
import { resolveCommand } from './resolve.ts';
import { serveCommand } from './serve.ts';
import { startCommand } from './start.ts';
import { vipsCommand } from './vips.ts';

function program(): Command {
  return new Command('meshdoh')
    .description('ServiceEntry names and stable virtual IPs for machines outside Kubernetes, over DNS-over-HTTPS.')
    .version(packageVersion)
    .showHelpAfterError('(--help shows what there is)')
    .addCommand(startCommand())
    .addCommand(serveCommand())
    .addCommand(applyCommand())
    .addCommand(getCommand())
    .addCommand(deleteCommand())
    .addCommand(resolveCommand())
    .addCommand(vipsCommand())
    .addCommand(fsckCommand());
}

/** Runs one command. Faults end it with exit code 1 and a sentence on stderr, never a stack. */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    await program().parseAsync(argv);
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
}
