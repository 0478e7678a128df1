import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { MeshTable } from '../table/mesh-table.ts';
import { parseTable } from '../table/parse-table.ts';
import { confirmStateFile, readStateFile, writeStateFile } from './state-file.ts';

/** What an endpoint last said of its table. */
export interface KeptTable {
  /** Undefined: it has none. */
  readonly table: MeshTable | undefined;
  readonly etag: string | undefined;
  /** When it said so, or that nothing has changed since; milliseconds since the epoch; 0 for another URL's. */
  readonly confirmedAt: number;
  /**
   * Of another endpoint, or of another way to ask this one. It says whose names these were, and nothing that may be
   * answered.
   */
  readonly isForeign: boolean;
}

interface Header {
  readonly url: string;
  readonly etag?: string;
  readonly hasTable: boolean;
}

/** The last table on disk, so that names of the mesh are known before the endpoint is reached. */
export class TableStore {
  readonly #path: string;

  constructor(stateDir: string) {
    this.#path = join(stateDir, 'table.json');
  }

  /** Undefined when there is none, or none that can be read. */
  async read(url: string): Promise<KeptTable | undefined> {
    try {
      const content = await readStateFile(this.#path);
      if (content === undefined) return undefined;
      const end = content.indexOf('\n');
      const header = JSON.parse(content.slice(0, end)) as Partial<Header>;
      const isForeign = header.url !== url;
      const confirmedAt = isForeign ? 0 : (await stat(this.#path)).mtimeMs;
      if (!header.hasTable)
        return isForeign ? undefined : { table: undefined, etag: undefined, confirmedAt, isForeign };
      const read = parseTable(content.slice(end + 1));
      const etag = isForeign ? undefined : header.etag;
      return read.ok ? { table: read.table, etag, confirmedAt, isForeign } : undefined;
    } catch {
      return undefined;
    }
  }

  /** `json`: the table as it came; undefined: there is none. */
  async write(url: string, json: string | undefined, etag: string | undefined): Promise<void> {
    const header: Header = { url, ...(etag !== undefined && { etag }), hasTable: json !== undefined };
    await writeStateFile(this.#path, `${JSON.stringify(header)}\n${json ?? ''}`);
  }

  async confirm(atMs: number): Promise<void> {
    await confirmStateFile(this.#path, atMs);
  }
}
