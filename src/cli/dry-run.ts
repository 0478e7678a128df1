import { Option } from 'commander';

/** Who judges a write that is not to happen: nobody (it happens), this command, or the server. */
export type DryRun = 'none' | 'client' | 'server';

export const dryRunOption = (): Option =>
  new Option('--dry-run <who>', 'change nothing: judged by the client, or by the server')
    .choices(['none', 'client', 'server'])
    .default('none');

export const DRY_RUN_SUFFIX: Readonly<Record<DryRun, string>> = {
  none: '',
  client: ' (dry run)',
  server: ' (server dry run)',
};
