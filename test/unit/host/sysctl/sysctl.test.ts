// Tests of src/host/sysctl/conntrack-sysctls.ts, src/host/sysctl/apply-sysctls.ts and src/host/sysctl/log-sysctl-outcomes.ts.

import t from 'tap';
import { applyConntrackSysctls, type SysctlFiles } from '../../../../src/host/sysctl/apply-sysctls.ts';
import { conntrackTableSize, DEFAULT_CONNTRACK, HASH_SIZE } from '../../../../src/host/sysctl/conntrack-sysctls.ts';
import { logSysctlOutcomes } from '../../../../src/host/sysctl/log-sysctl-outcomes.ts';

const NETFILTER = '/proc/sys/net/netfilter/nf_conntrack';

t.test('conntrackTableSize() depends on the number of cores, within limits', async (t) => {
  const cases = [
    { maxPerCore: 32_768, min: 131_072, cores: 2, size: 131_072 },
    { maxPerCore: 32_768, min: 131_072, cores: 8, size: 262_144 },
    { maxPerCore: 32_768, min: 131_072, cores: 64, size: 1_048_576 },
    { maxPerCore: 32_768, min: 2_000_000, cores: 2, size: 2_000_000 },
    { maxPerCore: 32_768, min: 2_000_000, cores: 64, size: 1_048_576 },
    { maxPerCore: 0, min: 131_072, cores: 2, size: undefined },
  ];
  for (const { size, cores, ...settings } of cases) {
    t.equal(conntrackTableSize({ ...DEFAULT_CONNTRACK, ...settings }, cores), size, JSON.stringify(settings));
  }
});

/** Files of sysctls with these values; writes fail with the code `fails`. */
function kernel(values: Record<string, number>, { fails, readOnly }: { fails?: string; readOnly?: string } = {}) {
  const written: Record<string, string> = {};
  const files: SysctlFiles = {
    read: async (path) => {
      const value = values[path];
      if (value === undefined) throw Object.assign(new Error(), { code: 'ENOENT' });
      return `${value}\n`;
    },
    write: async (path, text) => {
      if (fails !== undefined) throw Object.assign(new Error(), { code: fails });
      written[path] = text;
    },
    isWritable: async (path) => path !== readOnly,
  };
  return { files, written };
}

const FRESH = {
  [`${NETFILTER}_max`]: 65_536,
  [HASH_SIZE]: 16_384,
  [`${NETFILTER}_tcp_timeout_established`]: 432_000,
  [`${NETFILTER}_tcp_timeout_close_wait`]: 60,
  [`${NETFILTER}_tcp_be_liberal`]: 0,
  [`${NETFILTER}_udp_timeout`]: 30,
  [`${NETFILTER}_udp_timeout_stream`]: 120,
};

t.test('applyConntrackSysctls() sets only what kube-proxy sets by default', async (t) => {
  const { files, written } = kernel(FRESH);
  const outcomes = await applyConntrackSysctls(DEFAULT_CONNTRACK, { files, cores: 8 });
  t.strictSame(written, {
    [`${NETFILTER}_max`]: '262144',
    [HASH_SIZE]: '65536',
    [`${NETFILTER}_tcp_timeout_established`]: '86400',
    [`${NETFILTER}_tcp_timeout_close_wait`]: '3600',
  });
  t.ok(outcomes.every(({ state }) => state === 'changed'));
});

t.test('applyConntrackSysctls() sets every sysctl, in whole seconds', async (t) => {
  const { files, written } = kernel(FRESH);
  const settings = { maxPerCore: 0, tcpBeLiberal: true, udpTimeoutMs: 45_900, udpStreamTimeoutMs: 180_000 };
  const none = { tcpEstablishedTimeoutMs: 0, tcpCloseWaitTimeoutMs: 0 };
  await applyConntrackSysctls({ ...DEFAULT_CONNTRACK, ...settings, ...none }, { files, cores: 2 });
  t.strictSame(written, {
    [`${NETFILTER}_tcp_be_liberal`]: '1',
    [`${NETFILTER}_udp_timeout`]: '45',
    [`${NETFILTER}_udp_timeout_stream`]: '180',
  });
});

t.test('applyConntrackSysctls() writes no value that is already set, and keeps a larger hash table', async (t) => {
  const right = { [`${NETFILTER}_max`]: 131_072, [HASH_SIZE]: 99_999 };
  const timeouts = { [`${NETFILTER}_tcp_timeout_established`]: 86_400, [`${NETFILTER}_tcp_timeout_close_wait`]: 3600 };
  const { files, written } = kernel({ ...right, ...timeouts }, { fails: 'EROFS' });
  const outcomes = await applyConntrackSysctls(DEFAULT_CONNTRACK, { files, cores: 2 });
  t.strictSame(written, {});
  t.ok(outcomes.every(({ state }) => state === 'unchanged'));
});

t.test('applyConntrackSysctls() says how to fix a failure', async (t) => {
  const messages: string[] = [];
  const log = {
    debug: () => {},
    error: () => {},
    info: (m: string) => void messages.push(m),
    warn: (m: string) => void messages.push(m),
  };
  const cases = { EROFS: /--init-only/, EPERM: /CAP_NET_ADMIN/, EINVAL: /rejects this value/, EIO: /262144: EIO$/ };
  for (const [fails, expected] of Object.entries(cases)) {
    const { files } = kernel(FRESH, { fails });
    const [first] = await applyConntrackSysctls(DEFAULT_CONNTRACK, { files, cores: 8 });
    t.match(first, { state: 'failed', before: 65_536, reason: expected }, fails);
    t.match(first?.reason, 'Cannot set net.netfilter.nf_conntrack_max to 262144');
  }
  const outcomes = await applyConntrackSysctls(DEFAULT_CONNTRACK, { files: kernel({}).files, cores: 8 });
  t.match(outcomes[0], { state: 'failed', before: undefined, reason: /modprobe nf_conntrack/ });
  logSysctlOutcomes(outcomes, log);
  t.strictSame(new Set(messages), new Set(['cannot set sysctl']));
});

t.test('applyConntrackSysctls() does not change host-wide sysctls in a network namespace', async (t) => {
  const { files, written } = kernel(FRESH, { readOnly: `${NETFILTER}_max` });
  const [max] = await applyConntrackSysctls(DEFAULT_CONNTRACK, { files, cores: 8 });
  t.match(max, { state: 'host-wide', reason: '' });
  t.notOk(`${NETFILTER}_max` in written);
  const refusing = kernel(FRESH, { fails: 'EOPNOTSUPP' });
  const [, buckets] = await applyConntrackSysctls(DEFAULT_CONNTRACK, { files: refusing.files, cores: 8 });
  t.match(buckets, { path: HASH_SIZE, state: 'host-wide' });
});
