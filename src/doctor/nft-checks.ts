// Whether nft and the kernel have what our rulesets are made of.

import { ipv6UnavailableReason } from '../host/network/ipv6-support.ts';
import { FAMILIES, type Family } from '../net/family.ts';
import { NftClient } from '../nftables/client/nft-client.ts';
import { NftUnavailable } from '../nftables/client/nft-error.ts';
import { NftProgram } from '../nftables/client/nft-program.ts';
import { type Check, type DoctorContext, ok, problem, warning } from './check.ts';

/** The version of nft, the right to use it, and each feature. Nothing is loaded: `nft -c` has the kernel check, and forget. */
export async function checkNft(context: DoctorContext): Promise<Check[]> {
  const nftClient = new NftClient({ command: context.nft });
  try {
    const version = await nftClient.check();
    return [ok('nft', `version ${version} at work`), ...(await checkFeatures(context))];
  } catch (error) {
    if (!(error instanceof NftUnavailable)) throw error;
    return [problem('nft', error.message, 'see docs/TROUBLESHOOTING.md, "nft cannot be used"')];
  } finally {
    nftClient.close();
  }
}

/** What our rules use, by what an operator would call it, and the kernel option that it comes with. */
function requiredFeatures(family: Family): Readonly<Record<string, readonly [option: string, body: string]>> {
  const address = family === 'ip' ? '10.0.0.1' : 'fd00::1';
  const key = `typeof ${family} daddr . meta l4proto . th dport`;
  const value = `${family} daddr . ct original proto-dst`;
  const slots = `${key} . numgen random mod 65536 : ${value}`;
  const map = `map slots { ${slots}; counter; }\n`;
  const dnat = (slot: string) => `dnat ${family} to ${family} daddr . meta l4proto . th dport . ${slot} map @slots; }`;
  const nat = (hook: string) => `chain c { type nat hook ${hook};`;
  const filter = 'chain c { type filter hook forward priority 0;';
  return {
    'verdict maps': ['NF_TABLES', `map m { ${key} : verdict; counter; elements = { ${address} . tcp . 80 : accept } }`],
    'translation by map': [
      'NFT_NAT, NFT_NUMGEN',
      `${map}${nat('prerouting priority -100')} ${dnat('numgen random mod 2')}`,
    ],
    'choice by client': [
      'NFT_HASH',
      `${map}${nat('output priority -100')} ${dnat(`jhash ${family} saddr . th sport mod 2`)}`,
    ],
    masquerading: ['NFT_MASQ', `${nat('postrouting priority 100')} masquerade fully-random; }`],
    'local addresses': ['NFT_FIB, NFT_FIB_INET', `${nat('prerouting priority -100')} fib daddr type local accept; }`],
    refusals: ['NFT_REJECT', `${filter} ct state new meta l4proto tcp reject with tcp reset; }`],
    affinity: [
      'NF_TABLES',
      `map m { typeof ${family} saddr : ${value}; size 16; flags dynamic,timeout; }
       ${filter} update @m { ${family} saddr timeout 10s : ${family} daddr . ct original proto-dst }; }`,
    ],
    'source ranges': ['NF_TABLES', `set s { ${key} . ${family} saddr; flags interval; }`],
  };
}

async function checkFeatures(context: DoctorContext): Promise<Check[]> {
  const nft = new NftProgram({ command: context.nft, run: context.system.run });
  const checks: Check[] = [];
  for (const family of FAMILIES) {
    const ipv6Unavailable = family === 'ip6' ? await ipv6UnavailableReason(context.system.read) : undefined;
    if (ipv6Unavailable !== undefined) {
      checks.push(ok('IPv6 nftables', `not needed: ${ipv6Unavailable}`));
      continue;
    }
    const missing: string[] = [];
    for (const [feature, [option, body]] of Object.entries(requiredFeatures(family))) {
      const [error] = await nft.check(`table ${family} nftlane-doctor {\n${body}\n}\n`);
      if (error !== undefined) missing.push(`${feature} (${error.message}; kernel option ${option})`);
    }
    const name = `${family === 'ip' ? 'IPv4' : 'IPv6'} nftables`;
    const advice = 'load the kernel modules of these options, or take a kernel that has them';
    if (missing.length > 0) checks.push(problem(name, `missing: ${missing.join('; ')}`, advice));
    else checks.push(ok(name, 'everything that our rulesets use is there'));
  }
  return checks;
}

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
