// What of the daemon's work an operator should find at Services and at the Node.

import type { FailedAttempt, SyncObserver, SyncTimes, Troubles } from '../controller/observer.ts';
import type { SyncReport } from '../controller/sync.ts';
import { reasonOf } from '../lib/reason.ts';
import type { Finding } from '../services/objects/finding.ts';
import { KINDS, type Kind } from '../services/objects/kinds.ts';
import type { Happening, Regarding } from './happening.ts';

export interface EventObserverParts {
  readonly nodeName: string;
  readonly tell: (happening: Happening) => void;
  /** Whether there is such a Service. */
  readonly hasService: (key: string) => boolean;
}

/** Failures are tried again at once, and most are over before anybody could look. */
const FAILING_MS = 60_000;

/** Something that is wrong as long as it is listed, with what to say at its end. */
interface Trouble {
  readonly begins: Happening;
  readonly ends?: Happening;
}

export class EventObserver implements SyncObserver {
  readonly #parts: EventObserverParts;
  readonly #node: Regarding;
  readonly #troubles = new Map<string, Trouble>();
  #failingSince: number | undefined;
  #saidFailing = false;

  constructor(parts: EventObserverParts) {
    this.#parts = parts;
    this.#node = { kind: 'Node', key: parts.nodeName };
  }

  /** The daemon begins. */
  started(version: string): void {
    this.#ofNode('Normal', 'Starting', 'StartNftlane', `nftlane ${version} is starting`);
  }

  /** The port at which load balancers ask for the endpoints of a Service cannot be opened. `service` is its key. */
  healthPortFailed({ service, port, reason }: { service: string; port: number; reason: string }): void {
    this.#parts.tell({
      regarding: { kind: 'Service', key: service },
      type: 'Warning',
      reason: 'FailedToStartServiceHealthcheck',
      action: 'Listen',
      note: `Node ${this.#parts.nodeName} cannot answer health checks at port ${port}: ${reason}`,
      seenBy: 'this node',
    });
  }

  completed(): void {
    this.#ofNode('Normal', 'InitialLoadComplete', 'Sync', 'All Services that there were are in the kernel');
  }

  altered(chains: readonly string[]): void {
    const some = chains.length > 3 ? `${chains.slice(0, 3).join(', ')} and others` : chains.join(', ');
    this.#ofNode('Warning', 'RulesetRepaired', 'Repair', `Somebody else changed chains of nftlane (${some}): repaired`);
  }

  synced({ drift }: SyncReport, _: SyncTimes): void {
    if (drift.length > 0) {
      const note = `The kernel held something else than nftlane had put there (${drift[0]}): repaired`;
      this.#ofNode('Warning', 'RulesetRepaired', 'Repair', note);
    }
    if (this.#saidFailing)
      this.#ofNode('Normal', 'SyncRecovered', 'Sync', 'Changes of Services reach the kernel again');
    this.#failingSince = undefined;
    this.#saidFailing = false;
  }

  failed(error: unknown, { startedAt, ms }: FailedAttempt): void {
    this.#failingSince ??= startedAt;
    const seconds = Math.floor((startedAt + ms - this.#failingSince) / 1000);
    if (this.#saidFailing || seconds * 1000 < FAILING_MS) return;
    this.#saidFailing = true;
    const reason = reasonOf(error);
    this.#ofNode(
      'Warning',
      'SyncFailing',
      'Sync',
      `No change of Services has reached the kernel for ${seconds} s: ${reason}`,
    );
  }

  troubled({ findings, collisions, refused }: Troubles): void {
    const isQuiet = findings.length + collisions.length + refused.length === 0;
    if (isQuiet && this.#troubles.size === 0) return;
    const now = new Map<string, Trouble>();
    const add = (trouble: Trouble | undefined): void => {
      if (trouble !== undefined) now.set(JSON.stringify(trouble.begins), trouble);
    };
    for (const finding of findings) add(fromFinding(finding));
    for (const { frontend, winner, losers } of collisions) {
      for (const loser of losers) add(fromCollision({ frontend, winner, loser }));
    }
    for (const { service, reason } of refused) add(this.#fromRefusal(service, reason));
    this.#compare(now);
  }

  #compare(now: ReadonlyMap<string, Trouble>): void {
    for (const [key, { begins }] of now) if (!this.#troubles.has(key)) this.#parts.tell(begins);
    for (const [key, { ends }] of this.#troubles) {
      if (!now.has(key) && ends !== undefined && this.#parts.hasService(ends.regarding.key)) this.#parts.tell(ends);
    }
    this.#troubles.clear();
    for (const [key, trouble] of now) this.#troubles.set(key, trouble);
  }

  #fromRefusal(service: string, reason: string): Trouble {
    const { nodeName } = this.#parts;
    const common = { regarding: { kind: 'Service', key: service }, action: 'Sync', seenBy: 'this node' } as const;
    const begins = {
      type: 'Warning',
      reason: 'ServiceLeftOut',
      note: `Node ${nodeName} cannot serve it: ${reason}`,
    } as const;
    const ends = { type: 'Normal', reason: 'ServiceTakenIn', note: `Node ${nodeName} serves it again` } as const;
    return { begins: { ...common, ...begins }, ends: { ...common, ...ends } };
  }

  #ofNode(type: Happening['type'], reason: string, action: string, note: string): void {
    this.#parts.tell({ regarding: this.#node, type, reason, action, note, seenBy: 'this node' });
  }
}

/** An object that has no name cannot have Events either. */
function fromFinding({ object, field, value, reason, effect }: Finding): Trouble | undefined {
  const [kind = '', key = ''] = object.split(' ');
  if (!isKind(kind) || key === '') return undefined;
  const note = `${field} ${value}: ${reason}; ${effect}`;
  const what = { type: 'Warning', reason: 'FieldUnusable', action: 'Read', note } as const;
  return { begins: { regarding: { kind, key }, ...what, seenBy: 'every node' } };
}

function fromCollision({ frontend, winner, loser }: Record<'frontend' | 'winner' | 'loser', string>): Trouble {
  const common = { regarding: { kind: 'Service', key: loser }, action: 'Sync', seenBy: 'every node' } as const;
  const taken = `${frontend} belongs to ${winner}, which is older: this Service gets no traffic there`;
  const free = `${frontend} is not taken from this Service by ${winner} any more`;
  return {
    begins: { ...common, type: 'Warning', reason: 'FrontendTaken', note: taken },
    ends: { ...common, type: 'Normal', reason: 'FrontendFree', note: free },
  };
}

function isKind(kind: string): kind is Kind {
  return Object.hasOwn(KINDS, kind);
}
