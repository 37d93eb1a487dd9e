// Runs all checks, one after the other.

import { errorMessage } from '../lib/error-message.ts';
import { type Check, type CheckFunction, type DoctorContext, problem } from './check.ts';
import { checkKernel, checkPrivileges } from './kernel-checks.ts';
import { limitNft } from './machine/nft-limit.ts';
import { checkMasquerade } from './masquerade-check.ts';
import { checkNft } from './nft-checks.ts';
import { checkObjects } from './object-checks.ts';
import { checkMtu, checkNodePortRange, checkPorts } from './port-checks.ts';
import { checkDaemon, checkKubeProxy } from './proxy-checks.ts';
import { checkForeignRules } from './ruleset-checks.ts';
import { checkConntrack, checkConntrackSysctls, checkForwarding, checkPacketPaths } from './sysctl-checks.ts';

const CHECKS: Readonly<Record<string, CheckFunction>> = {
  privileges: checkPrivileges,
  kernel: checkKernel,
  nft: checkNft,
  daemon: checkDaemon,
  objects: checkObjects,
  'kube-proxy': checkKubeProxy,
  'other rules': checkForeignRules,
  forwarding: checkForwarding,
  paths: checkPacketPaths,
  masquerade: checkMasquerade,
  conntrack: checkConntrack,
  'conntrack settings': checkConntrackSysctls,
  ports: checkPorts,
  'node port range': checkNodePortRange,
  MTU: checkMtu,
};

/** Checks this machine. Changes nothing, and never throws: a check that fails is reported as a problem. */
export async function runChecks(context: DoctorContext): Promise<Check[]> {
  const checks: Check[] = [];
  const nft = limitNft(context.system, context.nft);
  const limited = { ...context, system: nft.system };
  for (const [name, check] of Object.entries(CHECKS)) {
    try {
      checks.push(...(await check(limited)));
    } catch (error) {
      nft.failed(error);
      const reason = errorMessage(error);
      checks.push(problem(name, `the check failed: ${reason}`, 'fix the reported error and run the command again'));
    }
  }
  return checks;
}
