/** The store did not answer, or stayed contended, until the caller's deadline. The write may or may not be committed. */
export class RegistryUnavailableError extends Error {
  override readonly name = 'RegistryUnavailableError';
}

/** The pools of this process's settings are not those that the table says are active: nothing may be written. */
export class PoolMismatchError extends Error {
  override readonly name = 'PoolMismatchError';
  readonly configured: string;
  readonly active: string;

  /** `known`: what the registry says of the pool that begins at the same addresses. */
  constructor(
    configured: string,
    known: { readonly ipv4: string | undefined; readonly isActive: boolean } | undefined,
  ) {
    const active = (known?.isActive && known.ipv4) || 'another pool';
    super(
      `the setting "pools" says ${configured}, but the registry allocates from ${active}: ` +
        'restart this process with the settings the registry was last opened with',
    );
    this.configured = configured;
    this.active = active;
  }
}

/**
 * The prefixes of the setting do not go with what the table holds: a pool of earlier settings, so that one address could
 * get two holders, or an entry that writes too much of them itself.
 */
export class PoolOverlapError extends Error {
  override readonly name = 'PoolOverlapError';
}

/** The table was last opened by a build that makes names findable by another, newer rule: nothing may be written. */
export class RegistryLayoutError extends Error {
  override readonly name = 'RegistryLayoutError';

  constructor(found: number, own: number) {
    super(`the table's suffixes are of layout ${found}, made by a newer meshdoh; this one writes ${own}: update it`);
  }
}
