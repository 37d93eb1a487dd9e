// The order in which the kernel runs the base chains of a hook, and where it translates.

import type { TracedPacket } from './traced-packet.ts';

export interface BasePlace {
  readonly hook: string;
  readonly type: string;
  readonly priority: number;
}

export interface BaseChain extends BasePlace {
  run(): 'next' | 'accept' | 'refuse' | 'drop';
  /** Notes the chain if it could have an effect: it follows a translation with the same priority, or precedes it. */
  check(): void;
}

export type Stop = 'refuse' | 'drop';

interface HookOptions {
  readonly hook: string;
  readonly packet: TracedPacket;
  /** Called when a chain has masqueraded the packet. */
  readonly masquerade: () => void;
}

/**
 * Where the kernel translates: NF_IP_PRI_NAT_DST and NF_IP_PRI_NAT_SRC. It runs all chains of type nat there; their own
 * priorities only order them among each other (nf_nat_register_fn).
 */
const TRANSLATION: Readonly<Partial<Record<string, number>>> = {
  ...{ prerouting: -100, output: -100 },
  ...{ input: 100, postrouting: 100 },
};

/** Runs base chains by priority. `accept` ends only the base chain that it is in. */
export function runHook(chains: readonly BaseChain[], options: HookOptions): Stop | undefined {
  const { hook, packet } = options;
  const translation = TRANSLATION[hook] ?? Number.POSITIVE_INFINITY;
  const sorted = [...chains].sort((a, b) => a.priority - b.priority);
  const filters = sorted.filter(({ type }) => type !== 'nat');
  const before = filters.filter(({ priority }) => priority <= translation);
  // Which comes first, the translation or a chain with the same priority, depends on which of both was added first.
  const atTranslation = before.filter(({ priority }) => priority === translation);
  const stopped = runInOrder(before, packet);
  if (stopped !== undefined) {
    for (const chain of atTranslation) chain.check();
    return stopped;
  }
  const untranslated = { ...packet };
  const refused = translate(
    sorted.filter(({ type }) => type === 'nat'),
    options,
  );
  if (refused !== undefined) return refused;
  if (isChanged(untranslated, packet)) for (const chain of atTranslation) chain.check();
  return runInOrder(filters.slice(before.length), packet);
}

function runInOrder(chains: readonly BaseChain[], packet: TracedPacket): Stop | undefined {
  for (const chain of chains) {
    packet.isTracked = isTrackedAt(chain, packet);
    const verdict = chain.run();
    if (verdict === 'refuse' || verdict === 'drop') return verdict;
  }
  return undefined;
}

/** The kernel translates packets of known flows itself. The first chain that translates a new flow is the last one that sees it. */
function translate(chains: readonly BaseChain[], { hook, packet, masquerade }: HookOptions): Stop | undefined {
  if (packet.isUntracked) return undefined;
  packet.isTracked = true;
  if (packet.state !== 'new') {
    Object.assign(packet, packet.knownTranslations[hook]);
    return undefined;
  }
  let translatedAt: number | undefined;
  for (const chain of chains) {
    if (translatedAt !== undefined) {
      if (chain.priority === translatedAt) chain.check();
      continue;
    }
    const before = translations(packet);
    const verdict = chain.run();
    if (verdict === 'refuse' || verdict === 'drop') return verdict;
    if (translations(packet) !== before) translatedAt = chain.priority;
  }
  if (translatedAt !== undefined && packet.masqueraded) masquerade();
  return undefined;
}

function isChanged(before: TracedPacket, after: TracedPacket): boolean {
  return (['source', 'sourcePort', 'destination', 'port'] as const).some((field) => before[field] !== after[field]);
}

/** NF_IP_PRI_CONNTRACK. */
const CONNTRACK_PRIORITY = -200;

/** Whether connection tracking has seen a packet. One that a process sends to its own host keeps its entry. */
function isTrackedAt({ hook, priority }: BasePlace, { isFromHost, isUntracked }: TracedPacket): boolean {
  if (isUntracked) return false;
  if (hook === 'ingress') return false;
  if (hook === 'output') return priority > CONNTRACK_PRIORITY;
  return hook !== 'prerouting' || isFromHost || priority > CONNTRACK_PRIORITY;
}

/** Changes when a chain translates the packet. */
export function translations({ translated, masqueraded }: TracedPacket): string {
  return `${translated} ${masqueraded}`;
}
