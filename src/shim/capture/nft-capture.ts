import { networkInterfaces } from 'node:os';
import { messageOf } from '../message-of.ts';
import { bridgesOf } from './bridges.ts';
import {
  type Capture,
  type CaptureOptions,
  CaptureRefusedError,
  type CaptureSettings,
  type CaptureState,
  type ListenAddress,
} from './capture.ts';
import { CaptureStatus } from './capture-status.ts';
import { dnsServerUids, exemptUids } from './exempt-users.ts';
import { Heartbeat } from './heartbeat.ts';
import { HostFiles } from './host-files.ts';
import { loopingResolvers, loopReason, refuseLoop } from './loop.ts';
import { applyNft } from './nft-command.ts';
import { BEAT_ADDRESS, DISARM_ADDRESS, nftRuleset, REMOVE_NFT_TABLE } from './nft-ruleset.ts';
import { readOriginalResolvers } from './original-resolvers.ts';

const BEAT_MS = 1000;
/** Users and the owners of port 53 change when services come and go. */
const BEATS_BETWEEN_USERS = 10;
/** So do resolvers. Each look puts a name to them that they pass on. */
const BEATS_BETWEEN_LOOKS = 60;
/** With a loop, programs wait in vain for a second or two each time. */
const BEATS_BETWEEN_TRIES = 600;
const ROOT_UID = 0;

interface BoundBridge {
  readonly name: string;
  close(): Promise<void>;
}

/** Redirects port 53 of every program to us for as long as we prove, each second, that we answer. */
export class NftCapture implements Capture {
  readonly #settings: CaptureSettings;
  readonly #options: CaptureOptions;
  readonly #host: HostFiles;
  readonly #ownUid: number;
  readonly #redirect: { readonly port: number; readonly addresses: readonly string[] };
  readonly #heartbeat = new Heartbeat();
  readonly #bound = new Map<string, BoundBridge | undefined>();
  #exempt: readonly number[] = [];
  #beats = 0;
  #looking: Promise<void> | undefined;
  /** Why nothing is captured for now. */
  #loop: string | undefined;
  /** The ruleset that the kernel has, as far as we know. */
  #loaded = '';
  readonly #status: CaptureStatus;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;

