import type { RegisteredMesh } from '../table/registered-host.ts';

/**
 * Everything that is registered, as one value, and whether it has changed.
 * @throws RegistryUnavailableError when the store is out of reach.
 */
export interface MeshSource {
  /** Moves with every commit. One read. */
  version(signal: AbortSignal): Promise<string>;
  /** At least as new as any version told before. */
  read(signal: AbortSignal): Promise<RegisteredMesh>;
}
