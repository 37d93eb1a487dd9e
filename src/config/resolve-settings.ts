// Converts a configuration to the settings of the daemon.

import { parseAddress } from '../net/address.ts';
import { parseAddressPort } from '../net/address-port.ts';
import { type Prefix, parsePrefix } from '../net/prefix.ts';
import type { DetectLocal, ProxyOptions } from '../nftables/compile/node-view.ts';
import type { NodePortAddress } from '../services/model/node-port-addresses.ts';
import type { OwnPort } from '../services/model/own-ports.ts';
import type { Configuration } from './configuration.ts';
import { ConfigurationError } from './schema/configuration-error.ts';
import { isGateEnabled } from './schema/feature-gates.ts';
import { parseDuration } from './schema/go-duration.ts';
import { KUBE_PROXY_KIND, type KubeProxyConfiguration } from './schema/kube-proxy-schema.ts';
import { NFTLANE_KIND, type NftlaneConfiguration } from './schema/nftlane-schema.ts';
import type { KubeProxyConfig, NftlaneConfig, Settings } from './settings.ts';

interface ResolveOptions {
  /** The host name, the default of the node name. */
  readonly hostname: string;
  readonly configFile?: string | undefined;
  /** URL of the API server; overrides the kubeconfig. */
  readonly master?: string | undefined;
}

const HEALTHZ_PORT = 10256;
const METRICS_PORT = 10249;
/** kube-proxy logs debug information from this verbosity on. */
const DEBUG_VERBOSITY = 4;

/** The settings of the daemon. Throws a {@link ConfigurationError} if the node has no name, or without a source that it needs. */
export function resolveSettings(configuration: Configuration, options: ResolveOptions): Settings {
  const { kubeProxy, nftlane } = configuration;
  const manifests = nftlane.manifests === '' ? undefined : nftlane.manifests;
  if (manifests === undefined && nftlane.serviceClusterIPRange.length > 0) {
    const path = `${NFTLANE_KIND}.serviceClusterIPRange`;
    const reason = 'requires manifests: an API server assigns cluster IPs itself';
    throw new ConfigurationError('the configuration', [{ path, reason }]);
  }
  return {
    proxy: resolveProxyOptions(configuration, options.hostname),
    kubeProxy: resolveKubeProxy(configuration, options.master),
    nftlane: resolveNftlane(nftlane, kubeProxy),
    manifests,
    configFile: options.configFile,
    documents: { kubeProxy, nftlane },
  };
}

/** The proxy options. Throws a {@link ConfigurationError} if the node has no name. */
export function resolveProxyOptions({ kubeProxy, nftlane }: Configuration, hostname: string): ProxyOptions {
  const section = kubeProxy.mode === 'nftables' ? kubeProxy.nftables : kubeProxy.iptables;
  const bindAddress = specificAddress(kubeProxy.bindAddress);
  return {
    nodeName: nodeName(kubeProxy.hostnameOverride, hostname),
    masqueradeAll: section.masqueradeAll,
    masqueradeBit: section.masqueradeBit,
    detectLocal: detectLocal(kubeProxy),
    nodePortAddresses: kubeProxy.nodePortAddresses.flatMap(nodePortAddress),
    strictSourceRanges: nftlane.strictSourceRanges,
    keepRouteSource: nftlane.keepRouteSource,
    serviceClusterIpRange: nftlane.serviceClusterIPRange.flatMap((text) => toList(parsePrefix(text))),
    limits: nftlane.limits,
    ...(isGateEnabled(kubeProxy.featureGates, 'AllowServiceExternalIPs') ? {} : { proxiesExternalIps: false }),
    tcpBeLiberal: kubeProxy.conntrack.tcpBeLiberal,
    ...(bindAddress === undefined ? {} : { bindAddress }),
    ownPorts: ownPorts({ kubeProxy, nftlane }),
  };
}

type ServedConfiguration = Pick<Configuration, 'kubeProxy' | 'nftlane'>;

function ownPorts(configuration: ServedConfiguration): OwnPort[] {
  const { health, metrics } = serverAddresses(configuration);
  return [
    ...(health === undefined ? [] : [{ ...health, name: 'the health port of nftlane' }]),
    ...(metrics === undefined ? [] : [{ ...metrics, name: 'the metrics port of nftlane' }]),
  ];
}

