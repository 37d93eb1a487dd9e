// IPv6 support of this network namespace.

import { readFile } from 'node:fs/promises';

const DISABLED = '/proc/sys/net/ipv6/conf/all/disable_ipv6';
/** Both files are missing when the kernel was built or started without IPv6. This one is empty while no interface is up. */
const INTERFACES = '/proc/net/if_inet6';

/** Why there is no IPv6; `undefined` if there is. `read` returns an empty text for a file that cannot be read. */
export async function ipv6UnavailableReason(read = readText): Promise<string | undefined> {
  const disabled = (await read(DISABLED)).trim();
  if (disabled === '1') return 'net.ipv6.conf.all.disable_ipv6 is 1';
  const isPresent = disabled !== '' || (await read(INTERFACES)) !== '';
  return isPresent ? undefined : `the kernel has no ${DISABLED}`;
}

async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
