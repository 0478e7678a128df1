import { loopingOnceStarted, loopReason } from '../capture/loop.ts';
import { originalResolversPath, readOriginalResolvers } from '../capture/original-resolvers.ts';
import { HOST_STATE_DIR, ResolverFiles } from '../capture/resolver-files.ts';
import { type Command, type CommandIo, failed, printed } from '../command.ts';
import type { ShimSettings } from '../settings.ts';
import { collectInstallFacts, type InstallHost, thisHost } from './facts.ts';
import { ownerRecorded, readJournal, recorded, writeJournal } from './journal.ts';
import { type InstallPlan, planInstall } from './plan.ts';
import { RESOLVER_PATH_UNIT, RESOLVER_UNIT, UNIT } from './unit.ts';

export const install: Command = (settings, io) => installOn(thisHost(io.settingsFile), settings, io);

export const uninstall: Command = (settings, io) => uninstallFrom(thisHost(io.settingsFile), settings, io);

/** Any number of times: what is there already is written again. */
export async function installOn(host: InstallHost, settings: ShimSettings, io: CommandIo): Promise<number> {
  const facts = await collectInstallFacts(host, settings);
  const plan = planInstall(...withDefaultRoute(settings, io), facts);
  if (!plan.ok) return failed(io, plan.reason);
  if (io.options.dryRun) return printed(io, dryRunText(plan));
  if (!host.isRoot) return failed(io, 'root is needed: it writes the service and the resolver of this host');
  const loop = await findLoop(host, plan.settings);
  if (loop !== undefined) return failed(io, loop);
  await perform(host, plan, facts.userExists);
  const started = facts.systemd
    ? `${UNIT} runs. "meshdoh-shim status" asks this host's resolver for a name that only the shim knows.`
    : 'systemd does not run here: nothing was started. Start "meshdoh-shim run" as its user, and then run "meshdoh-shim capture" as root.';
  return printed(io, [...plan.files.map(({ path }) => `wrote ${path}`), started].join('\n'));
}

/** Stops the service and puts back every file, table and user as it was before the first `install`. */
export async function uninstallFrom(host: InstallHost, settings: ShimSettings, io: CommandIo): Promise<number> {
  if (io.options.dryRun) return printed(io, await undoText(host));
  if (!host.isRoot) return failed(io, 'root is needed');
  const journal = await readJournal(host.files);
  const { systemd } = await collectInstallFacts(host, settings);
  const units = [UNIT, RESOLVER_PATH_UNIT, RESOLVER_UNIT];
  if (systemd) await attempt(host, ['systemctl', 'disable', '--now', ...units]);
  const resolver = new ResolverFiles(settings, { host: host.files, run: host.run });
  await resolver.restore();
  await resolver.forget();
  await host.removeRules(settings.stateDir);
  for (const [path, before] of Object.entries(journal.files)) await host.files.restore(path, before);
  for (const [path, { uid, gid }] of Object.entries(journal.owners ?? {})) await host.files.giveTo(path, uid, gid);
  if (journal.folders.includes(settings.stateDir)) await host.files.removeTree(settings.stateDir);
  await host.files.removeTree(HOST_STATE_DIR);
  for (const folder of journal.folders.toReversed()) await host.files.removeEmpty(folder);
  if (systemd) await attempt(host, ['systemctl', 'daemon-reload']);
  if (journal.user !== undefined) await attempt(host, ['userdel', journal.user]);
  return printed(io, 'removed: the files of this host are as they were');
}

/** `--yes` asks nothing, and what changes least is the answer. */
function withDefaultRoute(settings: ShimSettings, { options, given }: CommandIo): [ShimSettings, CommandIo['given']] {
  if (!options.yes || settings.routes.some(({ suffix }) => suffix === '.')) return [settings, given];
  return [
    { ...settings, routes: [...settings.routes, SYSTEM_ROUTE] },
    [...given, { key: 'route', value: '.=system', origin: '--yes' }],
  ];
}

const SYSTEM_ROUTE = { suffix: '.', target: { kind: 'system' } } as ShimSettings['routes'][number];

async function findLoop(host: InstallHost, settings: ShimSettings): Promise<string | undefined> {
  const { servers } = await readOriginalResolvers(host.files, settings);
  const looping = await loopingOnceStarted(servers, settings.listen);
  return looping.length > 0 ? `refused: ${loopReason(looping)}` : undefined;
}

type Performable = Extract<InstallPlan, { ok: true }>;

async function perform(host: InstallHost, plan: Performable, userExisted: boolean): Promise<void> {
  const paths = [...plan.files.map(({ path }) => path), originalResolversPath(plan.settings.stateDir)];
  const { tokenFile } = plan.settings;
  const known = await ownerRecorded(host.files, await readJournal(host.files), tokenFile);
  const journal = await recorded(host.files, known, paths);
  // Before anything changes: an install that is cut short can be undone.
  await writeJournal(host.files, userExisted ? journal : { ...journal, user: plan.settings.user });
  for (const argv of plan.before) await host.run(argv);
  for (const { path, content, mode } of plan.files) await host.files.write(path, content, mode);
  // The shim is not root, and reads it again whenever it is replaced.
  if (tokenFile !== undefined && journal.owners?.[tokenFile]) await host.run(['chown', plan.settings.user, tokenFile]);
  for (const argv of plan.after) await host.run(argv);
}

/** What is undone may be undone already. */
async function attempt(host: InstallHost, argv: readonly string[]): Promise<void> {
  await host.run(argv).catch(() => undefined);
}

function dryRunText({ before, files, after, capture }: Performable): string {
  const runs = (argv: readonly string[]) => `would run: ${argv.join(' ')}`;
  const written = files.map(({ path, content }) => `would write ${path}:\n${content.replace(/^(?=.)/gm, '    ')}`);
  return withoutChange([...before.map(runs), ...written, ...after.map(runs), `would capture ${capture}`]);
}

async function undoText(host: InstallHost): Promise<string> {
  const { files, user } = await readJournal(host.files);
  const undone = Object.entries(files).map(
    ([path, { kind }]) => `would ${kind === 'absent' ? 'remove' : 'put back'} ${path}`,
  );
  return withoutChange([...undone, ...(user === undefined ? [] : [`would remove the user ${user}`])]);
}

const withoutChange = (lines: readonly string[]): string => [...lines, 'Nothing was changed.'].join('\n');
