import type { ListenAddress } from '../capture/capture.ts';
import { isLoopback, planResolver, type ResolverFacts } from '../capture/resolver-plan.ts';
import { type ShimGiven, type ShimSettings, shimSettingsText } from '../settings.ts';
import { socketText } from '../socket-address.ts';
import {
  RESOLVER_PATH_UNIT,
  RESOLVER_UNIT,
  resolverPathUnit,
  resolverUnit,
  serviceUnit,
  UNIT,
  type UnitContent,
} from './unit.ts';

/** What of a host decides what is installed on it. */
export interface InstallFacts {
  readonly resolver: ResolverFacts;
  /** Loopback addresses whose port 53 somebody else has. */
  readonly takenAddresses: readonly string[];
  readonly ipv6: boolean;
  readonly nft: boolean;
  /** PID 1 is systemd. */
  readonly systemd: boolean;
  readonly userExists: boolean;
  readonly node: string;
  readonly script: string;
  readonly settingsFile: string;
  /** Text of the settings file, if there is one. */
  readonly settingsText: string | undefined;
}

export interface PlannedFile {
  readonly path: string;
  readonly content: string;
  readonly mode: number;
}

export type InstallPlan =
  | {
      readonly ok: true;
      readonly settings: ShimSettings;
      /** Run before the files are there. */
      readonly before: readonly (readonly string[])[];
      readonly files: readonly PlannedFile[];
      readonly after: readonly (readonly string[])[];
      /** What capture will write once the shim answers. */
      readonly capture: string;
    }
  | { readonly ok: false; readonly reason: string };

const UNIT_FOLDER = '/etc/systemd/system';
const DNS_PORT = 53;
const UNPRIVILEGED_PORT = 15053;
const FIRST_UNPRIVILEGED_PORT = 1024;

export const ALL_NAMES_QUESTION = `Who shall answer names that are not the mesh's? Say it with one of

  --route .=system
    The resolvers that this host has now. Names of private zones (databases, endpoints inside a VPC, a company's own
    zones, reverse zones) go on working. Only names of the mesh go to the endpoint.
  --route .=doh
    The endpoint, encrypted. Names that only the resolvers of this network know are lost, but for the host's search
    domains, the cloud's own zones and the suffixes you add, such as --route corp.example=system.

Nothing was changed.`;

/** `ProtectHome` and `PrivateTmp` of the unit. */
const HIDDEN_FROM_SERVICES = /^\/(home|root|tmp|run\/user)\//;

/** Everything that installing does, as values. */
export function planInstall(settings: ShimSettings, given: readonly ShimGiven[], facts: InstallFacts): InstallPlan {
  const [endpoint] = settings.endpoints;
  if (endpoint === undefined) return refused('"endpoint" is missing: give --endpoint https://…/dns-query');
  const hidden = [facts.node, facts.script].find((path) => HIDDEN_FROM_SERVICES.test(path));
  if (hidden !== undefined)
    return refused(`a service cannot see ${hidden}: copy it to /usr/local/lib, or install the package`);
  if (!settings.routes.some(({ suffix }) => suffix === '.')) return refused(ALL_NAMES_QUESTION);
  const capture = isGiven(given, 'capture') ? settings.capture : 'resolver';
  const listen = isGiven(given, 'listen') ? settings.listen : listenAddresses(capture, facts);
  const complete: ShimSettings = { ...settings, capture, listen };
  const resolver = complete.capture === 'none' ? undefined : planResolver(complete, facts.resolver, []);
  if (resolver?.ok === false) return resolver;
  if (complete.capture === 'nft' && !facts.nft)
    return refused('"capture = nft" needs the nft command (package nftables)');
  const unit = unitContent(complete, facts);
  const hasResolver = resolver !== undefined && resolver.files.length > 0;
  return {
    ok: true,
    settings: complete,
    before: [...(facts.userExists ? [] : [addUser(complete.user)]), makeStateDir(complete)],
    files: [
      { path: facts.settingsFile, content: settingsContent(facts.settingsText, given, complete), mode: 0o644 },
      { path: `${UNIT_FOLDER}/${UNIT}`, content: serviceUnit(unit), mode: 0o644 },
      ...(hasResolver ? resolverUnits(unit) : []),
    ],
    after: facts.systemd ? startCommands(hasResolver) : [],
    capture: resolver === undefined ? 'nothing: "capture = none"' : captureText(complete, resolver.how, resolver.files),
  };
}

