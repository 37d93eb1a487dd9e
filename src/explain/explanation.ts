// One flow: what should become of it and why, and what the kernel's ruleset makes of it.
import type { Engine } from '../engine/engine.ts';
import type { FastPathView } from '../fastpath/status/status.ts';
import type { Backend } from '../services/model/backends.ts';
import { whyBackend } from '../services/model/select.ts';
import type { ServicePortModel } from '../services/model/service-port.ts';
import { explainFastPath, type FastPathFate } from './fast-path-explanation.ts';
import { differencesOf, type Landing, type Outcome } from './flow/fate.ts';
import type { Host, Packet } from './flow/packet.ts';
import type { Ruleset } from './ruleset/ruleset.ts';
import { trace } from './ruleset/trace.ts';
import type { TraceStep } from './ruleset/walk.ts';
import { buildDirectory, type Listing } from './services/directory.ts';
import { route, type Verdict } from './services/route.ts';

export interface ExplainedEndpoint {
  readonly endpoint: string;
  readonly node: string;
  /** The part of such flows that it gets, from 0 to 1. */
  readonly share: number;
  /** `undefined` for one that gets none. */
  readonly masquerade: boolean | undefined;
  readonly why: string;
}

export interface Explanation {
  readonly packet: Packet;
  readonly outcome: Outcome;
  readonly service: string | undefined;
  readonly reason: string;
  readonly steps: readonly string[];
  readonly endpoints: readonly ExplainedEndpoint[];
  readonly kernel: {
    readonly outcome: Outcome;
    readonly landings: readonly Landing[];
    readonly steps: readonly TraceStep[];
  };
  /** Not there when it is switched off, nobody runs who would know, or no Service is dialled. */
  readonly fastPath?: FastPathFate;
  /** Where the kernel does something else than it should. */
  readonly differences: readonly string[];
}

/** The engine knows what is wanted; the ruleset is what the kernel has. */
export function explain(
  packet: Packet,
  {
    engine,
    ruleset,
    host,
    fastPath: view,
  }: { engine: Engine; ruleset: Ruleset; host: Host; fastPath?: FastPathView | undefined },
): Explanation {
  const { store, node } = engine;
  const state = { services: store.services.values(), slicesOf: (service: string) => store.slicesOf(service) };
  const verdict = route(packet, buildDirectory(state, node, host));
  const { outcome, landings, steps, otherwise } = trace(packet, ruleset, host);
  const differences = differencesOf(verdict, { outcome, landings }, { a: 'the Services', b: 'the kernel' });
  const fastPath = verdict.listing === undefined ? undefined : explainFastPath(packet, view);
  const torn = otherwise.map((other) => `the kernel: ${outcome}, but on other draws ${other}`);
  return {
    packet,
    outcome: verdict.outcome,
    service: verdict.listing?.service.key,
    reason: verdict.reason,
    steps: verdict.steps,
    endpoints: verdict.listing === undefined ? [] : endpointsOf(verdict.listing, verdict, engine),
    ...(fastPath === undefined ? {} : { fastPath }),
    kernel: { outcome, landings, steps },
    differences: [...differences, ...torn],
  };
}

function endpointsOf(listing: Listing, { landings }: Verdict, engine: Engine): ExplainedEndpoint[] {
  const { service, frontend } = listing;
  const { name, protocol } = frontend.servicePort;
  const model = engine
    .model(service.key)
    .find(({ family, port }) => family === frontend.family && port.name === name && port.protocol === protocol);
  return (model?.backends ?? []).map((backend) => {
    const landing = landings.find(({ address, port }) => address === backend.address && port === backend.port);
    return {
      endpoint: backend.name,
      node: backend.nodeName,
      share: landing?.share ?? 0,
      masquerade: landing?.masquerade,
      why: model === undefined ? '' : why(backend, { listing, model, engine, used: landing !== undefined }),
    };
  });
}

function why(
  backend: Backend,
  { listing, model, engine, used }: { listing: Listing; model: ServicePortModel; engine: Engine; used: boolean },
): string {
  const { selection, wants } = model;
  const usable = selection.cluster.includes(backend) || selection.local.includes(backend);
  if (!used && usable) {
    if (listing.service.weights[backend.address] === 0) return 'its weight is 0';
    const isRemote = `on node ${backend.nodeName || '(none)'}`;
    if (!backend.local) return `${isRemote}, and this client may use endpoints of this node only`;
    return 'not for this client';
  }
  return whyBackend(backend, selection, wants, { nodeName: engine.node.name, zone: engine.node.zone });
}
