// Where inspection commands get the wanted state from: the running daemon, or manifests.

import { Engine, type KernelListing } from '../engine/engine.ts';
import type { FastPathView } from '../fastpath/status/status.ts';
import { readHost } from '../host/network/host.ts';
import { missingIpv6 } from '../host/network/missing-ipv6.ts';
import { CommandError, EXIT } from '../lib/exit-status.ts';
import type { Family } from '../net/family.ts';
import { RESET_ENDED } from '../nftables/compile/chains.ts';
import type { ProxyOptions } from '../nftables/compile/node-view.ts';
import { describeFinding, type Finding } from '../services/objects/finding.ts';
import { deliverManifests } from '../sources/manifests/deliver-manifests.ts';
import { loadManifests } from '../sources/manifests/manifest-files.ts';
import { AdminError, adminSocketPath, fetchState } from './admin-socket.ts';
import { type DaemonState, engineFrom } from './state.ts';

export interface LiveSource {
  /** Manifests to compare with; without them the daemon of this network namespace is asked. */
  readonly file: string | undefined;
  readonly runDir: string;
  /** How this node proxies, where manifests are given: the daemon knows for itself. */
  readonly proxy: () => ProxyOptions;
}

/** A source's engine, compiled so that it keeps the slots of the kernel, and what could not be used on the way. */
export interface Live {
  readonly engine: Engine;
  readonly findings: readonly Finding[];
  /** What the daemon tells of its fast path. */
  readonly fastPath?: FastPathView;
}

/** Asks the source, and compiles its objects against what the kernel holds. */
export async function openLive(source: LiveSource, listing: KernelListing): Promise<Live> {
  return source.file === undefined
    ? fromDaemon(source.runDir, listing)
    : fromManifests(source.file, source.proxy(), listing);
}

async function fromDaemon(runDir: string, listing: KernelListing): Promise<Live> {
  const state = await askDaemon(runDir);
  if (!state.ready)
    throw new CommandError(EXIT.environment, 'Cannot tell yet: the daemon is still waiting for its objects');
  const engine = engineFrom(state);
  engine.adopt(listing);
  engine.compile();
  for (const refusal of state.refusals) engine.refuse(refusal);
  const { findings, fastPath } = state;
  return { engine, findings, ...(fastPath === undefined ? {} : { fastPath }) };
}

/** What the daemon of this network namespace knows; `orManifests`: the command could do without. Throws {@link CommandError} when there is none. */
export async function askDaemon(runDir: string, { orManifests = true } = {}): Promise<DaemonState> {
  try {
    return await fetchState(adminSocketPath(runDir));
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    const instead = orManifests ? ' With -f FILE|DIR manifests are taken instead' : '';
    const hint = `is nftlane running in this network namespace?${instead}`;
    throw new CommandError(EXIT.environment, `${error.message} (${hint})`, { cause: error });
  }
}

/** Whether the fast path is on depends on this machine: what the kernel has for it counts as wanted. */
async function fromManifests(file: string, proxy: ProxyOptions, listing: KernelListing): Promise<Live> {
  const families: Family[] | undefined = (await missingIpv6()) === undefined ? undefined : ['ip'];
  const resetsEnded = listing.chains.some((target) => target.endsWith(` ${RESET_ENDED}`));
  const { engine, findings } = await loadEngine(file, { ...proxy, families, resetsEnded });
  engine.adopt(listing);
  engine.compile();
  return { engine, findings };
}

/** An engine with the objects of manifests, not compiled yet. Throws {@link CommandError} when a file cannot be read. */
export async function loadEngine(file: string, proxy: ProxyOptions): Promise<Live> {
  const manifests = await loadManifests(file);
  if (manifests.errors.length > 0) {
    throw new CommandError(EXIT.input, manifests.errors.map((error) => error.message).join('\n'));
  }
  const engine = new Engine(proxy);
  engine.setHostAddresses((await readHost()).addresses);
  deliverManifests(manifests.objects, engine);
  return { engine, findings: [...manifests.findings, ...engine.store.findings()] };
}

/** Says on standard error what could not be used. */
export function warn(findings: readonly Finding[]): void {
  for (const finding of findings) process.stderr.write(`warning: ${describeFinding(finding)}\n`);
}
