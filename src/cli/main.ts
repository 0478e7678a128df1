import { Command } from 'commander';
import { packageVersion } from './package-root.ts';
import { serveCommand } from './serve.ts';
import { startCommand } from './start.ts';

function program(): Command {
  return new Command('meshdoh')
    .description('ServiceEntry names and stable virtual IPs for machines outside Kubernetes, over DNS-over-HTTPS.')
    .version(packageVersion)
    .showHelpAfterError('(--help shows what there is)')
    .addCommand(startCommand())
    .addCommand(serveCommand());
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
