// Explains one flow: the expected outcome with its reasons, and the outcome in the kernel's ruleset.

import type { Engine } from '../engine/engine.ts';
import { formatLimit } from '../engine/service-limits.ts';
import type { FastPathStatus } from '../fastpath/status/fast-path-status.ts';
import type { Host } from '../net/host.ts';
import type { Backend } from '../services/model/backends.ts';
import { explainBackend } from '../services/model/select-backends.ts';
import type { ServicePortModel } from '../services/model/service-port.ts';
import type { Service } from '../services/objects/service.ts';
import { formatIssue, type ValidationIssue } from '../services/objects/validation-issue.ts';
import { explainFastPath, type FastPathOutcome } from './fast-path-explanation.ts';
import { type Destination, diffOutcomes, type Outcome } from './flow/flow-outcome.ts';
import type { Packet } from './flow/packet.ts';
import { linkLocalEffect } from './link-local-client.ts';
import type { Ruleset } from './ruleset/ruleset.ts';
import { type ResolvedFlow, resolveFlow } from './services/resolve-flow.ts';
import { buildServiceTable, type FrontendEntry } from './services/service-table.ts';
import { trace } from './trace/trace.ts';
import type { TraceStep } from './trace/walk-result.ts';

export interface ExplainedEndpoint {
  readonly endpoint: string;
  readonly node: string;
  /** The fraction of such flows that it receives, from 0 to 1. */
  readonly share: number;
  /** `undefined` if it receives none. */
  readonly masquerade: boolean | undefined;
  readonly reason: string;
}

export interface Explanation {
  readonly packet: Packet;
  readonly outcome: Outcome;
  readonly service: string | undefined;
  readonly reason: string;
  readonly steps: readonly string[];
  readonly endpoints: readonly ExplainedEndpoint[];
  /** Absent if there is no ruleset to ask. */
  readonly kernel?: KernelOutcome;
  /** The input interface is that of this machine's route to the client, and the node may have another. */
  readonly isInterfaceAssumed?: boolean;
  /** Absent if the fast path is off, no daemon reports its status, or the destination is not a frontend. */
  readonly fastPath?: FastPathOutcome;
  /** Differences between the kernel and the expected outcome. */
  readonly differences: readonly string[];
}

/** With the outcome in the kernel. */
export type ComparedExplanation = Explanation & Required<Pick<Explanation, 'kernel'>>;

interface KernelOutcome {
  readonly outcome: Outcome;
  readonly destinations: readonly Destination[];
  readonly steps: readonly TraceStep[];
  /** Rules that may change this outcome, because they cannot be evaluated: `inet filter forward: ...`. */
  readonly concerns: readonly string[];
}

export interface ExplainInput {
  readonly engine: Engine;
  readonly ruleset: Ruleset;
  readonly host: Host;
  readonly fastPath?: FastPathStatus | undefined;
  /** The issues of all objects. */
  readonly issues?: readonly ValidationIssue[];
}

/** Compares the objects of the engine with the ruleset of the kernel. */
export function explain(packet: Packet, { ruleset, ...input }: ExplainInput): ComparedExplanation {
  const explained = explainByServices(packet, input);
  const { outcome, destinations, steps, otherOutcomes, concerns } = trace(packet, ruleset, input.host);
  const isRefused = linkLocalEffect(packet, { destinations }, input.host)?.isRefused === true;
  const differences = diffOutcomes(explained.resolved, { outcome, destinations }, { a: 'expected', b: 'kernel' });
  const inconsistencies = otherOutcomes.map((other) => `kernel: ${outcome}, but ${other} for other random numbers`);
  return {
    ...explained.explanation,
    kernel: { outcome: isRefused ? 'refuse' : outcome, destinations, steps, concerns },
    differences: [...differences, ...inconsistencies, ...concerns.map((rule) => `may change the outcome: ${rule}`)],
  };
}

