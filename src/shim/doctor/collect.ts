import { networkInterfaces } from 'node:os';
import { HostFiles } from '../capture/host-files.ts';
import { loopingOnceStarted } from '../capture/loop.ts';
import { readOriginalResolvers } from '../capture/original-resolvers.ts';
import { parseResolvConf, RESOLV_CONF } from '../capture/resolv-conf.ts';
import { ResolverFiles } from '../capture/resolver-files.ts';
import { isLoopback, RESOLVED_DROP_IN } from '../capture/resolver-plan.ts';
import { readCommand, runCommand } from '../capture/run-command.ts';
import { PATIENT_MS, selfCheck } from '../capture/self-check.ts';
import { lastTable } from '../last-table.ts';
import type { ShimSettings } from '../settings.ts';
import { probeEndpoint } from './endpoint-probe.ts';
import type { HostFacts, ResolvedFacts } from './host-facts.ts';
import { reachesShim } from './os-canary.ts';
import { meshFacts, parseRoutes, parseSynchronised, resolvedFacts } from './parse-facts.ts';
import { runningVips } from './running-vips.ts';

const TIMEOUT_MS = 3000;
const DOCKER_BRIDGE = /^(docker0|br-[0-9a-f]{12})$/;

/** Asks this host, the endpoints and the resolvers; nothing is changed. */
export async function collectFacts(settings: ShimSettings): Promise<HostFacts> {
  const host = new HostFiles();
  const original = await readOriginalResolvers(host, settings);
  const [answers, captured, endpoints, resolver, resolved, nft, vips, routes, synchronised] = await Promise.all([
    selfCheck(settings.listen.filter(isLoopback), PATIENT_MS),
    reachesShim(),
    Promise.all(settings.endpoints.map(async (url) => ({ url, ...(await probeEndpoint(url, settings, original)) }))),
    new ResolverFiles(settings, { host, run: runCommand }).facts(),
    collectResolved(host),
    output('nft', '--version'),
    runningVips(settings),
    collectRoutes(),
    output('timedatectl', 'show').then(parseSynchronised),
  ]);
  return {
    settings,
    answers,
    captured,
    nameservers: parseResolvConf((await host.read(RESOLV_CONF)) ?? '').nameservers,
    original,
    looping: await loopingOnceStarted(original.servers, settings.listen),
    resolved,
    nssResolve: resolver.nssResolve,
    nft: nft !== '',
    vips,
    dockerBridges: Object.keys(networkInterfaces()).filter((name) => DOCKER_BRIDGE.test(name)),
    routes,
    mesh: meshFacts(await lastTable(settings)),
    endpoints,
    clock: { skewMs: endpoints.find(({ skewMs }) => skewMs !== undefined)?.skewMs, synchronised },
  };
}

async function collectResolved(host: HostFiles): Promise<ResolvedFacts | undefined> {
  const [domain = '', dns = '', dnssec = ''] = await Promise.all(
    ['domain', 'dns', 'dnssec'].map((what) => output('resolvectl', '--no-pager', what)),
  );
  if (dns === '') return undefined;
  return resolvedFacts({ domain, dns, dnssec }, await host.exists(RESOLVED_DROP_IN));
}

async function collectRoutes(): Promise<HostFacts['routes']> {
  const shown = async (family: '-4' | '-6', hostBits: 32 | 128) =>
    parseRoutes(await output('ip', '-json', family, 'route', 'show'), hostBits);
  return (await Promise.all([shown('-4', 32), shown('-6', 128)])).flat();
}

/** Nothing where the command is not there or fails. */
const output = (...command: string[]): Promise<string> => readCommand(command, { timeout: TIMEOUT_MS }).catch(() => '');
