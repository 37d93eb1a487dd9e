// All examinations, one after the other.

import { reasonOf } from '../lib/reason.ts';
import { type Check, type Examination, type Machine, problem } from './check.ts';
import { checkKernel, checkNft, checkPrivileges } from './nft-checks.ts';
import { checkNodePorts, checkPacketSizes, checkPorts } from './port-checks.ts';
import { checkDaemon, checkKubeProxy } from './proxy-checks.ts';
import { checkOtherRules } from './ruleset-checks.ts';
import { checkConntrack, checkForwarding, checkPaths, checkSettings } from './sysctl-checks.ts';

const EXAMINATIONS: Readonly<Record<string, Examination>> = {
  privileges: checkPrivileges,
  kernel: checkKernel,
  nft: checkNft,
  daemon: checkDaemon,
  'kube-proxy': checkKubeProxy,
  'other rules': checkOtherRules,
  forwarding: checkForwarding,
  paths: checkPaths,
  conntrack: checkConntrack,
  'conntrack settings': checkSettings,
  ports: checkPorts,
  'node port range': checkNodePorts,
  'packet sizes': checkPacketSizes,
};

/** Examines this machine. Changes nothing, and never throws: what cannot be looked at is a problem of its own. */
export async function examine(machine: Machine): Promise<Check[]> {
  const checks: Check[] = [];
  for (const [name, look] of Object.entries(EXAMINATIONS)) {
    try {
      checks.push(...(await look(machine)));
    } catch (error) {
      const reason = reasonOf(error);
      checks.push(problem(name, `cannot be looked at: ${reason}`, 'see to what the message says, and ask again'));
    }
  }
  return checks;
}
