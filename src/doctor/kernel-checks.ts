// Checks of the kernel version and of privileges.

import { type Check, type DoctorContext, ok, problem, warning } from './check.ts';

/** The oldest kernel that accepts all rules of nftlane. */
const MIN_KERNEL = [5, 10] as const;

/** The kernel version, and the file /etc/protocols, which nft reads. */
export async function checkKernel({ system }: DoctorContext): Promise<Check[]> {
  const release = (await system.read('/proc/sys/kernel/osrelease')).trim();
  const [major = 0, minor = 0] = release.split('.').map(Number);
  const isOld = major * 1000 + minor < MIN_KERNEL[0] * 1000 + MIN_KERNEL[1];
  const advice = `use Linux ${MIN_KERNEL.join('.')} or later; the nftables checks list what this kernel lacks`;
  const kernel = isOld ? warning('kernel', `${release} is too old`, advice) : ok('kernel', release);
  const hasProtocols = (await system.read('/etc/protocols')) !== '';
  const numbers = 'missing: nft prints protocols as numbers (nftlane parses both)';
  const install = 'install the package netbase to make the output of `nft list` readable';
  const protocols = hasProtocols ? ok('/etc/protocols', 'present') : warning('/etc/protocols', numbers, install);
  return [kernel, protocols];
}

const NET_ADMIN = 1n << 12n;

/** Whether this process has CAP_NET_ADMIN. */
export async function checkPrivileges({ system }: DoctorContext): Promise<Check[]> {
  const [, hex = '0'] = /^CapEff:\s*([0-9a-f]+)/m.exec(await system.read('/proc/self/status')) ?? [];
  if ((BigInt(`0x${hex}`) & NET_ADMIN) !== 0n) return [ok('privileges', 'CAP_NET_ADMIN is available')];
  return [problem('privileges', 'CAP_NET_ADMIN is missing', 'run as root, or add this capability to the container')];
}
