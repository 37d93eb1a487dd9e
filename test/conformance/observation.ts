// What a client observes of an outcome, and whether the observation is the expected one.

import type { FlowOutcome } from '../../src/explain/flow/flow-outcome.ts';
import { type Host, isHostAddress } from '../../src/net/host.ts';
import type { DialReport } from '../support/netns/traffic/programs/messages.ts';
import { type Cell, WRONG_PORT } from './cells.ts';

/** What a client observes: the pods that answer, the client address that they see, or how the connection ends. */
export interface Observation {
  readonly end: 'answered' | 'refused' | 'silent' | 'mixed';
  /** Names of the pods that answer, sorted. */
  readonly pods: readonly string[];
  /** The client address that pods see: `client` for its own, `node` for one of this node. Both when pods differ. */
  readonly clients: readonly string[];
}

const NO_ANSWER = { pods: [], clients: [] };

/** The observation that an outcome implies. `podAt` names the pod at an address. */
export function toExpectedObservation(
  { packet }: Cell,
  { outcome, destinations }: FlowOutcome,
  { host, podAt }: { host: Host; podAt: (address: string) => string },
): Observation {
  switch (outcome) {
    case 'refuse':
      return { end: 'refused', ...NO_ANSWER };
    case 'drop':
      return { end: 'silent', ...NO_ANSWER };
    case 'forward':
      return {
        end: 'answered',
        pods: unique(destinations.map(({ address }) => podAt(address))),
        clients: unique(
          destinations.map(({ masquerade }) => (masquerade || isHostAddress(host, packet.source) ? 'node' : 'client')),
        ),
      };
    case 'untouched':
      if (isHostAddress(host, packet.destination)) return { end: 'refused', ...NO_ANSWER };
      if (packet.destinationPort !== WRONG_PORT) return { end: 'silent', ...NO_ANSWER };
      return { end: 'answered', pods: ['outside'], clients: [isHostAddress(host, packet.source) ? 'node' : 'client'] };
  }
}

/**
 * The observation that dial reports amount to. A datagram of a local process fails with EPERM both when it is refused and
 * when it is dropped; the expected one of the two counts as observed.
 */
export function toObservation(
  reports: readonly DialReport[],
  cell: Cell,
  { host, expected }: { host: Host; expected: Observation },
): Observation {
  const total = (count: (report: DialReport) => number) => reports.reduce((sum, report) => sum + count(report), 0);
  const attempts = total(({ attempts }) => attempts);
  const notPermitted = total(({ errors }) => errors['EPERM'] ?? 0);
  const isOwnDatagram = cell.packet.inInterface === undefined && cell.protocol === 'udp';
  const [refusals, silences] = isOwnDatagram && expected.end === 'silent' ? [0, notPermitted] : [notPermitted, 0];
  const ends = {
    answered: total(({ answered }) => answered),
    refused: total(({ refused }) => refused) + refusals,
    silent: total(({ timedOut }) => timedOut) + silences,
  };
  const [end] = Object.entries(ends).find(([, count]) => count === attempts) ?? ['mixed'];
  const seen = unique(reports.flatMap(({ clients }) => clients));
  const clients = seen.map((address) => nameClient(address, cell, host));
  return {
    end: end as Observation['end'],
    pods: unique(reports.flatMap(({ pods }) => Object.keys(pods))),
    clients: unique(clients),
  };
}

function nameClient(address: string, { packet }: Cell, host: Host): string {
  if (isHostAddress(host, address)) return 'node';
  return address === packet.source ? 'client' : address;
}

/** Whether an observation is the expected one. A sticky client observes one endpoint of several. */
export function isAsExpected(seen: Observation, expected: Observation, { sticky }: Pick<Cell, 'sticky'>): boolean {
  if (seen.end !== expected.end) return false;
  const within = (some: readonly string[], all: readonly string[]) => some.every((value) => all.includes(value));
  if (!within(seen.pods, expected.pods) || !within(seen.clients, expected.clients)) return false;
  if (sticky && seen.pods.length < expected.pods.length) return expected.pods.length === 0 || seen.pods.length > 0;
  return within(expected.pods, seen.pods) && within(expected.clients, seen.clients);
}

/** An observation in a few words: `a c (client)`, `a c (node)`, `refused`. */
export function printObservation({ end, pods, clients }: Observation): string {
  if (end !== 'answered') return [end, ...pods].join(' ');
  return `${pods.join(' ')} (${clients.join(', ')})`;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)].sort();
}
