import { isIP, isIPv6 } from 'node:net';
import { type Reader, read, refuse } from '../settings/reading.ts';

/** An IP address, without brackets or zone, and a port. */
export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

const WITH_PORT = /^(?:\[(?<ipv6>[^\]]*)\]|(?<ipv4>[0-9.]*)):(?<port>[0-9]{1,5})$/;

/** `127.0.0.1:53` or `[::1]:53`. */
export const socketAddress: Reader<SocketAddress> = (value) => {
  const { ipv6, ipv4, port } = (typeof value === 'string' && WITH_PORT.exec(value)?.groups) || {};
  const address = ipv6 ?? ipv4 ?? '';
  const isAddress = ipv6 === undefined ? isIP(address) === 4 : isIPv6(address) && !address.includes('%');
  return isAddress && Number(port) <= 0xffff
    ? read({ address, port: Number(port) })
    : refuse(value, 'ADDRESS:PORT, such as "127.0.0.1:53" or "[::1]:53"');
};

/** The same, or the address alone, which means `port`. */
export const addressWithPort =
  (port: number): Reader<SocketAddress> =>
  (value) =>
    typeof value === 'string' && isIP(value) > 0 && !value.includes('%')
      ? read({ address: value, port })
      : socketAddress(value);

export const socketText = ({ address, port }: SocketAddress): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

export const sameSocket = (a: SocketAddress, b: SocketAddress): boolean => a.address === b.address && a.port === b.port;
