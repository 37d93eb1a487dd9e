// Validates KubeProxyConfiguration beyond the types of its fields, except the sections of other modes.

import { parseAddress } from '../../net/address.ts';
import { parseAddressPort } from '../../net/address-port.ts';
import { type Prefix, parsePrefix } from '../../net/prefix.ts';
import type { ConfigurationProblem } from './configuration-error.ts';
import { formatValue } from './decode.ts';
import { checkGates, isGateEnabled } from './feature-gates.ts';
import { parseDuration } from './go-duration.ts';
import { KUBE_PROXY_KIND, type KubeProxyConfiguration } from './kube-proxy-schema.ts';

type ReportProblem = (field: string, reason: string) => void;

/** Keywords of `nodePortAddresses` besides CIDR blocks. */
const NODE_PORT_KEYWORDS = ['primary', 'all', 'localhost'] as const;

/** At most 15 characters (IFNAMSIZ), none of which needs escaping in nft strings. */
const INTERFACE_NAME = /^[A-Za-z0-9._@:-]{1,15}$/;

/** The longest time between two syncs of kube-proxy limits minSyncPeriod. */
const MAX_SYNC_PERIOD_MS = 3_600_000;

/** All problems, with paths that start with the kind. */
export function validateKubeProxy(config: KubeProxyConfiguration): ConfigurationProblem[] {
  const problems: ConfigurationProblem[] = [];
  const report: ReportProblem = (field, reason) => problems.push({ path: `${KUBE_PROXY_KIND}.${field}`, reason });
  checkGates(config.featureGates, report);
  checkLogging(config, report);
  checkAddresses(config, report);
  checkPeriods(config, report);
  checkDetectLocal(config, report);
  checkNodePortAddresses(config.nodePortAddresses, report);
  checkConntrack(config, report);
  if (config.mode === 'ipvs') checkIpvs(config, report);
  return problems;
}

function checkLogging({ logging, featureGates }: KubeProxyConfiguration, report: ReportProblem): void {
  if (!['text', 'json'].includes(logging.format)) {
    report('logging.format', `${formatValue(logging.format)} is neither "text" nor "json"`);
  }
  if (logging.vmodule.length > 0 && logging.format !== 'text') {
    report('logging.vmodule', 'requires logging.format "text"');
  }
  for (const [index, { filePattern }] of logging.vmodule.entries()) {
    if (filePattern === '') report(`logging.vmodule[${index}].filePattern`, 'must not be empty');
  }
  if (isGateEnabled(featureGates, 'LoggingAlphaOptions')) return;
  for (const format of ['text', 'json'] as const) {
    const { splitStream, infoBufferSize } = logging.options[format];
    const field = `logging.options.${format}`;
    if (splitStream) report(`${field}.splitStream`, 'requires the feature gate LoggingAlphaOptions');
    if (String(infoBufferSize) !== '0')
      report(`${field}.infoBufferSize`, 'requires the feature gate LoggingAlphaOptions');
  }
}

function checkAddresses(config: KubeProxyConfiguration, report: ReportProblem): void {
  if (parseAddress(config.bindAddress) === undefined) {
    report('bindAddress', `${formatValue(config.bindAddress)} is not an IP address`);
  }
  for (const field of ['healthzBindAddress', 'metricsBindAddress'] as const) {
    if (parseAddressPort(config[field], 1) === undefined) {
      report(field, `${formatValue(config[field])} is neither an IP address nor IP:port with a port from 1 to 65535`);
    }
  }
}

