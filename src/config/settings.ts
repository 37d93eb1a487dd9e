// The settings of the daemon, combined from flags, configuration file and defaults.

import type { LogFormat, LogLevel } from '../host/log-level.ts';
import type { ConntrackSettings } from '../host/sysctl/conntrack-sysctls.ts';
import type { Address } from '../net/address.ts';
import type { AddressPort } from '../net/address-port.ts';
import type { ProxyOptions } from '../nftables/compile/node-view.ts';
import type { Configuration } from './configuration.ts';
import type { KubeProxyConfiguration } from './schema/kube-proxy-schema.ts';
import type { NftlaneConfiguration } from './schema/nftlane-schema.ts';

/** All settings of `run`, validated. */
export interface Settings {
  /** The options of the engine. */
  readonly proxy: ProxyOptions;
  /** Settings of KubeProxyConfiguration. */
  readonly kubeProxy: KubeProxyConfig;
  /** Settings of NftlaneConfiguration. */
  readonly nftlane: NftlaneConfig;
  /** Directory of manifests; `undefined` if objects come from an API server. */
  readonly manifests: string | undefined;
  /** Path of the configuration file, which is watched; `undefined` without one. */
  readonly configFile: string | undefined;
  /** The documents that the settings were resolved from, with defaults. */
  readonly documents: { readonly kubeProxy: KubeProxyConfiguration; readonly nftlane: NftlaneConfiguration };
}

/** Settings and the configuration that they were resolved from. */
export interface LoadedSettings {
  readonly settings: Settings;
  readonly configuration: Configuration;
}

/**
 * The fields of KubeProxyConfiguration that nftlane uses, with defaults. Durations are in milliseconds. Fields without
 * effect (of other modes, of Windows) are left out.
 */
export interface KubeProxyConfig {
  /** Explicitly set gates by name. */
  readonly featureGates: Readonly<Record<string, boolean>>;
  readonly clientConnection: ClientConnection;
  /** Overrides the node's address of its family; `undefined` for 0.0.0.0 and `::`. */
  readonly bindAddress: Address | undefined;
  /** Address of the server; `undefined` if it is disabled. */
  readonly healthzBindAddress: AddressPort | undefined;
  readonly metricsBindAddress: AddressPort | undefined;
  /** Exit if a server cannot listen, instead of retrying. */
  readonly bindAddressHardFail: boolean;
  readonly enableProfiling: boolean;
  /** -1000 to 1000. */
  readonly oomScoreAdj: number;
  readonly conntrack: ConntrackSettings;
  readonly configSyncPeriodMs: number;
  readonly minSyncPeriodMs: number;
  /** Half the time after which a pending change makes the health checks fail. */
  readonly syncPeriodMs: number;
}

interface ClientConnection {
  /** `undefined` selects the service account of this pod. */
  readonly kubeconfig: string | undefined;
  /** URL of the API server; overrides the kubeconfig. */
  readonly master: string | undefined;
}

/** NftlaneConfiguration with defaults, without the fields in {@link ProxyOptions} and elsewhere in {@link Settings}. */
export interface NftlaneConfig {
  /** Whether the rules of kube-proxy are removed once ours are complete. */
  readonly takeOver: 'auto' | 'no';
  /** Whether our tables are closed to other programs, where the kernel supports it. */
  readonly tableOwnership: 'auto' | 'no';
  readonly fastPath: FastPathConfig;
  readonly metrics: MetricsConfig;
  readonly massLoss: MassLossConfig;
  /** Programs: a path, or a name in PATH. */
  readonly nft: string;
  readonly conntrack: string;
  /** Directory of the admin socket and the state files. */
  readonly runDir: string;
  readonly log: { readonly level: LogLevel; readonly format: LogFormat };
}

interface FastPathConfig {
  /** `auto` uses it if the machine supports it; `required` fails to start otherwise. */
  readonly mode: 'off' | 'auto' | 'required';
  /** Names of the interfaces that receive external traffic; empty: those with a default route. */
  readonly uplinks: readonly string[];
  /** Directory of a BPF file system where everything is pinned. */
  readonly directory: string;
  /** Loader program: a path, or a name that is searched for beside this program and in PATH. */
  readonly program: string;
  /** Maximum number of flows per family. */
  readonly maxFlows: number;
}

/** See `LossLimits`. */
interface MassLossConfig {
  readonly enabled: boolean;
  readonly percent: number;
  readonly minServices: number;
  readonly gracePeriodMs: number;
}

interface MetricsConfig {
  /** Number of Service ports, busiest first, and of endpoints whose new connections are counted. */
  readonly connections: number;
}
