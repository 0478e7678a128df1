import { AnswerCache } from '../cache/answer-cache.ts';
import { formErrorOf } from '../dns/response.ts';
import { canaryAnswer } from './capture/canary.ts';
import { selfCheck } from './capture/self-check.ts';
import type { EndpointState } from './endpoint-health.ts';
import { Engine } from './engine.ts';
import type { Exchange, Listener } from './listener.ts';
import { Listeners, openPair, ShimListenError } from './listeners.ts';
import type { Log } from './log.ts';
import { messageOf } from './message-of.ts';
import { type Gauge, ShimMetrics } from './metrics.ts';
import type { ShimSettings } from './settings.ts';
import { type SocketAddress, socketText } from './socket-address.ts';
import { type StatusPages, type StatusServer, startStatusServer } from './status-server.ts';
import { type OriginalServers, SystemResolvers } from './system-resolvers.ts';
import type { OpenVipCarrier, VipCarrier } from './vip-carrier.ts';
import type { AskOutside } from './vips/look-up.ts';
import { settlesWithin } from './within.ts';

export interface ShimOptions {
  readonly settings: ShimSettings;
  readonly log: Log;
  /** The resolvers that the host has without the shim. */
  readonly originalServers: () => Promise<OriginalServers>;
  readonly openVips?: OpenVipCarrier | undefined;
  /** Instead of the instance metadata service. */
  readonly metadataEndpoint?: string | undefined;
  /** What `/healthz` tells besides. */
  readonly more?: () => Readonly<Record<string, unknown>>;
}

/** What `/healthz` says. */
export interface ShimStatus {
  readonly listen: readonly SocketAddress[];
  readonly endpoints: readonly { readonly origin: string; readonly state: EndpointState }[];
  readonly table: {
    readonly state: 'unknown' | 'absent' | 'known';
    readonly hosts: number;
    /** Since an endpoint confirmed it. */
    readonly ageSeconds: number | undefined;
    readonly failure: string | undefined;
  };
  readonly vips: object;
}

/** Two seconds for the endpoints and as much for who is asked in their place; programs wait for five. */
const WHOLE_QUERY_MS = 4_500;
/** Whose names these are changes with the table, which then says so; this is for the rest. */
const DECISION_MS = 24 * 3_600_000;
/** RFC 9520 section 3.2: the least that is allowed. What failed a moment ago may be back. */
const FAILURE_SECONDS = 1;
const START_MS = 2_000;

/** Whether names may be answered by somebody else than before, or to somebody else. */
function asksOthers(now: ShimSettings, before: ShimSettings): boolean {
  const isChanged = (key: keyof ShimSettings) => JSON.stringify(now[key]) !== JSON.stringify(before[key]);
  const more = now.endpoints.some((endpoint) => !before.endpoints.includes(endpoint));
  return more || (['routes', 'fallback', 'auth', 'tokenFile', 'tokenIn', 'region'] as const).some(isChanged);
}

/** One running shim: listeners, cache and, behind them, an engine for the settings as they are. */
export class Shim {
  readonly metrics: ShimMetrics;
  readonly #options: ShimOptions;
  readonly #parts: EngineParts;
  readonly #listeners: Listeners;
  #settings: ShimSettings;
  #engine: Engine;
  #status: StatusServer | undefined;

  /** Answers when this resolves. @throws ShimListenError, ShimTokenError, an error of the file system */
  static async open(options: ShimOptions): Promise<Shim> {
    const { settings, log, openVips } = options;
    const system = new SystemResolvers(options.originalServers);
    await system.current();
    // A table kept on disk is used while the engine opens, and has names to look up: they wait for it.
    const opened = Promise.withResolvers<Shim>();
    const askOutside: AskOutside = async (...asked) => (await opened.promise).#engine.askOutside(...asked);
    const vips = settings.vips === 'off' ? undefined : await openVips?.(settings, { askOutside, log });
    const cache = new AnswerCache({
      maxBytes: settings.cacheBytes,
      decisionMaxMs: DECISION_MS,
      staleMaxMs: settings.staleMaxMs,
      failureSeconds: FAILURE_SECONDS,
    });
    const parts = { cache, system, vips, observer: new ShimMetrics() };
    const shim = new Shim(options, parts, await openEngine(options, settings, parts));
    opened.resolve(shim);
    await shim.#start();
    return shim;
  }

  private constructor(options: ShimOptions, parts: EngineParts, engine: Engine) {
    this.#options = options;
    this.#settings = options.settings;
    this.#parts = parts;
    this.metrics = parts.observer;
    this.#engine = engine;
    this.#listeners = new Listeners(this.exchange, options.log);
  }

  /** What every listener asks. At once where the answer is known. */
  readonly exchange: Exchange = (query) => {
    const known = this.#engine.known(query) ?? canaryAnswer(query);
    if (known !== undefined) return known;
    const exchanged = this.#engine.answer(query);
    if (exchanged instanceof Promise)
      return exchanged.then((late) => ('wire' in late ? late.wire : formErrorOf(query)));
    return 'wire' in exchanged ? exchanged.wire : formErrorOf(query);
  };

  /** Where it listens, as it got it. */
  get addresses(): readonly SocketAddress[] {
    return this.#listeners.addresses;
  }

