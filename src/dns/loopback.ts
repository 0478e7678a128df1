import ipaddr from 'ipaddr.js';

/** Whether only this machine reaches `host`: an address without brackets, or a name (RFC 6761 section 6.3). */
export function isLoopback(host: string): boolean {
  if (!ipaddr.isValid(host)) return host.toLowerCase() === 'localhost';
  return ipaddr.process(host).range() === 'loopback';
}
