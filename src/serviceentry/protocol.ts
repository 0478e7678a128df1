const HTTP_LIKE = ['HTTP', 'HTTP2', 'HTTP_PROXY', 'GRPC', 'GRPC-WEB'];
const TLS_LIKE = ['HTTPS', 'TLS'];
const TCP_LIKE = ['TCP', 'HTTPS', 'TLS', 'MONGO', 'REDIS', 'MYSQL'];
const PER_NAME = ['HTTP', 'HTTP2', 'GRPC', 'TLS'];

export const PROTOCOLS: readonly string[] = [...new Set([...HTTP_LIKE, ...TLS_LIKE, ...TCP_LIKE, 'UDP'])];

/** Upper case; empty when the port leaves its protocol to sniffing. */
export const protocolOf = (port: { readonly protocol?: string | undefined }): string =>
  (port.protocol ?? '').toUpperCase();

export const isKnown = (protocol: string): boolean => protocol === '' || PROTOCOLS.includes(protocol);

/** Whether each connection names its host (authority or SNI), so that hosts may share a port. */
export const namesItsHost = (protocol: string): boolean => HTTP_LIKE.includes(protocol) || TLS_LIKE.includes(protocol);

/** Istio's `IsTCP`: proxied by address and port. */
export const isTcpLike = (protocol: string): boolean => TCP_LIKE.includes(protocol);

/** What DYNAMIC_DNS supports: the destination is read from each request. */
export const DYNAMIC_DNS_PROTOCOLS: readonly string[] = PER_NAME;
