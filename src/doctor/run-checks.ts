// All examinations, one after the other.

import { errorMessage } from '../lib/error-message.ts';
import { type Check, type CheckFunction, type DoctorContext, problem } from './check.ts';
import { checkKernel, checkPrivileges } from './kernel-checks.ts';
import { checkNft } from './nft-checks.ts';
import { checkMtu, checkNodePortRange, checkPorts } from './port-checks.ts';
import { checkDaemon, checkKubeProxy } from './proxy-checks.ts';
import { checkForeignRules } from './ruleset-checks.ts';
import { checkConntrack, checkConntrackSysctls, checkForwarding, checkPacketPaths } from './sysctl-checks.ts';

const CHECKS: Readonly<Record<string, CheckFunction>> = {
  privileges: checkPrivileges,
  kernel: checkKernel,
  nft: checkNft,
  daemon: checkDaemon,
  'kube-proxy': checkKubeProxy,
  'other rules': checkForeignRules,
  forwarding: checkForwarding,
  paths: checkPacketPaths,
  conntrack: checkConntrack,
  'conntrack settings': checkConntrackSysctls,
  ports: checkPorts,
  'node port range': checkNodePortRange,
  MTU: checkMtu,
};

/** Examines this machine. Changes nothing, and never throws: what cannot be looked at is a problem of its own. */
export async function runChecks(context: DoctorContext): Promise<Check[]> {
  const checks: Check[] = [];
  for (const [name, check] of Object.entries(CHECKS)) {
    try {
      checks.push(...(await check(context)));
    } catch (error) {
      const reason = errorMessage(error);
      checks.push(problem(name, `cannot be looked at: ${reason}`, 'see to what the message says, and ask again'));
    }
  }
  return checks;
}
