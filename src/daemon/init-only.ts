// `run --init-only`: kernel settings, and the fast path's programs, in an init container that may do more than the daemon.

import type { Settings } from '../config/settings.ts';
import { declareTables } from '../engine/transaction.ts';
import { prepare } from '../fastpath/loader/prepare.ts';
import type { Log } from '../host/log.ts';
import { applyConntrackSysctls } from '../host/sysctl/apply-sysctls.ts';
import { logSysctlOutcomes } from '../host/sysctl/log-sysctl-outcomes.ts';
import { RouteLocalnet } from '../host/sysctl/route-localnet.ts';
import { errorMessage } from '../lib/error-message.ts';
import { EnvironmentError } from '../lib/operational-error.ts';
import { NftClient } from '../nftables/client/nft-client.ts';
import { buildNodeView, type ProxyOptions } from '../nftables/compile/node-view.ts';
import { staticChains } from '../nftables/compile/static-chains.ts';
import { writeChain } from '../nftables/syntax/operation.ts';
import { loaderPath } from './fast-path-runner.ts';

/** Sets them. Throws {@link EnvironmentError} when one could not be set: this is what it was called for. */
export async function initOnly({ kubeProxy, nftlane, proxy }: Settings, log: Log): Promise<void> {
  const outcomes = await applyConntrackSysctls(kubeProxy.conntrack);
  logSysctlOutcomes(outcomes, log);
  const problems = outcomes.flatMap(({ state, reason }) => (state === 'failed' ? [reason] : []));
  if (proxy.nodePortAddresses.includes('localhost')) {
    await writeLoopbackFirewall(nftlane.nft, proxy);
    if (!(await new RouteLocalnet(log).enable())) problems.push('Cannot set net.ipv4.conf.all.route_localnet to 1');
  }
  if (nftlane.fastPath.mode !== 'off') await prepareFastPath(nftlane, log);
  if (problems.length > 0) throw new EnvironmentError(problems.join('\n'));
}

/** The daemon decides whether it can do without. */
async function prepareFastPath({ fastPath, conntrack }: Settings['nftlane'], log: Log): Promise<void> {
  const { directory, maxFlows } = fastPath;
  try {
    const { udp } = await prepare({ program: loaderPath(fastPath.program), directory, conntrack, maxFlows });
    log.info('the fast path is prepared', { directory, udp });
  } catch (error) {
    log.warn('the fast path cannot be prepared', { reason: errorMessage(error) });
  }
}

/**
 * Until the daemon is there nothing else keeps the network away from loopback addresses once they are routed. The daemon
 * finds this chain in its table, and takes it over.
 */
async function writeLoopbackFirewall(nft: string, proxy: ProxyOptions): Promise<void> {
  const nftClient = new NftClient({ command: nft });
  const node = buildNodeView(proxy, { node: undefined, hostAddresses: [], serviceCidrs: [] });
  const firewallChains = staticChains('ip', node).filter(({ name }) => name === 'filter-prerouting-pre-dnat');
  const operations = [
    ...declareTables({ families: ['ip'] }),
    ...firewallChains.flatMap((chain) => writeChain('ip', chain)),
  ];
  try {
    await nftClient.check();
    await nftClient.apply(operations.map(({ line }) => line));
  } finally {
    nftClient.close();
  }
}