function checkPeriods(config: KubeProxyConfiguration, report: ReportProblem): void {
  if (durationMs(config.configSyncPeriod) <= 0)
    report('configSyncPeriod', `${config.configSyncPeriod} is not greater than 0`);
  const { syncPeriod, minSyncPeriod } = config[config.mode === '' ? 'iptables' : config.mode];
  const section = config.mode === '' ? 'iptables' : config.mode;
  if (durationMs(syncPeriod) <= 0) report(`${section}.syncPeriod`, `${syncPeriod} is not greater than 0`);
  if (durationMs(minSyncPeriod) < 0) report(`${section}.minSyncPeriod`, `${minSyncPeriod} is less than 0`);
  if (durationMs(minSyncPeriod) > durationMs(syncPeriod)) {
    report(`${section}.syncPeriod`, `${syncPeriod} is less than ${section}.minSyncPeriod (${minSyncPeriod})`);
  }
  if (durationMs(minSyncPeriod) > MAX_SYNC_PERIOD_MS)
    report(`${section}.minSyncPeriod`, `${minSyncPeriod} is greater than 1h0m0s`);
}

function checkDetectLocal(config: KubeProxyConfiguration, report: ReportProblem): void {
  const { detectLocal, detectLocalMode: mode, clusterCIDR } = config;
  const names = [
    ['BridgeInterface', 'bridgeInterface'],
    ['InterfaceNamePrefix', 'interfaceNamePrefix'],
  ] as const;
  for (const [nameMode, field] of names) {
    if (mode !== nameMode || INTERFACE_NAME.test(detectLocal[field])) continue;
    const path = `detectLocal.${field}`;
    if (detectLocal[field] === '') report(path, `is required with detectLocalMode ${nameMode}`);
    else report(path, `${formatValue(detectLocal[field])} is not an interface name`);
  }
  if (mode === 'ClusterCIDR' && clusterCIDR !== '') checkClusterCidr(clusterCIDR, report);
}

/** Does not trim: like kube-proxy, rejects a space next to the comma. */
function checkClusterCidr(text: string, report: ReportProblem): void {
  const prefixes: Prefix[] = [];
  for (const part of text.split(',')) {
    const prefix = parsePrefix(part);
    if (prefix === undefined) report('clusterCIDR', `${formatValue(part)} is not a CIDR block`);
    else prefixes.push(prefix);
  }
  if (prefixes.length > 2) report('clusterCIDR', 'has more than two CIDR blocks');
  if (prefixes.length === 2 && prefixes[0]?.family === prefixes[1]?.family) {
    report('clusterCIDR', 'has two CIDR blocks of the same family');
  }
}

function checkNodePortAddresses(addresses: readonly string[], report: ReportProblem): void {
  for (const [index, text] of addresses.entries()) {
    if ((NODE_PORT_KEYWORDS as readonly string[]).includes(text) || parsePrefix(text) !== undefined) continue;
    const keywords = NODE_PORT_KEYWORDS.map((word) => `"${word}"`).join(', ');
    report(`nodePortAddresses[${index}]`, `${formatValue(text)} is neither a CIDR block nor one of ${keywords}`);
  }
}

function checkConntrack({ conntrack }: KubeProxyConfiguration, report: ReportProblem): void {
  const timeouts = ['tcpEstablishedTimeout', 'tcpCloseWaitTimeout', 'udpTimeout', 'udpStreamTimeout'] as const;
  for (const field of timeouts) {
    if (durationMs(conntrack[field]) < 0) report(`conntrack.${field}`, `${conntrack[field]} is less than 0`);
  }
}

function checkIpvs({ ipvs }: KubeProxyConfiguration, report: ReportProblem): void {
  for (const field of ['tcpTimeout', 'tcpFinTimeout', 'udpTimeout'] as const) {
    if (durationMs(ipvs[field]) < 0) report(`ipvs.${field}`, `${ipvs[field]} is less than 0`);
  }
  for (const [index, text] of ipvs.excludeCIDRs.entries()) {
    if (parsePrefix(text) === undefined)
      report(`ipvs.excludeCIDRs[${index}]`, `${formatValue(text)} is not a CIDR block`);
  }
}

/** The schema has already validated durations. */
function durationMs(duration: string): number {
  return parseDuration(duration) ?? 0;
}
