// Checks that nft and the kernel support all features of nftlane's rulesets.

import { ipv6UnavailableReason } from '../host/network/ipv6-support.ts';
import { FAMILIES, FAMILY_TRAITS, type Family } from '../net/family.ts';
import { NftClient } from '../nftables/client/nft-client.ts';
import { NftUnavailable } from '../nftables/client/nft-error.ts';
import { NftProgram } from '../nftables/client/nft-program.ts';
import { type Check, type DoctorContext, ok, problem } from './check.ts';
import { familyUse } from './family-use.ts';

/** Checks the version of nft, the permission to use it, and each feature. `nft -c` only validates; nothing is loaded. */
export async function checkNft(context: DoctorContext): Promise<Check[]> {
  const nftClient = new NftClient({ command: context.nft });
  try {
    const version = await nftClient.check();
    return [ok('nft', `version ${version}`), ...(await checkFeatures(context, nftClient))];
  } catch (error) {
    if (!(error instanceof NftUnavailable)) throw error;
    return [problem('nft', error.message, 'see docs/TROUBLESHOOTING.md, "nft cannot be used"')];
  } finally {
    nftClient.close();
  }
}

/** The features that rules use, each with its kernel option and an example. */
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
    'DNAT by map': ['NFT_NAT, NFT_NUMGEN', `${map}${nat('prerouting priority -100')} ${dnat('numgen random mod 2')}`],
    'client hashing': [
      'NFT_HASH',
      `${map}${nat('output priority -100')} ${dnat(`jhash ${family} saddr . th sport mod 2`)}`,
    ],
    masquerading: ['NFT_MASQ', `${nat('postrouting priority 100')} masquerade fully-random; }`],
    'local addresses': ['NFT_FIB, NFT_FIB_INET', `${nat('prerouting priority -100')} fib daddr type local accept; }`],
    reject: ['NFT_REJECT', `${filter} ct state new meta l4proto tcp reject with tcp reset; }`],
    affinity: [
      'NF_TABLES',
      `map m { typeof ${family} saddr : ${value}; size 16; flags dynamic,timeout; }
       ${filter} update @m { ${family} saddr timeout 10s : ${family} daddr . ct original proto-dst }; }`,
    ],
    'source ranges': ['NF_TABLES', `set s { ${key} . ${family} saddr; flags interval; }`],
  };
}

async function checkFeatures(context: DoctorContext, nftClient: NftClient): Promise<Check[]> {
  const uses = await familyUse(context);
  const unsupported = new Set((await nftClient.unsupportedFamilies()).map(([family]) => family));
  const ipv6Unavailable = await ipv6UnavailableReason(context.system.read);
  const notNeeded = (family: Family): string | undefined => {
    if (family === 'ip6' && ipv6Unavailable !== undefined) return ipv6Unavailable;
    const use = uses[family];
    // The daemon serves the other family. One that is supported, but lacks a feature, makes every sync fail.
    return use.used === 'no' && unsupported.has(family) ? use.reason : undefined;
  };
  return Promise.all(FAMILIES.map((family) => checkFamilyFeatures(family, notNeeded(family), context)));
}

async function checkFamilyFeatures(
  family: Family,
  notNeeded: string | undefined,
  { nft: command, system }: DoctorContext,
): Promise<Check> {
  const name = `${FAMILY_TRAITS[family].label} nftables`;
  if (notNeeded !== undefined) return ok(name, `not needed: ${notNeeded}`);
  const nft = new NftProgram({ command, run: system.run });
  const missing: string[] = [];
  for (const [feature, [option, body]] of Object.entries(requiredFeatures(family))) {
    const [error] = await nft.check(`table ${family} nftlane-doctor {\n${body}\n}\n`);
    if (error !== undefined) missing.push(`${feature} (${error.message}; kernel option ${option})`);
  }
  if (missing.length === 0) return ok(name, 'all required features are available');
  const advice = 'load the kernel modules for these options, or use a kernel that has them';
  return problem(name, `missing: ${missing.join('; ')}`, advice);
}
