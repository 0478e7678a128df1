import { Command } from 'commander';
import type { Io } from './io.ts';

/** A verb of the meshdoh command, which speaks through `io` alone. */
export const verb = (name: string, io: Io): Command =>
  new Command(name)
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
    .showHelpAfterError(`(meshdoh ${name} --help shows what there is)`);
