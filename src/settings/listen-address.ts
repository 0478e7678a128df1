import { isIPv4, isIPv6 } from 'node:net';
import { ipText, parseUnmappedIp } from '../dns/ip-address.ts';
import { parseName } from '../dns/name.ts';
import { type Reader, read, refuse } from './reading.ts';

export interface ListenAddress {
  /** An IP address in canonical text, without brackets, or a host name. */
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

/** What a listener without a host means: nobody but this machine. */
const LOOPBACK = '127.0.0.1';

const HOST_PORT = /^(?:\[(?<ipv6>[^\]]*)\]|(?<host>[^:[\]]*)):(?<port>[0-9]{1,5})$/;
const EXPECTED = 'host:port, such as "127.0.0.1:8053", "[::1]:8053" or ":0" (a free port on 127.0.0.1)';

/** `host:port`, `[::1]:8053`, or `:0`, which listens on 127.0.0.1. */
export const listenAddress: Reader<ListenAddress> = (value) => {
  const parts = typeof value === 'string' ? HOST_PORT.exec(value)?.groups : undefined;
  const host = parts && hostOf(parts.ipv6, parts.host);
  const port = Number(parts?.port);
  return host !== undefined && port <= 0xffff ? read({ host, port }) : refuse(value, EXPECTED);
};

function hostOf(ipv6: string | undefined, host: string | undefined): string | undefined {
  if (ipv6 !== undefined) return ipv6Host(ipv6);
  if (host === undefined || host === '') return LOOPBACK;
  if (/^[0-9.]+$/.test(host)) return isIPv4(host) ? host : undefined;
  return parseName(host) === undefined ? undefined : host;
}

function ipv6Host(text: string): string | undefined {
  const ip = isIPv6(text) ? parseUnmappedIp(text) : undefined;
  const zone = /%.*/.exec(text)?.[0] ?? '';
  return ip && ipText(ip) + zone;
}

export const listenText = ({ host, port }: ListenAddress): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
