// Runs the conntrack program to list and delete entries.

import { readFile } from 'node:fs/promises';
import { ExecError, exec } from '../host/process/exec.ts';
import { FAMILY_TRAITS, type Family } from '../net/family.ts';
import { ATTEMPT_STATES, type ConntrackEntry, parseEntry } from './conntrack-entry.ts';
import type { StaleGroup } from './stale-groups.ts';

/** Sufficient for a machine under load. */
const BASE_TIMEOUT_MS = 5_000;
/** Listing or walking half a million entries takes a third of this. */
const TIMEOUT_MS_PER_ENTRY = 0.03;
/** Assumed if the kernel does not say it. */
const MANY_ENTRIES = 500_000;
const COUNT_FILE = '/proc/sys/net/netfilter/nf_conntrack_count';

/** The conntrack program failed. */
export class ConntrackError extends Error {
  override readonly name = 'ConntrackError';
  /** `missing`: the program is not installed. */
  readonly kind: 'missing' | 'failed';

  constructor(message: string, { kind, cause }: { kind: ConntrackError['kind']; cause?: unknown }) {
    super(message, { cause });
    this.kind = kind;
  }
}

/**
 * The kernel filters a listing by status (Linux 5.15), but not by state, which conntrack does: with 100,000 established
 * connections, it takes 35 ms instead of 300. Those are assured.
 */
const NEVER_ESTABLISHED = ['--status', '!ASSURED'];

/** Runs conntrack in the network namespace of this process. Throws {@link ConntrackError}. */
export class Conntrack {
  readonly #command: string;
  readonly #timeoutMs: number | undefined;
  /** Since conntrack 1.4.7, which also lists both families by default. */
  #canFilterByStatus = true;
  #cpuMs = 0;

  /** `timeoutMs` replaces the limit in proportion to the table. */
  constructor({ command, timeoutMs }: { command: string; timeoutMs?: number }) {
    this.#command = command;
    this.#timeoutMs = timeoutMs;
  }

  /** What all runs have taken so far, with the handling of their output, in milliseconds of one core. */
  get cpuMs(): number {
    return this.#cpuMs;
  }

  /** Lists the UDP flows of a family. */
  async listFlows(family: Family, onEntry: (entry: ConntrackEntry) => void): Promise<void> {
    await this.#list(optionsOf({ family, protocol: 'udp' }), onEntry);
  }

  /**
   * Lists the attempts to open TCP connections. Both families are listed in one run, because the kernel walks its whole hash
   * table for each: 12 ms with 262,144 buckets, and 55 ms with 250,000 entries of the other family.
   */
  async listAttempts(families: readonly Family[], onEntry: (entry: ConntrackEntry) => void): Promise<void> {
    if (this.#canFilterByStatus) {
      try {
        return await this.#list(['-p', 'tcp', ...NEVER_ESTABLISHED], onEntry);
      } catch (error) {
        if (!(error instanceof ConntrackError && /Bad parameter/.test(error.message))) throw error;
        this.#canFilterByStatus = false;
      }
    }
    for (const family of families) {
      for (const state of ATTEMPT_STATES)
        await this.#list([...optionsOf({ family, protocol: 'tcp' }), '--state', state], onEntry);
    }
  }

  async #list(options: readonly string[], onEntry: (entry: ConntrackEntry) => void): Promise<void> {
    await this.#run(['-L', ...options], (line) => {
      const entry = parseEntry(line);
      if (entry !== undefined) onEntry(entry);
    });
  }

  /** Deletes a group of entries. Returns how many were deleted until the end, or until the signal aborted. */
  async delete(group: StaleGroup, { signal }: { readonly signal?: AbortSignal } = {}): Promise<number> {
    let deleted = 0;
    const count = (): void => {
      deleted++;
    };
    const { first } = group;
    const state = first.protocol === 'tcp' ? ['--state', first.state] : [];
    try {
      await this.#run(['-D', ...optionsOf(first), ...state, ...filterOf(group)], count, signal);
    } catch (error) {
      if (!signal?.aborted) throw error;
    }
    return deleted;
  }

  /** The status is not 0 when no entry matched; then stderr has a count of 0. */
  async #run(args: readonly string[], onLine: (line: string) => void, signal?: AbortSignal): Promise<void> {
    try {
      const timeoutMs = this.#timeoutMs ?? (await timeLimit());
      const onCpuTime = (ms: number): void => {
        this.#cpuMs += ms;
      };
      const { status, stderr } = await exec(this.#command, args, { timeoutMs, onLine, signal, onCpuTime });
      if (status === 0 || /\b0 flow entries have been deleted/.test(stderr)) return;
      const [reason] = stderr.split('\n', 1);
      throw new ConntrackError(`Cannot run "${[this.#command, ...args].join(' ')}": ${reason}`, { kind: 'failed' });
    } catch (cause) {
      if (!(cause instanceof ExecError)) throw cause;
      throw new ConntrackError(cause.message, { kind: cause.kind === 'not-found' ? 'missing' : 'failed', cause });
    }
  }
}

/** In proportion to the table, in milliseconds. */
async function timeLimit(): Promise<number> {
  const count = await readFile(COUNT_FILE, 'utf8').then(Number, () => MANY_ENTRIES);
  return Math.round(BASE_TIMEOUT_MS + count * TIMEOUT_MS_PER_ENTRY);
}

function optionsOf({ family, protocol }: Pick<ConntrackEntry, 'family' | 'protocol'>): string[] {
  return ['-p', protocol, '-f', FAMILY_TRAITS[family].label.toLowerCase()];
}

/**
 * A single flow is selected by its complete tuple, several by their frontend and endpoint. `conntrack -D` walks the whole
 * table each time: 0.2 s with 50,000 entries, so deleting a thousand flows one by one would take minutes.
 */
function filterOf({ count, first: { original, reply } }: StaleGroup): string[] {
  const byFrontendAndEndpoint = {
    '--orig-dst': original.destination,
    '--dport': original.destinationPort,
    '--reply-src': reply.source,
    '--reply-port-src': reply.sourcePort,
  };
  const byClient = {
    '--orig-src': original.source,
    '--sport': original.sourcePort,
    '--reply-dst': reply.destination,
    '--reply-port-dst': reply.destinationPort,
  };
  const filter = {
    '--zone': 0,
    '--orig-zone': 0,
    '--reply-zone': 0,
    ...byFrontendAndEndpoint,
    ...(count === 1 ? byClient : {}),
  };
  return Object.entries(filter).flatMap(([option, value]) => [option, String(value)]);
}