const isGiven = (given: readonly ShimGiven[], one: ShimGiven['key']): boolean => given.some(({ key }) => key === one);

const refused = (reason: string): InstallPlan => ({ ok: false, reason });

const resolverUnits = (unit: UnitContent): PlannedFile[] => [
  { path: `${UNIT_FOLDER}/${RESOLVER_PATH_UNIT}`, content: resolverPathUnit(unit), mode: 0o644 },
  { path: `${UNIT_FOLDER}/${RESOLVER_UNIT}`, content: resolverUnit(unit), mode: 0o644 },
];

const USERADD = 'useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin';

const addUser = (user: string): string[] => [...USERADD.split(' '), user];

/** systemd would make it for the service, but without it nobody does. */
const makeStateDir = ({ user, stateDir }: ShimSettings): string[] => [
  ...['install', '-d', '-o', user, '-g', user, '-m', '0755'],
  stateDir,
];

const startCommands = (withResolver: boolean): string[][] => [
  ['systemctl', 'daemon-reload'],
  ['systemctl', 'enable', UNIT, ...(withResolver ? [RESOLVER_PATH_UNIT] : [])],
  ['systemctl', 'restart', UNIT],
];

/** resolv.conf(5) has no ports; everything else is reached without a privilege. */
function listenAddresses(capture: ShimSettings['capture'], facts: InstallFacts): ListenAddress[] {
  const loopback = ['127.0.0.1', ...(facts.ipv6 ? ['::1'] : [])];
  const unprivileged = loopback.map((address) => ({ address, port: UNPRIVILEGED_PORT }));
  if (capture !== 'resolver') return unprivileged;
  if (planResolver({ capture, listen: unprivileged }, facts.resolver, []).ok) return unprivileged;
  // A resolver of the host's own may have the first.
  const free = ['127.0.0.1', '127.0.53.1'].filter((address) => !facts.takenAddresses.includes(address));
  return free.slice(0, 1).map((address) => ({ address, port: DNS_PORT }));
}

function unitContent(settings: ShimSettings, facts: InstallFacts): UnitContent {
  const { listen, capture, vips } = settings;
  const nftCapture = capture === 'nft';
  return {
    ...facts,
    ...settings,
    netAdmin: nftCapture || vips === 'nft' || (vips === 'auto' && facts.nft),
    lowPort: listen.some(({ port }) => port < FIRST_UNPRIVILEGED_PORT),
    nftCapture,
  };
}

/** What was there, comments and all, and after it what it lacks. */
function settingsContent(
  before: string | undefined,
  given: readonly ShimGiven[],
  { capture, listen }: ShimSettings,
): string {
  const written = [
    ...given,
    ...(isGiven(given, 'capture') ? [] : [{ key: 'capture' as const, value: capture }]),
    ...(isGiven(given, 'listen') ? [] : listen.map((at) => ({ key: 'listen' as const, value: socketText(at) }))),
  ];
  const comments = (before ?? '').split('\n').filter((line) => /^\s*#/.test(line));
  return `${comments.map((line) => `${line}\n`).join('')}${shimSettingsText(written)}`;
}

function captureText(
  { capture, listen }: ShimSettings,
  how: string,
  files: readonly { readonly path: string; readonly content: string }[],
): string {
  const at = listen.filter(isLoopback).map(socketText).join(' and ');
  const table = capture === 'nft' ? [`table inet mesh_dns: port 53 of every program is redirected to ${at}`] : [];
  const written = files.map(({ path, content }) => `${path}:\n${content.replace(/^/gm, '    ').trimEnd()}`);
  return [`by ${how}, once the shim answers`, ...table, ...written].join('\n');
}
