import { isIpWithin, LOOPBACK } from './ip-address.ts';

/** Whether only this machine reaches `host`: an address without brackets, or a name (RFC 6761 section 6.3). */
export const isLoopback = (host: string): boolean => isIpWithin(host, LOOPBACK) || host.toLowerCase() === 'localhost';
