// `run --init-only`: kernel settings, and the fast path's programs, in an init container that may do more than the daemon.

import type { Settings } from '../config/settings.ts';
import { declare } from '../engine/transaction.ts';
import { prepare } from '../fastpath/loader/prepare.ts';
import type { Log } from '../host/log.ts';
import { applyConntrackSettings } from '../host/sysctl/apply-settings.ts';
import { LocalhostRouting } from '../host/sysctl/localhost-routing.ts';
import { tellOutcomes } from '../host/sysctl/tell-outcomes.ts';
import { CommandError, EXIT } from '../lib/exit-status.ts';
import { reasonOf } from '../lib/reason.ts';
import { Kernel } from '../nftables/client/kernel.ts';
import { staticChains } from '../nftables/compile/chains.ts';
import { type ProxyOptions, viewNode } from '../nftables/compile/node-view.ts';
import { writeChain } from '../nftables/syntax/operation.ts';
import { loaderPath } from './run-fast-path.ts';

/** Sets them. Throws {@link CommandError} when one could not be set: this is what it was called for. */
export async function initOnly({ config, own, proxy }: Settings, log: Log): Promise<void> {
  const outcomes = await applyConntrackSettings(config.conntrack);
  tellOutcomes(outcomes, log);
  const problems = outcomes.flatMap(({ state, problem }) => (state === 'failed' ? [problem] : []));
  if (proxy.nodePortAddresses.includes('localhost')) {
    await guardLoopback(own.nft, proxy);
    if (!(await new LocalhostRouting(log).open())) problems.push('Cannot set net.ipv4.conf.all.route_localnet to 1');
  }
  if (own.fastPath.mode !== 'off') await prepareFastPath(own, log);
  if (problems.length > 0) throw new CommandError(EXIT.environment, problems.join('\n'));
}

/** The daemon decides whether it can do without. */
async function prepareFastPath({ fastPath, conntrack }: Settings['own'], log: Log): Promise<void> {
  const { directory, maxFlows } = fastPath;
  try {
    const { udp } = await prepare({ program: loaderPath(fastPath.program), directory, conntrack, maxFlows });
    log.info('the fast path is prepared', { directory, udp });
  } catch (error) {
    log.warn('the fast path cannot be prepared', { reason: reasonOf(error) });
  }
}

/**
 * Until the daemon is there nothing else keeps the network away from loopback addresses once they are routed. The daemon
 * finds this chain in its table, and takes it over.
 */
async function guardLoopback(nft: string, proxy: ProxyOptions): Promise<void> {
  const kernel = new Kernel({ command: nft });
  const node = viewNode(proxy, { node: undefined, hostAddresses: [], serviceCidrs: [] });
  const guards = staticChains('ip', node).filter(({ name }) => name === 'guard-prerouting');
  const operations = [...declare({ families: ['ip'] }), ...guards.flatMap((chain) => writeChain('ip', chain))];
  try {
    await kernel.check();
    await kernel.run(operations.map(({ line }) => line));
  } finally {
    kernel.close();
  }
}
