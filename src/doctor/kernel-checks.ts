// The kernel's version, and the rights of this process.
import { type Check, type DoctorContext, ok, problem, warning } from './check.ts';

/** The first kernel that takes all of our rules. */
const MIN_KERNEL = [5, 10] as const;

export async function checkKernel({ system }: DoctorContext): Promise<Check[]> {
  const release = (await system.read('/proc/sys/kernel/osrelease')).trim();
  const [major = 0, minor = 0] = release.split('.').map(Number);
  const isOld = major * 1000 + minor < MIN_KERNEL[0] * 1000 + MIN_KERNEL[1];
  const advice = `use ${MIN_KERNEL.join('.')} or newer; what an older one lacks is said of nftables`;
  const kernel = isOld ? warning('kernel', `${release} is old`, advice) : ok('kernel', release);
  const hasProtocols = (await system.read('/etc/protocols')) !== '';
  const numbers = 'there is none: nft prints numbers for protocols (nftlane reads both)';
  const install = 'install the package netbase where people are to read `nft list`';
  const protocols = hasProtocols ? ok('/etc/protocols', 'there') : warning('/etc/protocols', numbers, install);
  return [kernel, protocols];
}

const NET_ADMIN = 1n << 12n;

export async function checkPrivileges({ system }: DoctorContext): Promise<Check[]> {
  const [, hex = '0'] = /^CapEff:\s*([0-9a-f]+)/m.exec(await system.read('/proc/self/status')) ?? [];
  if ((BigInt(`0x${hex}`) & NET_ADMIN) !== 0n) return [ok('privileges', 'CAP_NET_ADMIN is there')];
  return [problem('privileges', 'CAP_NET_ADMIN is missing', 'run as root, or give the container this capability')];
}
