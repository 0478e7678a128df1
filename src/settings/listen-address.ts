import ipaddr from 'ipaddr.js';
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
  if (ipv6 !== undefined) return ipaddr.IPv6.isValid(ipv6) ? ipaddr.process(ipv6).toString() : undefined;
  if (host === undefined || host === '') return LOOPBACK;
  if (/^[0-9.]+$/.test(host)) return ipaddr.IPv4.isValidFourPartDecimal(host) ? host : undefined;
  return parseName(host) === undefined ? undefined : host;
}

export const listenText = ({ host, port }: ListenAddress): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
