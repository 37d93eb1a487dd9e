// What the daemon is told: the one value that is made of flags, configuration file and defaults.

import type { LogFormat, LogLevel } from '../host/log-level.ts';
import type { ConntrackSettings } from '../host/sysctl/conntrack-sysctls.ts';
import type { Address } from '../net/address.ts';
import type { AddressPort } from '../net/address-port.ts';
import type { ProxyOptions } from '../nftables/compile/node-view.ts';
import type { Configuration } from './configuration.ts';
import type { KubeProxyConfiguration } from './schema/kube-proxy-schema.ts';
import type { NftlaneConfiguration } from './schema/nftlane-schema.ts';

/** Everything that `run` needs to know before it starts. Files, flags and defaults are joined, and all of it is checked. */
export interface Settings {
  /** How this node proxies: what the engine takes. */
  readonly proxy: ProxyOptions;
  /** What kube-proxy has too. */
  readonly kubeProxy: KubeProxyConfig;
  /** What only nftlane has. */
  readonly nftlane: NftlaneConfig;
  /** A directory of manifests; without it objects come from an API server. */
  readonly manifests: string | undefined;
  /** The configuration file, which is watched; absent where there are flags only. */
  readonly configFile: string | undefined;
  /** What all of this was made of, in the shape of the file and with defaults filled in. */
  readonly documents: { readonly kubeProxy: KubeProxyConfiguration; readonly nftlane: NftlaneConfiguration };
}

/** Settings, and the configuration that they were made of, with its warnings. */
export interface LoadedSettings {
  readonly settings: Settings;
  readonly configuration: Configuration;
}

/**
 * KubeProxyConfiguration as nftlane reads it, defaults filled in. Durations are in milliseconds. Fields that have no effect
 * here (those of other modes, of Windows) are not in it.
 */
export interface KubeProxyConfig {
  /** The gates that were given, by name. */
  readonly featureGates: Readonly<Record<string, boolean>>;
  readonly clientConnection: ClientConnection;
  /** `undefined` for 0.0.0.0 and ::, which say nothing. Otherwise it stands for the node's own address of its family. */
  readonly bindAddress: Address | undefined;
  /** Where a server listens; `undefined` where it is switched off. */
  readonly healthzBindAddress: AddressPort | undefined;
  readonly metricsBindAddress: AddressPort | undefined;
  /** A server that cannot listen ends the process, instead of trying again. */
  readonly bindAddressHardFail: boolean;
  readonly enableProfiling: boolean;
  /** -1000 to 1000. */
  readonly oomScoreAdj: number;
  readonly conntrack: ConntrackSettings;
  readonly configSyncPeriodMs: number;
  /** The least time between two syncs, and how long to wait after one that failed. */
  readonly minSyncPeriodMs: number;
  readonly syncPeriodMs: number;
}

export interface ClientConnection {
  /** `undefined` for the service account of this pod. */
  readonly kubeconfig: string | undefined;
  /** URL of the API server, in place of the kubeconfig's. */
  readonly master: string | undefined;
}

/** NftlaneConfiguration, defaults filled in, without what is in {@link ProxyOptions} and elsewhere in {@link Settings}. */
export interface NftlaneConfig {
  /** Whether kube-proxy's rules are removed when ours are complete. */
  readonly takeOver: 'auto' | 'no';
  readonly fastPath: FastPathConfig;
  readonly metrics: MetricsConfig;
  /** The programs: a name that is looked for in PATH, or a path. */
  readonly nft: string;
  readonly conntrack: string;
  /** Where the socket for inspection is. */
  readonly runDir: string;
  readonly log: { readonly level: LogLevel; readonly format: LogFormat };
}

export interface FastPathConfig {
  /** `auto` uses it where the kernel can; `required` does not start without it. */
  readonly mode: 'off' | 'auto' | 'required';
  /** Names of the interfaces that traffic from outside comes in by; empty: those with a default route. */
  readonly uplinks: readonly string[];
  /** Where everything is pinned. */
  readonly directory: string;
  /** The program that loads it: a name that is looked for beside this program and in PATH, or a path. */
  readonly program: string;
  /** How many flows of each family it has room for. */
  readonly maxFlows: number;
}

export interface MetricsConfig {
  /** Of how many Service ports, the busiest first, new connections are counted, and of as many endpoints. 0: of none. */
  readonly connections: number;
}
