// The backends of a Service port, from its EndpointSlices.

import { compare } from '../../lib/compare.ts';
import { inSteps, runSteps, type Steps, sortSteps } from '../../lib/steps.ts';
import { printAddressPort } from '../../net/address-port.ts';
import type { Family } from '../../net/family.ts';
import type { EndpointSlice, SliceEndpoint } from '../objects/endpoint-slice.ts';
import type { ServicePort } from '../objects/service-ports.ts';

/** An endpoint at the port of a slice. */
export interface Backend extends Omit<SliceEndpoint, 'nodeName'> {
  readonly port: number;
  /** `address:port`, `[address]:port` for IPv6. Identifies the backend within its port. */
  readonly name: string;
  readonly nodeName: string;
  /** It runs on this node. */
  readonly isLocal: boolean;
  /** What each entry says, if there are several for this address and port. */
  readonly entries?: readonly BackendEntry[];
}

/** An entry of a slice for a backend that has several. */
export interface BackendEntry extends Pick<Backend, 'ready' | 'serving' | 'terminating' | 'nodeName'> {
  /** `namespace/name` of the slice. */
  readonly slice: string;
}

/**
 * The backends of one port in one family, sorted by name. Slice ports match by name and protocol. Several entries for the same
 * address and port are merged, so that the result depends neither on the order of slices nor on that of their entries.
 */
export function* backendSteps(
  slices: readonly EndpointSlice[],
  { port, family, nodeName }: { port: ServicePort; family: Family; nodeName: string },
): Steps<Backend[]> {
  const found = new FoundBackends();
  for (const slice of slices) {
    if (slice.family !== family) continue;
    for (const slicePort of slice.ports) {
      if (slicePort.name !== port.name || slicePort.protocol !== port.protocol) continue;
      yield* inSteps(slice.endpoints, (endpoint) => {
        found.add(toBackend(endpoint, slicePort.port, { family, nodeName }), slice.key);
      });
      if (slices.length > 1) yield;
    }
  }
  return yield* sortSteps(found.merged(), (a, b) => compare(a.name, b.name));
}

/** The result of {@link backendSteps}, without interruption. */
export function backendsOf(...parameters: Parameters<typeof backendSteps>): Backend[] {
  return runSteps(backendSteps(...parameters));
}

function toBackend(endpoint: SliceEndpoint, port: number, at: { family: Family; nodeName: string }): Backend {
  const name = printAddressPort({ address: endpoint.address, port });
  const local = at.nodeName !== '' && endpoint.nodeName === at.nodeName;
  const { address, ready, serving, terminating, nodeName, zoneHints, nodeHints } = endpoint;
  return { address, ready, serving, terminating, nodeName, zoneHints, nodeHints, port, name, isLocal: local };
}

/** An entry with the key of its slice. */
interface FoundEntry {
  readonly backend: Backend;
  readonly slice: string;
}

/** Backends by name, with all entries of those that have several. */
class FoundBackends {
  readonly #first = new Map<string, FoundEntry>();
  readonly #repeated = new Map<string, FoundEntry[]>();

  add(backend: Backend, slice: string): void {
    const entry = { backend, slice };
    const first = this.#first.get(backend.name);
    const repeated = this.#repeated.get(backend.name);
    if (first === undefined) this.#first.set(backend.name, entry);
    else if (repeated === undefined) this.#repeated.set(backend.name, [first, entry]);
    else repeated.push(entry);
  }

  merged(): Backend[] {
    return Array.from(this.#first, ([name, { backend }]) => {
      const entries = this.#repeated.get(name);
      return entries === undefined ? backend : mergeEntries(backend, entries);
    });
  }
}

/**
 * One backend of several entries with its address and port, as of two slices in transition, or of two pods that have had the
 * address. The most usable entries decide, so that one that is out of date takes no endpoint away. Of their nodes, this one
 * takes precedence. Hints count if each of them has some, because an entry without hints is for every client.
 */
function mergeEntries({ address, port, name }: Backend, entries: readonly FoundEntry[]): Backend {
  const backends = entries.map(({ backend }) => backend);
  const best = Math.max(...backends.map(usability));
  const decisive = backends.filter((backend) => usability(backend) === best);
  const located = nearestOf(decisive) ?? nearestOf(backends);
  return {
    address,
    ready: decisive.some(({ ready }) => ready),
    serving: decisive.some(({ serving }) => serving),
    terminating: decisive.every(({ terminating }) => terminating),
    nodeName: located?.nodeName ?? '',
    zoneHints: mergeHints(decisive.map(({ zoneHints }) => zoneHints)),
    nodeHints: mergeHints(decisive.map(({ nodeHints }) => nodeHints)),
    port,
    name,
    isLocal: located?.isLocal ?? false,
    entries: entries.map(toEntry).sort(compareEntries),
  };
}

/** From 3 for an endpoint that is ready and stays to 0 for one that gets no new connections. */
function usability({ ready, serving, terminating }: Backend): number {
  if (ready) return terminating ? 2 : 3;
  return serving && terminating ? 1 : 0;
}

/** A backend of this node, or else the one whose node has the first name; `undefined` if no entry names a node. */
function nearestOf(backends: readonly Backend[]): Backend | undefined {
  const located = backends.filter(({ nodeName }) => nodeName !== '').sort((a, b) => compare(a.nodeName, b.nodeName));
  return located.find(({ isLocal }) => isLocal) ?? located[0];
}

function mergeHints(hints: readonly (readonly string[])[]): readonly string[] {
  return hints.every(({ length }) => length > 0) ? [...new Set(hints.flat())].sort(compare) : [];
}

function toEntry({ backend: { ready, serving, terminating, nodeName }, slice }: FoundEntry): BackendEntry {
  return { slice, ready, serving, terminating, nodeName };
}

function compareEntries(a: BackendEntry, b: BackendEntry): number {
  return compare(a.slice, b.slice) || compare(JSON.stringify(a), JSON.stringify(b));
}
