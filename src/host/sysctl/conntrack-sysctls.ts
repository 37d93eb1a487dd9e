// What the kernel's connection tracking is to be set to, and the values that come out of it.
import type { ConntrackConfig } from '../../config/settings.ts';

/** kube-proxy's defaults. */
export const DEFAULT_CONNTRACK: ConntrackConfig = {
  maxPerCore: 32_768,
  min: 131_072,
  tcpEstablishedTimeoutMs: 86_400_000,
  tcpCloseWaitTimeoutMs: 3_600_000,
  tcpBeLiberal: false,
  udpTimeoutMs: 0,
  udpStreamTimeoutMs: 0,
};

/** kube-proxy does not go beyond this for the number of cores; `min` may. */
const MAX_ENTRIES_BY_CORES = 1_048_576;

/** A kernel setting by its path, and the value that it is to have. */
export interface DesiredSysctl {
  readonly path: string;
  readonly value: number;
  /** A larger value is left as it is. */
  readonly atLeast?: boolean;
}

const NETFILTER = '/proc/sys/net/netfilter';

/** Buckets of the table; of the initial network namespace only. */
export const HASH_SIZE = '/sys/module/nf_conntrack/parameters/hashsize';

/** The number of entries that the table shall have; `undefined` leaves it alone. */
export function conntrackTableSize({ maxPerCore, min }: ConntrackConfig, cores: number): number | undefined {
  if (maxPerCore <= 0) return undefined;
  const size = maxPerCore * cores;
  return size > MAX_ENTRIES_BY_CORES ? MAX_ENTRIES_BY_CORES : Math.max(size, min);
}

/** All settings in the order in which they are made. */
export function desiredConntrackSysctls(settings: ConntrackConfig, cores: number): DesiredSysctl[] {
  const size = conntrackTableSize(settings, cores);
  const seconds = (name: string, ms: number): DesiredSysctl[] =>
    ms > 0 ? [{ path: `${NETFILTER}/${name}`, value: Math.floor(ms / 1000) }] : [];
  return [
    ...(size === undefined
      ? []
      : [
          { path: `${NETFILTER}/nf_conntrack_max`, value: size },
          // Four entries to a bucket, as the kernel's own default has it.
          { path: HASH_SIZE, value: Math.floor(size / 4), atLeast: true },
        ]),
    ...seconds('nf_conntrack_tcp_timeout_established', settings.tcpEstablishedTimeoutMs),
    ...seconds('nf_conntrack_tcp_timeout_close_wait', settings.tcpCloseWaitTimeoutMs),
    ...(settings.tcpBeLiberal ? [{ path: `${NETFILTER}/nf_conntrack_tcp_be_liberal`, value: 1 }] : []),
    ...seconds('nf_conntrack_udp_timeout', settings.udpTimeoutMs),
    ...seconds('nf_conntrack_udp_timeout_stream', settings.udpStreamTimeoutMs),
  ];
}
