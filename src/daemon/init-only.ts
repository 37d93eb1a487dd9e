// `run --init-only`: applies kernel settings and loads the fast path programs, in a privileged init container.

import type { Settings } from '../config/settings.ts';
import { declareTables } from '../engine/transaction.ts';
import { prepare } from '../fastpath/loader/prepare.ts';
import type { Log } from '../host/log.ts';
import { applyConntrackSysctls } from '../host/sysctl/apply-sysctls.ts';
import { logSysctlOutcomes } from '../host/sysctl/log-sysctl-outcomes.ts';
import { RouteLocalnet } from '../host/sysctl/route-localnet.ts';
import { errorMessage } from '../lib/error-message.ts';
import { EnvironmentError } from '../lib/operational-error.ts';
import { refuseIfLocked } from '../nftables/client/lock/network-lock.ts';
import { NftClient } from '../nftables/client/nft-client.ts';
import { buildNodeView, type ProxyOptions } from '../nftables/compile/node-view.ts';
import { staticChains } from '../nftables/compile/static-chains.ts';
import { writeChain } from '../nftables/syntax/operation.ts';
import { loaderPath } from './fast-path-runner.ts';

/** Unlike the daemon, rejects with an {@link EnvironmentError} if a kernel setting cannot be applied. */
export async function initOnly({ kubeProxy, nftlane, proxy }: Settings, log: Log): Promise<void> {
  await refuseIfLocked(nftlane.nft, 'apply kernel settings');
  const outcomes = await applyConntrackSysctls(kubeProxy.conntrack);
  logSysctlOutcomes(outcomes, log);
  const problems = outcomes.flatMap(({ state, reason }) => (state === 'failed' ? [reason] : []));
  if (proxy.nodePortAddresses.includes('localhost')) {
    await writeLoopbackFirewall(nftlane, proxy);
    if (!(await new RouteLocalnet(log).enable())) problems.push('Cannot set net.ipv4.conf.all.route_localnet to 1');
  }
  if (nftlane.fastPath.mode !== 'off') await prepareFastPath(nftlane, log);
  if (problems.length > 0) throw new EnvironmentError(problems.join('\n'));
}

/** A failure is only logged: the daemon decides whether it needs the fast path. */
async function prepareFastPath({ fastPath, conntrack }: Settings['nftlane'], log: Log): Promise<void> {
  const { directory, maxFlows } = fastPath;
  try {
    const { udp } = await prepare({ program: loaderPath(fastPath.program), directory, conntrack, maxFlows });
    log.info('fast path prepared', { path: directory, udp });
  } catch (error) {
    log.warn('cannot prepare fast path', { reason: errorMessage(error) });
  }
}

/**
 * Protects loopback addresses from the network, which can reach them once route_localnet is set, until the daemon runs.
 * The daemon takes over this chain in its table.
 */
async function writeLoopbackFirewall({ nft, tableOwnership }: Settings['nftlane'], proxy: ProxyOptions): Promise<void> {
  const nftClient = new NftClient({ command: nft, tableOwnership });
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
