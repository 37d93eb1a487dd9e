// Whether conntrack of this network namespace accepts TCP segments outside of the window.

import { readFile } from 'node:fs/promises';

const TCP_BE_LIBERAL = '/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal';

/** The value in the kernel; false if it cannot be read, as before the module nf_conntrack is loaded. */
export async function isTcpBeLiberal(read = (path: string) => readFile(path, 'utf8')): Promise<boolean> {
  const text = await read(TCP_BE_LIBERAL).catch(() => '0');
  return text.trim() !== '0';
}
