const LOOPBACK_NAMES = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/i;

/**
 * Whether a request to a listener on loopback names loopback. A page whose own name was re-pointed at 127.0.0.1
 * (DNS rebinding) sends its own name, and would otherwise read and write the registry as this user.
 */
export function namesLoopback(host: string | undefined): boolean {
  if (host === undefined) return false;
  return LOOPBACK_NAMES.test(host.replace(/:\d+$/, ''));
}