  /** Where `/metrics` and `/healthz` are. */
  get statusAddress(): SocketAddress | undefined {
    return this.#status;
  }

  /** Listens at one more address, of a bridge, over UDP and TCP. Rejects when it cannot bind. */
  async listenAlso(at: SocketAddress): Promise<Pick<Listener, 'close'>> {
    const { udp, tcp } = await openPair(at, this.exchange);
    return { close: async () => void (await Promise.all([udp.close(), tcp.close()])) };
  }

  /** Whether it answers over UDP and TCP at its own addresses. */
  selfCheck(): Promise<boolean> {
    return selfCheck(this.addresses);
  }

  /** Zones whose names must come here, whatever else is set up on the host. */
  get zones(): readonly string[] {
    return this.#engine.mesh.privateZones;
  }

  /**
   * Takes over other settings; table and the sockets that stay wanted are kept, the cache unless others are asked, and no
   * query is lost.
   *
   * @throws as `open` does, and goes on as before.
   */
  async reload(settings: ShimSettings): Promise<void> {
    const engine = await openEngine(this.#options, settings, this.#parts);
    const before = this.#engine;
    this.#engine = engine;
    const isStrange = asksOthers(settings, this.#settings);
    const { cache } = this.#parts;
    if (isStrange) cache.forgetNames(() => true);
    this.#settings = settings;
    void before.table.close();
    // Queries under way end with the engine that they began with.
    setTimeout(() => {
      void before.close();
      if (isStrange) cache.forgetNames(() => true);
    }, WHOLE_QUERY_MS).unref();
    await this.#listeners.listenAt(settings.listen);
  }

  status(): ShimStatus {
    const { endpoints, table, mesh } = this.#engine;
    return {
      listen: this.addresses,
      endpoints: endpoints.map(({ origin, state }) => ({ origin, state })),
      table: {
        state: table.state,
        hosts: mesh.table?.hosts.length ?? 0,
        ageSeconds: table.confirmedAt === 0 ? undefined : Math.round((Date.now() - table.confirmedAt) / 1000),
        failure: table.failure,
      },
      vips: this.#parts.vips?.state() ?? { kind: 'off' },
    };
  }

  /** Answers what it has taken, then closes. */
  async close(): Promise<void> {
    await this.#listeners.close();
    await this.#engine.close();
    this.#parts.system.close();
    await this.#parts.vips?.stop();
    await this.#status?.close();
  }

  async #start(): Promise<void> {
    try {
      const { listen, metricsListen } = this.#options.settings;
      await this.#listeners.listenAt(listen);
      if (metricsListen !== undefined) this.#status = await openStatus(metricsListen, this.#pages());
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  #pages() {
    return {
      metrics: async () => this.metrics.text([...this.#gauges(), ...((await this.#parts.vips?.counters()) ?? [])]),
      health: async () => {
        const ok = await this.selfCheck();
        return { ok, body: { answers: ok, ...this.status(), ...this.#options.more?.() } };
      },
    };
  }

  #gauges(): Gauge[] {
    const { endpoints, table } = this.status();
    const plain = (name: string, help: string, value: number, kind: 'gauge' | 'counter' = 'gauge'): Gauge => ({
      name: `meshdoh_shim_${name}`,
      kind,
      help,
      values: [[{}, value]],
    });
    return [
      {
        name: 'meshdoh_shim_endpoint_up',
        help: 'Whether an endpoint is asked.',
        values: endpoints.map(({ origin, state }) => [{ endpoint: origin }, state.up ? 1 : 0]),
      },
      {
        name: 'meshdoh_shim_endpoint_down',
        help: 'Why an endpoint is not asked.',
        values: endpoints.flatMap(({ origin, state }) =>
          state.up ? [] : [[{ endpoint: origin, reason: state.reason }, 1] as const],
        ),
      },
      plain('table_hosts', 'Hosts in the table of the mesh.', table.hosts),
      plain('table_age_seconds', 'Since an endpoint confirmed the table.', table.ageSeconds ?? Number.NaN),
      plain('cache_octets', 'Memory of the answer cache in use.', this.#parts.cache.octets),
      plain('cache_entries', 'Answers and decisions that are kept.', this.#parts.cache.entries),
      plain(
        'udp_dropped_total',
        'Datagrams dropped because too many queries were under way.',
        this.#listeners.dropped,
        'counter',
      ),
      plain('resident_memory_bytes', 'Resident memory.', process.memoryUsage.rss()),
    ];
  }
}

async function openStatus(at: SocketAddress, pages: StatusPages): Promise<StatusServer> {
  try {
    return await startStatusServer(at, pages);
  } catch (error) {
    throw new ShimListenError(`metrics-listen ${socketText(at)}: ${messageOf(error)}`, { cause: error });
  }
}

interface EngineParts {
  readonly cache: AnswerCache;
  readonly system: SystemResolvers;
  readonly vips: VipCarrier | undefined;
  readonly observer: ShimMetrics;
}

/** With what disk knows in use; a data plane that takes its time does not hold up DNS. */
async function openEngine(options: ShimOptions, settings: ShimSettings, parts: EngineParts): Promise<Engine> {
  const { log, metadataEndpoint } = options;
  const engine = await Engine.open({ settings, log, metadataEndpoint, ...parts });
  await settlesWithin(engine.start(), START_MS);
  return engine;
}