/** The addresses of the servers; `undefined` for a disabled server. */
function serverAddresses({ kubeProxy, nftlane }: ServedConfiguration) {
  return {
    health: nftlane.serveHealth ? parseAddressPort(kubeProxy.healthzBindAddress, HEALTHZ_PORT) : undefined,
    metrics: nftlane.serveMetrics ? parseAddressPort(kubeProxy.metricsBindAddress, METRICS_PORT) : undefined,
  };
}

/** The name without surrounding spaces; a blank name is an error. */
function nodeName(override: string, hostname: string): string {
  const name = (override === '' ? hostname : override).trim().toLowerCase();
  if (name !== '') return name;
  const path = `${KUBE_PROXY_KIND}.hostnameOverride`;
  throw new ConfigurationError('the configuration', [{ path, reason: 'the node has no name' }]);
}

function specificAddress(text: string): string | undefined {
  const address = parseAddress(text);
  return address === '0.0.0.0' || address === '::' ? undefined : address;
}

function detectLocal({ detectLocalMode, detectLocal: names, clusterCIDR }: KubeProxyConfiguration): DetectLocal {
  switch (detectLocalMode) {
    case '':
    case 'ClusterCIDR':
      return {
        mode: 'ClusterCIDR',
        cidrs: clusterCIDR.split(',').flatMap((text): Prefix[] => toList(parsePrefix(text))),
      };
    case 'NodeCIDR':
      return { mode: 'NodeCIDR' };
    case 'BridgeInterface':
      return { mode: 'BridgeInterface', name: names.bridgeInterface };
    case 'InterfaceNamePrefix':
      return { mode: 'InterfaceNamePrefix', name: names.interfaceNamePrefix };
  }
}

function nodePortAddress(text: string): NodePortAddress[] {
  return text === 'primary' || text === 'all' || text === 'localhost' ? [text] : toList(parsePrefix(text));
}

function toList<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}

function resolveKubeProxy({ kubeProxy, nftlane }: Configuration, master: string | undefined): KubeProxyConfig {
  const { mode, conntrack, clientConnection } = kubeProxy;
  const servers = serverAddresses({ kubeProxy, nftlane });
  const { syncPeriod, minSyncPeriod } = kubeProxy[mode === '' ? 'iptables' : mode];
  return {
    featureGates: kubeProxy.featureGates,
    clientConnection: { kubeconfig: clientConnection.kubeconfig || undefined, master: master || undefined },
    healthzBindAddress: servers.health,
    metricsBindAddress: servers.metrics,
    bindAddress: specificAddress(kubeProxy.bindAddress),
    bindAddressHardFail: kubeProxy.bindAddressHardFail,
    enableProfiling: kubeProxy.enableProfiling,
    oomScoreAdj: kubeProxy.oomScoreAdj,
    conntrack: {
      maxPerCore: conntrack.maxPerCore,
      min: conntrack.min,
      tcpEstablishedTimeoutMs: durationMs(conntrack.tcpEstablishedTimeout),
      tcpCloseWaitTimeoutMs: durationMs(conntrack.tcpCloseWaitTimeout),
      tcpBeLiberal: conntrack.tcpBeLiberal,
      udpTimeoutMs: durationMs(conntrack.udpTimeout),
      udpStreamTimeoutMs: durationMs(conntrack.udpStreamTimeout),
    },
    configSyncPeriodMs: durationMs(kubeProxy.configSyncPeriod),
    syncPeriodMs: durationMs(syncPeriod),
    minSyncPeriodMs: durationMs(minSyncPeriod),
  };
}

function resolveNftlane(nftlane: NftlaneConfiguration, { logging }: KubeProxyConfiguration): NftlaneConfig {
  const { takeOver, tableOwnership, fastPath, metrics, massLoss, programs, runDir, log } = nftlane;
  const gracePeriodMs = durationMs(massLoss.gracePeriod);
  return {
    takeOver,
    tableOwnership,
    fastPath,
    metrics,
    massLoss: {
      enabled: gracePeriodMs > 0,
      gracePeriodMs,
      percent: massLoss.percent,
      minServices: massLoss.minServices,
    },
    nft: programs.nft,
    conntrack: programs.conntrack,
    runDir,
    log: {
      level: log.level ?? (logging.verbosity >= DEBUG_VERBOSITY ? 'debug' : 'info'),
      format: log.format ?? (logging.format === 'json' ? 'json' : 'auto'),
    },
  };
}

/** The schema has already validated durations. */
function durationMs(duration: string): number {
  return parseDuration(duration) ?? 0;
}
