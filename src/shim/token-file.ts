import { readFile, stat } from 'node:fs/promises';

/** The credential cannot be used as it lies there. */
export class ShimTokenError extends Error {
  override readonly name = 'ShimTokenError';

  /** `reason` goes on with a sentence that begins with the file. */
  constructor(path: string, reason: string, cause?: unknown) {
    super(`token-file ${path}${reason}`, { cause });
  }
}

const TOKEN = /^[\w-]{1,256}$/;
const LONGEST_FILE = 4096;
/** Rights of the group and of others. */
const NOT_OWNER = 0o077;
/** A rename into the folder of a mounted secret is seen by neither inotify on the file nor a signal. */
const POLL_MS = 2_000;

/**
 * The token in a file that only its owner may read.
 *
 * @throws ShimTokenError whose message has nothing of the content.
 */
export async function readToken(path: string): Promise<string> {
  const failed = (error: NodeJS.ErrnoException): never => {
    const reason = error.code === 'ENOENT' ? 'there is no such file' : error.message;
    throw new ShimTokenError(path, `: ${reason}`, error);
  };
  const { mode } = await stat(path).catch(failed);
  if (mode & NOT_OWNER) {
    const bits = (mode & 0o777).toString(8);
    throw new ShimTokenError(path, ` may be read by others (mode ${bits}): chmod 0600 ${path}`);
  }
  const text = await readFile(path, 'utf8').catch(failed);
  const token = text.slice(0, LONGEST_FILE).trim();
  if (TOKEN.test(token)) return token;
  throw new ShimTokenError(path, ' holds no token: expected letters, digits, "-" and "_" on one line');
}

/** A token that follows its file: the next request has the new one, and the last good one serves until then. */
export class TokenFile {
  token: string;
  readonly #path: string;
  readonly #failed: (error: unknown) => void;
  readonly #timer: NodeJS.Timeout;
  #seen = '';
  #failing = false;

  private constructor(path: string, token: string, failed: (error: unknown) => void) {
    this.#path = path;
    this.token = token;
    this.#failed = failed;
    this.#timer = setInterval(() => void this.refresh(), POLL_MS).unref();
  }

  /** `failed` is told, once for each time it begins, that the file cannot be used any more. @throws ShimTokenError */
  static async open(path: string, failed: (error: unknown) => void): Promise<TokenFile> {
    return new TokenFile(path, await readToken(path), failed);
  }

  /** Looks at the file now. */
  async refresh(): Promise<void> {
    try {
      const { mtimeMs, ctimeMs, ino } = await stat(this.#path);
      const seen = [mtimeMs, ctimeMs, ino].join();
      if (seen === this.#seen) return;
      this.token = await readToken(this.#path);
      this.#seen = seen;
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#failed(error);
      this.#failing = true;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
