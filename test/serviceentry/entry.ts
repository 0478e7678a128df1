/** The smallest valid entry, with changes: a value of undefined leaves its field out. */
export function manifestOf(
  spec: Record<string, unknown> = {},
  metadata: Record<string, unknown> = {},
): Record<string, unknown> {
  const defined = (fields: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: defined({ name: 'external', namespace: 'shop', ...metadata }),
    spec: defined({ hosts: ['api.example.com'], resolution: 'DNS', ...spec }),
  };
}
