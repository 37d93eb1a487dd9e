// The sysctls of connection tracking and their desired values.

/** kube-proxy's `conntrack` fields. 0 leaves a value unchanged, except for `min`. */
export interface ConntrackSettings {
  /** Entries per CPU core. 0 leaves the table size unchanged, regardless of `min`. */
  readonly maxPerCore: number;
  /** The minimum table size, regardless of the number of cores. */
  readonly min: number;
  readonly tcpEstablishedTimeoutMs: number;
  readonly tcpCloseWaitTimeoutMs: number;
  /** Accepts segments outside the window. False leaves the kernel's setting unchanged. */
  readonly tcpBeLiberal: boolean;
  readonly udpTimeoutMs: number;
  readonly udpStreamTimeoutMs: number;
}

/** kube-proxy's defaults. */
export const DEFAULT_CONNTRACK: ConntrackSettings = {
  maxPerCore: 32_768,
  min: 131_072,
  tcpEstablishedTimeoutMs: 86_400_000,
  tcpCloseWaitTimeoutMs: 3_600_000,
  tcpBeLiberal: false,
  udpTimeoutMs: 0,
  udpStreamTimeoutMs: 0,
};

/** kube-proxy's limit of the table size by cores; `min` may exceed it. */
const MAX_ENTRIES_BY_CORES = 1_048_576;

/** A sysctl and its desired value. */
export interface DesiredSysctl {
  readonly path: string;
  readonly value: number;
  /** A larger value is kept. */
  readonly atLeast?: boolean;
}

const NETFILTER = '/proc/sys/net/netfilter';

/** The number of hash buckets, which only the initial network namespace can set. */
export const HASH_SIZE = '/sys/module/nf_conntrack/parameters/hashsize';

/** The desired size of the table, in entries; `undefined` to keep the current one. */
export function conntrackTableSize({ maxPerCore, min }: ConntrackSettings, cores: number): number | undefined {
  if (maxPerCore <= 0) return undefined;
  const size = maxPerCore * cores;
  return size > MAX_ENTRIES_BY_CORES ? MAX_ENTRIES_BY_CORES : Math.max(size, min);
}

/** All sysctls, in the order in which they are set. */
export function desiredConntrackSysctls(settings: ConntrackSettings, cores: number): DesiredSysctl[] {
  const size = conntrackTableSize(settings, cores);
  const seconds = (name: string, ms: number): DesiredSysctl[] =>
    ms > 0 ? [{ path: `${NETFILTER}/${name}`, value: Math.floor(ms / 1000) }] : [];
  return [
    ...(size === undefined
      ? []
      : [
          { path: `${NETFILTER}/nf_conntrack_max`, value: size },
          // Four entries per bucket, the kernel's default.
          { path: HASH_SIZE, value: Math.floor(size / 4), atLeast: true },
        ]),
    ...seconds('nf_conntrack_tcp_timeout_established', settings.tcpEstablishedTimeoutMs),
    ...seconds('nf_conntrack_tcp_timeout_close_wait', settings.tcpCloseWaitTimeoutMs),
    ...(settings.tcpBeLiberal ? [{ path: `${NETFILTER}/nf_conntrack_tcp_be_liberal`, value: 1 }] : []),
    ...seconds('nf_conntrack_udp_timeout', settings.udpTimeoutMs),
    ...seconds('nf_conntrack_udp_timeout_stream', settings.udpStreamTimeoutMs),
  ];
}
