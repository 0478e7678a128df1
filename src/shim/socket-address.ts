import { isIP, isIPv6 } from 'node:net';
import { read, refuse, type TextReader } from '../settings/reading.ts';

/** An IP address, without brackets or zone, and a port. */
export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

const WITH_PORT = /^(?:\[(?<ipv6>[^\]]*)\]|(?<ipv4>[0-9.]*)):(?<port>[0-9]{1,5})$/;

/** `127.0.0.1:53` or `[::1]:53`. */
export const socketAddress: TextReader<SocketAddress> = (text) => {
  const { ipv6, ipv4, port } = WITH_PORT.exec(text)?.groups ?? {};
  const address = ipv6 ?? ipv4 ?? '';
  const isAddress = ipv6 === undefined ? isIP(address) === 4 : isIPv6(address) && !address.includes('%');
  return isAddress && Number(port) <= 0xffff
    ? read({ address, port: Number(port) })
    : refuse(text, 'ADDRESS:PORT, such as "127.0.0.1:53" or "[::1]:53"');
};

/** The same, or the address alone, which means `port`. */
export const addressWithPort =
  (port: number): TextReader<SocketAddress> =>
  (text) => {
    const address = text.replace(/^\[(.*)\]$/, '$1');
    return isIP(address) > 0 && !address.includes('%') ? read({ address, port }) : socketAddress(text);
  };

export const socketText = ({ address, port }: SocketAddress): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
