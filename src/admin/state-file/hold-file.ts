// The file in which a daemon leaves that it holds its start, for the next one: restarts must not make a hold longer.

import { rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readBoundedFile } from '../../host/files/bounded-file.ts';
import { makeDirectory } from '../../host/files/make-directory.ts';
import { replaceFile } from '../../host/files/replace-file.ts';
import { asObject } from '../../services/objects/read.ts';
import type { HoldRecord } from '../../sources/guard/start-hold.ts';
import { ageOf, isStamp, type Stamp, stampNow } from './stamp.ts';

/** Beside the admin socket. */
export function holdFilePath(socketPath: string): string {
  return socketPath.replace(/\.sock$/, '.hold.json');
}

/**
 * A file is written every ten seconds while a start is held. The kubelet waits up to five minutes before it restarts a container:
 * a file that is older than this is of another hold.
 */
const MAX_AGE_MS = 600_000;
const READ_LIMITS = { maxBytes: 4096, timeoutMs: 500 };

/** What an earlier daemon has left: how long its hold had lasted, and when. */
interface Found {
  readonly heldMs: number;
  readonly stamp: Stamp;
}

/**
 * Writes in the background; nothing waits for it. Without the file, a restarted daemon holds its start for the whole time again.
 * That the directory cannot be written is reported with the state files.
 */
export class HoldFile implements HoldRecord {
  readonly #path: string;
  readonly #found: Found | undefined;
  /** What is to be written next; `gone` to remove the file. */
  #next: number | 'gone' | undefined;
  #isWriting = false;

  private constructor(path: string, found: Found | undefined) {
    this.#path = path;
    this.#found = found;
  }

  /** Reads what an earlier daemon has left. A missing, damaged or old file counts as none. Never rejects. */
  static async open(path: string): Promise<HoldFile> {
    const text = await readBoundedFile(path, READ_LIMITS).catch(() => undefined);
    return new HoldFile(path, text === undefined ? undefined : foundIn(text.toString()));
  }

  /** Counts on: until the first list has arrived, which may be minutes later, the hold continues. */
  get heldMs(): number | undefined {
    return this.#found === undefined ? undefined : this.#found.heldMs + ageOf(this.#found.stamp);
  }

  save(heldMs: number): void {
    void this.#write(heldMs);
  }

  clear(): void {
    void this.#write('gone');
  }

  async #write(next: number | 'gone'): Promise<void> {
    this.#next = next;
    if (this.#isWriting) return;
    this.#isWriting = true;
    for (let now = this.#take(); now !== undefined; now = this.#take())
      await (now === 'gone' ? rm(this.#path, { force: true }) : this.#replace(now)).catch(() => undefined);
    this.#isWriting = false;
  }

  #take(): number | 'gone' | undefined {
    const next = this.#next;
    this.#next = undefined;
    return next;
  }

  async #replace(heldMs: number): Promise<void> {
    await makeDirectory(dirname(this.#path));
    await replaceFile(this.#path, (temporary) =>
      writeFile(temporary, JSON.stringify({ stamp: stampNow(), heldMs }), { flag: 'wx', mode: 0o600 }),
    );
  }
}

function foundIn(text: string): Found | undefined {
  const { stamp, heldMs } = parsed(text);
  if (!isStamp(stamp) || typeof heldMs !== 'number' || !(heldMs >= 0)) return undefined;
  const now = stampNow();
  // A kernel that was started later has nothing of that hold.
  return stamp.bootId !== now.bootId || ageOf(stamp, now) > MAX_AGE_MS ? undefined : { stamp, heldMs };
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return {};
  }
}
