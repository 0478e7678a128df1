import { iamAdministrator } from '../src/http/iam-credentials.ts';
import { signedAppHandler } from '../src/http/lambda-adapter.ts';
import { openAdminTable } from '../src/registry/dynamodb-client.ts';
import { createAdminSide } from '../src/service/admin-side.ts';
import { deployedSettings } from '../src/settings/deployed-settings.ts';

const settings = deployedSettings(process.env);

const { app } = await createAdminSide(openAdminTable(settings.store), settings, {
  credentials: iamAdministrator,
  // An answer leaves the function as a whole, before its own time ends.
  watchLimitMs: 10_000,
  // biome-ignore lint/suspicious/noConsole: the runtime turns it into a log record.
  report: (error) => console.error(error),
});

export const handler = signedAppHandler(app);
