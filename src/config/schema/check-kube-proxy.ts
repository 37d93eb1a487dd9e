// What KubeProxyConfiguration must obey besides the types of its fields. Sections of other modes are not looked at.
import { parseAddress } from '../../net/address.ts';
import { parseBindAddress } from '../../net/bind-address.ts';
import { type Prefix, parsePrefix } from '../../net/prefix.ts';
import type { Problem } from './configuration-error.ts';
import { shown } from './decode.ts';
import { checkGates, isGateOn } from './feature-gates.ts';
import { parseDuration } from './go-duration.ts';
import { KUBE_PROXY_KIND, type KubeProxyConfiguration } from './kube-proxy-schema.ts';

type Complain = (field: string, reason: string) => void;

/** The words that may stand among the blocks of `nodePortAddresses`. */
export const NODE_PORT_WORDS = ['primary', 'all', 'localhost'] as const;

/** The kernel's own limit (IFNAMSIZ), and no character that could leave its quotes. */
const INTERFACE_NAME = /^[A-Za-z0-9._@:-]{1,15}$/;

/** minSyncPeriod may not be longer than the longest time between two syncs of kube-proxy. */
const LONGEST_MS = 3_600_000;

/** Everything that is wrong, with paths that begin with the kind. */
export function checkKubeProxy(config: KubeProxyConfiguration): Problem[] {
  const problems: Problem[] = [];
  const complain: Complain = (field, reason) => problems.push({ path: `${KUBE_PROXY_KIND}.${field}`, reason });
  checkGates(config.featureGates, complain);
  checkLogging(config, complain);
  checkAddresses(config, complain);
  checkPeriods(config, complain);
  checkDetection(config, complain);
  checkNodePortAddresses(config.nodePortAddresses, complain);
  checkConntrack(config, complain);
  if (config.mode === 'ipvs') checkIpvs(config, complain);
  return problems;
}

function checkLogging({ logging, featureGates }: KubeProxyConfiguration, complain: Complain): void {
  if (!['text', 'json'].includes(logging.format)) {
    complain('logging.format', `${shown(logging.format)} is neither "text" nor "json"`);
  }
  if (logging.vmodule.length > 0 && logging.format !== 'text') {
    complain('logging.vmodule', 'is taken with logging.format "text" only');
  }
  for (const [index, { filePattern }] of logging.vmodule.entries()) {
    if (filePattern === '') complain(`logging.vmodule[${index}].filePattern`, 'must not be empty');
  }
  if (isGateOn(featureGates, 'LoggingAlphaOptions')) return;
  for (const form of ['text', 'json'] as const) {
    const { splitStream, infoBufferSize } = logging.options[form];
    const field = `logging.options.${form}`;
    if (splitStream) complain(`${field}.splitStream`, 'needs the feature gate LoggingAlphaOptions');
    if (String(infoBufferSize) !== '0')
      complain(`${field}.infoBufferSize`, 'needs the feature gate LoggingAlphaOptions');
  }
}

function checkAddresses(config: KubeProxyConfiguration, complain: Complain): void {
  if (parseAddress(config.bindAddress) === undefined) {
    complain('bindAddress', `${shown(config.bindAddress)} is not an IP address`);
  }
  for (const field of ['healthzBindAddress', 'metricsBindAddress'] as const) {
    if (parseBindAddress(config[field], 1) === undefined) {
      complain(field, `${shown(config[field])} is neither an IP address nor IP:port with a port from 1 to 65535`);
    }
  }
}

function checkPeriods(config: KubeProxyConfiguration, complain: Complain): void {
  if (ms(config.configSyncPeriod) <= 0) complain('configSyncPeriod', `${config.configSyncPeriod} is not more than 0`);
  const { syncPeriod, minSyncPeriod } = config[config.mode === '' ? 'iptables' : config.mode];
  const section = config.mode === '' ? 'iptables' : config.mode;
  if (ms(syncPeriod) <= 0) complain(`${section}.syncPeriod`, `${syncPeriod} is not more than 0`);
  if (ms(minSyncPeriod) < 0) complain(`${section}.minSyncPeriod`, `${minSyncPeriod} is less than 0`);
  if (ms(minSyncPeriod) > ms(syncPeriod)) {
    complain(`${section}.syncPeriod`, `${syncPeriod} is less than ${section}.minSyncPeriod, which is ${minSyncPeriod}`);
  }
  if (ms(minSyncPeriod) > LONGEST_MS) complain(`${section}.minSyncPeriod`, `${minSyncPeriod} is more than 1h0m0s`);
}

function checkDetection(config: KubeProxyConfiguration, complain: Complain): void {
  const { detectLocal, detectLocalMode: mode, clusterCIDR } = config;
  const names = [
    ['BridgeInterface', 'bridgeInterface'],
    ['InterfaceNamePrefix', 'interfaceNamePrefix'],
  ] as const;
  for (const [ofMode, field] of names) {
    if (mode !== ofMode || INTERFACE_NAME.test(detectLocal[field])) continue;
    const path = `detectLocal.${field}`;
    if (detectLocal[field] === '') complain(path, `is needed with detectLocalMode ${ofMode}`);
    else complain(path, `${shown(detectLocal[field])} is not an interface name`);
  }
  if (mode === 'ClusterCIDR' && clusterCIDR !== '') checkClusterCidr(clusterCIDR, complain);
}

/** Split without trimming: a blank beside the comma belongs to the block, and is wrong. */
function checkClusterCidr(text: string, complain: Complain): void {
  const prefixes: Prefix[] = [];
  for (const part of text.split(',')) {
    const prefix = parsePrefix(part);
    if (prefix === undefined) complain('clusterCIDR', `${shown(part)} is not a CIDR block`);
    else prefixes.push(prefix);
  }
  if (prefixes.length > 2) complain('clusterCIDR', 'has more than two blocks');
  if (prefixes.length === 2 && prefixes[0]?.family === prefixes[1]?.family) {
    complain('clusterCIDR', 'has two blocks of one family');
  }
}

function checkNodePortAddresses(addresses: readonly string[], complain: Complain): void {
  for (const [index, text] of addresses.entries()) {
    if ((NODE_PORT_WORDS as readonly string[]).includes(text) || parsePrefix(text) !== undefined) continue;
    const words = NODE_PORT_WORDS.map((word) => `"${word}"`).join(', ');
    complain(`nodePortAddresses[${index}]`, `${shown(text)} is neither a CIDR block nor one of ${words}`);
  }
}

function checkConntrack({ conntrack }: KubeProxyConfiguration, complain: Complain): void {
  const timeouts = ['tcpEstablishedTimeout', 'tcpCloseWaitTimeout', 'udpTimeout', 'udpStreamTimeout'] as const;
  for (const field of timeouts) {
    if (ms(conntrack[field]) < 0) complain(`conntrack.${field}`, `${conntrack[field]} is less than 0`);
  }
}

function checkIpvs({ ipvs }: KubeProxyConfiguration, complain: Complain): void {
  for (const field of ['tcpTimeout', 'tcpFinTimeout', 'udpTimeout'] as const) {
    if (ms(ipvs[field]) < 0) complain(`ipvs.${field}`, `${ipvs[field]} is less than 0`);
  }
  for (const [index, text] of ipvs.excludeCIDRs.entries()) {
    if (parsePrefix(text) === undefined) complain(`ipvs.excludeCIDRs[${index}]`, `${shown(text)} is not a CIDR block`);
  }
}

/** Durations are looked at by their schema already. */
function ms(duration: string): number {
  return parseDuration(duration) ?? 0;
}