  /** @throws CaptureRefusedError */
  constructor(settings: CaptureSettings, options: CaptureOptions) {
    this.#settings = settings;
    this.#options = options;
    this.#status = new CaptureStatus(options.log);
    this.#host = new HostFiles(options.root);
    this.#ownUid = process.getuid?.() ?? ROOT_UID;
    this.#redirect = redirectTo(settings.listen);
    if (this.#ownUid !== ROOT_UID) return;
    throw new CaptureRefusedError(
      '"capture = nft" leaves the queries of our own user alone, and that is root: run as a user of our own',
    );
  }

  state(): CaptureState {
    return this.#status.state;
  }

  /** @throws CaptureRefusedError for a loop. */
  async start(): Promise<void> {
    await refuseLoop(this.#host, this.#settings);
    await this.#heartbeat.open();
    await this.#beat();
    this.#timer = setInterval(() => {
      this.#beating ??= this.#beat().finally(() => {
        this.#beating = undefined;
      });
    }, BEAT_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beating;
    await this.#heartbeat.send(DISARM_ADDRESS);
    await this.#looking;
    this.#heartbeat.close();
    // Disarmed it does nothing; whoever ends the service deletes it, should we not be allowed to.
    await applyNft(REMOVE_NFT_TABLE).catch(() => undefined);
    await Promise.all([...this.#bound.values()].map((bridge) => bridge?.close()));
    this.#bound.clear();
    this.#loaded = '';
    this.#status.become({ kind: 'off' });
  }

  async #beat(): Promise<void> {
    try {
      // No beat, no redirect: the kernel forgets us.
      if (!(await this.#options.selfCheck())) throw new Error('the shim does not answer at its own address');
      await this.#bindBridges();
      await this.#findUsers();
      if (this.#loop !== undefined) throw new Error(this.#loop);
      await this.#arm();
      this.#status.become({ kind: 'on', how: 'nft' });
      if (this.#beats % BEATS_BETWEEN_LOOKS === 1) this.#look();
    } catch (error) {
      this.#status.become({ kind: 'failed', reason: messageOf(error) });
    }
  }

  async #arm(): Promise<void> {
    const bridges = [...new Set([...this.#bound.values()].flatMap((bridge) => (bridge ? [bridge.name] : [])))];
    const ruleset = nftRuleset({
      ownUid: this.#ownUid,
      exemptUids: this.#exempt,
      redirect: this.#redirect,
      bridges: bridges.toSorted(),
    });
    const isLoaded = ruleset === this.#loaded;
    if (isLoaded && (await this.#heartbeat.send(BEAT_ADDRESS)) === 'seen') return;
    await applyNft(ruleset);
    if (isLoaded) this.#options.log('the nft table was gone (a firewall was restarted?): put right');
    this.#loaded = ruleset;
    this.#look();
  }

  /** Before the redirect leads there. An address that cannot be bound is told once, and its bridge left out. */
  async #bindBridges(): Promise<void> {
    const { port } = this.#redirect;
    for (const { name, addresses } of bridgesOf(this.#settings.bridges, networkInterfaces())) {
      for (const address of addresses) {
        if (!this.#bound.has(address)) this.#bound.set(address, await this.#bind(name, { address, port }));
      }
    }
  }

  async #bind(name: string, at: ListenAddress): Promise<BoundBridge | undefined> {
    try {
      const listening = await this.#options.listen(at);
      this.#options.log(`listening on ${at.address} for the containers of ${name}`);
      return { name, close: () => listening.close() };
    } catch (error) {
      this.#options.log(`cannot listen on ${at.address} of ${name}: ${messageOf(error)}`);
      return undefined;
    }
  }

  async #findUsers(): Promise<void> {
    if (this.#beats++ % BEATS_BETWEEN_USERS !== 0) return;
    // Of /proc, the unit shows processes only.
    const texts = await Promise.all(
      ['/etc/passwd', '/proc/self/net/udp', '/proc/self/net/udp6'].map((path) => this.#host.read(path)),
    );
    const [passwd = '', udp = '', udp6 = ''] = texts;
    const serving = [...dnsServerUids(udp), ...dnsServerUids(udp6)];
    const exempt = exemptUids(this.#settings.exemptUsers, passwd, serving);
    // Somebody may have seen to it.
    if (exempt.join() !== this.#exempt.join() || this.#beats % BEATS_BETWEEN_TRIES === 1) this.#loop = undefined;
    this.#exempt = exempt;
  }

  /** Not waited for: beats go on. */
  #look(): void {
    this.#looking ??= this.#lookForLoop()
      .catch((error: unknown) => this.#options.log(`cannot look for a loop: ${messageOf(error)}`))
      .finally(() => {
        this.#looking = undefined;
      });
  }

  /**
   * Whether a resolver that we ask is captured itself: one that bound port 53 as root and then became a user that is not
   * exempt. It shows while we are armed, and no sooner.
   */
  async #lookForLoop(): Promise<void> {
    const { servers } = await readOriginalResolvers(this.#host, this.#settings);
    const looping = await loopingResolvers(servers);
    if (looping.length === 0 || this.#status.state.kind === 'off') return;
    this.#loop = `${loopReason(looping)}, or name the user that it runs as with "exempt-user"`;
    // One that is under way would arm us again.
    await this.#beating;
    await this.#heartbeat.send(DISARM_ADDRESS);
    this.#status.become({ kind: 'failed', reason: this.#loop });
  }
}

/** The port that the loopback addresses share. Not 53: its guard would close that port to others on every address. */
function redirectTo(listen: readonly ListenAddress[]): {
  readonly port: number;
  readonly addresses: readonly string[];
} {
  const loopback = listen.filter((at) => ['127.0.0.1', '::1'].includes(at.address) && at.port !== 53);
  const [first] = loopback;
  if (first === undefined) {
    throw new CaptureRefusedError(
      '"capture = nft" leads to 127.0.0.1 and ::1 on a port other than 53, and "listen" has none: add 127.0.0.1:15053 and [::1]:15053',
    );
  }
  return {
    port: first.port,
    addresses: loopback.filter(({ port }) => port === first.port).map(({ address }) => address),
  };
}
