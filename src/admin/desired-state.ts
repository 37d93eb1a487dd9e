// The desired state for inspection commands, from the running daemon or from manifests.

import { Engine } from '../engine/engine.ts';
import type { FastPathStatus } from '../fastpath/status/fast-path-status.ts';
import { readRouteSources } from '../host/links/route-sources.ts';
import { hostNetworks } from '../host/network/host-addresses.ts';
import { ipv6UnavailableReason } from '../host/network/ipv6-support.ts';
import { readHost } from '../host/network/read-host.ts';
import { isTcpBeLiberal } from '../host/sysctl/tcp-be-liberal.ts';
import { EnvironmentError, OperationalError } from '../lib/operational-error.ts';
import { printableLine } from '../lib/printable.ts';
import type { Family } from '../net/family.ts';
import type { NodeOptions, ProxyOptions } from '../nftables/compile/node-view.ts';
import { RESET_CONNECTIONS_CHECK } from '../nftables/compile/static-chains.ts';
import type { KernelListing } from '../nftables/syntax/kernel-listing.ts';
import { formatIssue, type ValidationIssue } from '../services/objects/validation-issue.ts';
import { deliverManifests } from '../sources/manifests/deliver-manifests.ts';
import { loadManifests } from '../sources/manifests/load-manifests.ts';
import { askDaemon, knownState } from './ask-daemon.ts';
import { type CommandStatus, statusOfManifests } from './command-status.ts';
import { type DaemonState, engineFromState, selectState } from './state/daemon-state.ts';
import type { Destination } from './state/state-query.ts';

export interface DesiredStateSource {
  /** Manifests; `undefined` selects the daemon of this network namespace. */
  readonly file: string | undefined;
  readonly runDir: string;
  /** Only the objects that matter for packets to this destination are needed. */
  readonly destination?: Destination;
  /** Proxy options for manifests; the daemon has its own. */
  readonly proxy: () => ProxyOptions | Promise<ProxyOptions>;
}

/** An engine, compiled to keep the slots of the kernel, and the issues of its objects. */
interface DesiredState {
  readonly engine: Engine;
  readonly issues: readonly ValidationIssue[];
  /** What it is based on. */
  readonly status: CommandStatus;
  /** Only from a daemon. */
  readonly fastPath?: FastPathStatus;
}

/** Loads the objects of the source and compiles them against the contents of the kernel. */
export async function loadDesiredState(source: DesiredStateSource, listing: KernelListing): Promise<DesiredState> {
  return source.file === undefined
    ? fromDaemon(source, listing)
    : fromManifests(source.file, await source.proxy(), listing);
}

async function fromDaemon(
  { runDir, destination }: Pick<DesiredStateSource, 'runDir' | 'destination'>,
  listing: KernelListing,
): Promise<DesiredState> {
  const { state, status } = await loadKnownState(runDir, { destination });
  const engine = engineFromState(state);
  engine.adopt(listing);
  engine.compile();
  for (const refusal of state.refusals) engine.refuse(refusal);
  const { issues, fastPath } = state;
  return { engine, issues, status, ...(fastPath === undefined ? {} : { fastPath }) };
}

interface KnownStateOptions {
  readonly suggestManifests?: boolean;
  readonly destination?: Destination | undefined;
}

/**
 * What the daemon of this network namespace knows, or knew according to its state file. Throws an {@link EnvironmentError}
 * if there is neither; with `suggestManifests` the error suggests manifests instead.
 */
export async function loadKnownState(
  runDir: string,
  { suggestManifests = true, destination }: KnownStateOptions = {},
): Promise<{ readonly state: DaemonState; readonly status: CommandStatus }> {
  const answer = await askDaemon(runDir, destination);
  const { state, status } = knownState(answer);
  // A daemon has selected the objects itself.
  const isWhole = status.answersFrom === 'state-file';
  if (state !== undefined) return { state: isWhole ? selectState(state, destination) : state, status };
  if (answer.daemon === 'running') {
    const problems = status.problems.length === 0 ? '' : `: ${status.problems.join('; ')}`;
    throw new EnvironmentError(`Cannot read desired state: the daemon is still waiting for its objects${problems}`);
  }
  const { error } = answer;
  const alternative = suggestManifests ? ' Use -f FILE|DIR to read manifests instead' : '';
  const hint = `is nftlane running in this network namespace?${alternative}`;
  throw new EnvironmentError(`${error.message} (${hint})`, { cause: error });
}

/** Whether the fast path is in use depends on the machine: its chain counts as desired if it is in the kernel. */
async function fromManifests(file: string, proxy: ProxyOptions, listing: KernelListing): Promise<DesiredState> {
  const families: Family[] | undefined = (await ipv6UnavailableReason()) === undefined ? undefined : ['ip'];
  const resetsConnections = listing.chains.some(({ name }) => name === RESET_CONNECTIONS_CHECK);
  const tcpBeLiberal = proxy.tcpBeLiberal || (await isTcpBeLiberal());
  const routeSources = proxy.keepRouteSource === true ? await readRouteSources() : [];
  const options = { ...proxy, families, resetsConnections, tcpBeLiberal, routeSources };
  const { engine, issues } = await loadEngine(file, { options, listing });
  return { engine, issues, status: statusOfManifests(file, proxy.nodeName) };
}

/**
 * An engine that has compiled the objects of manifests, and their issues: some show only then. Throws an
 * {@link OperationalError} of kind `input` if a file cannot be read.
 */
export async function loadEngine(
  file: string,
  { options, listing }: { readonly options: NodeOptions; readonly listing: KernelListing },
): Promise<Omit<DesiredState, 'status'>> {
  const manifests = await loadManifests(file);
  if (manifests.errors.length > 0) {
    throw new OperationalError('input', manifests.errors.map((error) => error.message).join('\n'));
  }
  const engine = new Engine({ ...options, seesAllServices: true });
  engine.setHostAddresses((await readHost()).addresses, hostNetworks());
  deliverManifests(manifests.objects, engine);
  engine.adopt(listing);
  engine.compile();
  return { engine, issues: [...manifests.issues, ...engine.issues()] };
}

/** Prints issues to standard error. */
export function printWarnings(issues: readonly ValidationIssue[]): void {
  for (const issue of issues) process.stderr.write(`${printableLine(`warning: ${formatIssue(issue)}`)}\n`);
}