/** The outcome by the Services alone. */
export function explainByServices(
  packet: Packet,
  { engine, host, fastPath: fastPathStatus, issues = [] }: Omit<ExplainInput, 'ruleset'>,
): { readonly resolved: ResolvedFlow; readonly explanation: Explanation } {
  const { store, node } = engine;
  const state = {
    services: engine.services(),
    slicesOf: (service: string) => store.slicesOf(service),
    slices: store.slices(),
  };
  const resolved = withLimit(resolveFlow(packet, buildServiceTable(state, node, host)), packet, engine);
  const linkLocal = linkLocalEffect(packet, resolved, host);
  const { outcome, reason } = linkLocal?.isRefused === true ? { ...linkLocal, outcome: 'refuse' as const } : resolved;
  const fastPath = resolved.entry === undefined ? undefined : explainFastPath(packet, fastPathStatus);
  const explanation = {
    packet,
    outcome,
    service: resolved.entry?.service.key,
    reason,
    steps: [
      ...resolved.steps,
      ...(linkLocal === undefined ? [] : [linkLocal.reason]),
      ...sliceProblems(resolved, issues),
    ],
    endpoints: resolved.entry === undefined ? [] : endpointsOf(resolved.entry, resolved, engine),
    ...(fastPath === undefined ? {} : { fastPath }),
    differences: [],
  };
  return { resolved, explanation };
}

/** The slices from which the Service of a refused flow gets no endpoints. */
function sliceProblems({ outcome, entry }: ResolvedFlow, issues: readonly ValidationIssue[]): string[] {
  if (outcome !== 'refuse' || entry === undefined) return [];
  return issues.filter(({ service }) => service === entry.service.key).map(formatIssue);
}

/** Names the limit that keeps the Service of this destination from being served. */
function withLimit(resolved: ResolvedFlow, packet: Packet, engine: Engine): ResolvedFlow {
  if (resolved.entry !== undefined) return resolved;
  const limit = engine
    .limited()
    .find(({ service, effect }) => effect === 'left-out' && isDestination(packet, engine.store.services.get(service)));
  if (limit === undefined) return resolved;
  const step = `Service ${limit.service} ${formatLimit(limit)}`;
  return { ...resolved, reason: step, steps: [...resolved.steps, step] };
}

/** Whether the Service has this destination. */
function isDestination({ destination, destinationPort, protocol }: Packet, service: Service | undefined): boolean {
  if (service === undefined) return false;
  const { clusterIps, externalIps, loadBalancerIps, ports } = service;
  const isAddress = [...Object.values(clusterIps), ...externalIps, ...loadBalancerIps].includes(destination);
  const port = ports.find(
    (candidate) => candidate.protocol === protocol && [candidate.port, candidate.nodePort].includes(destinationPort),
  );
  return port !== undefined && (isAddress || port.nodePort === destinationPort);
}

function endpointsOf(entry: FrontendEntry, { destinations }: ResolvedFlow, engine: Engine): ExplainedEndpoint[] {
  const { service, frontend } = entry;
  const { name, protocol } = frontend.servicePort;
  const model = engine
    .model(service.key)
    .find(({ family, port }) => family === frontend.family && port.name === name && port.protocol === protocol);
  return (model?.backends ?? []).map((backend) => {
    const destination = destinations.find(({ address, port }) => address === backend.address && port === backend.port);
    return {
      endpoint: backend.name,
      node: backend.nodeName,
      share: destination?.share ?? 0,
      masquerade: destination?.masquerade,
      reason: model === undefined ? '' : reasonFor(backend, { entry, model, engine, used: destination !== undefined }),
    };
  });
}

function reasonFor(
  backend: Backend,
  { entry, model, engine, used }: { entry: FrontendEntry; model: ServicePortModel; engine: Engine; used: boolean },
): string {
  const { selection, endpointUsage } = model;
  const usable = selection.cluster.includes(backend) || selection.local.includes(backend);
  if (!used && usable) {
    if (entry.service.weights[backend.address] === 0) return 'its weight is 0';
    const location = `on node ${backend.nodeName || '(none)'}`;
    if (!backend.isLocal) return `${location}, but this client may only use endpoints on this node`;
    return 'not eligible for this client';
  }
  const node = { nodeName: engine.node.name, zone: engine.node.zone };
  return explainBackend(backend, { selection, usage: endpointUsage, node });
}
