// Tests of src/conntrack/conntrack.ts, with a script instead of the program.

import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Conntrack } from '../../../src/conntrack/conntrack.ts';
import { type ConntrackEntry, parseEntry } from '../../../src/conntrack/conntrack-entry.ts';
import { FAMILIES } from '../../../src/net/family.ts';

const LINE =
  'udp      17 27 src=10.0.0.1 dst=10.96.0.1 sport=1000 dport=53 src=10.1.0.1 dst=10.0.0.2 sport=5353 dport=1001 use=1';

const TCP_LINE =
  'tcp      6 117 SYN_SENT src=10.0.0.1 dst=10.96.0.1 sport=1000 dport=80 [UNREPLIED] src=10.96.0.1 dst=10.0.0.1 sport=80 dport=1000 use=1';

/** A program that records its arguments and then runs the script. */
async function program(t: Test, script: string) {
  const directory = t.testdir();
  const path = join(directory, 'conntrack');
  const log = join(directory, 'arguments');
  await writeFile(path, `#!/bin/sh\necho "$@" >>'${log}'\n${script}\n`);
  await chmod(path, 0o755);
  return { path, conntrack: new Conntrack({ command: path }), calls: () => readFile(log, 'utf8') };
}

function groupOf(count: number) {
  const first = parseEntry(LINE);
  if (first === undefined) throw new Error('Cannot parse entry');
  return { first, count, reason: '' };
}

t.test('Conntrack lists the UDP entries of a family', async (t) => {
  const { conntrack, calls } = await program(t, `echo '${LINE}'; echo; echo '${LINE}'; echo 'tcp 6'`);
  const entries: ConntrackEntry[] = [];
  await conntrack.listFlows('ip', (entry) => entries.push(entry));
  await conntrack.listFlows('ip6', () => {});
  t.equal(entries.length, 2);
  t.equal(await calls(), '-L -p udp -f ipv4\n-L -p udp -f ipv6\n');
});

t.test('Conntrack lists attempts to open TCP connections, and deletes them by state', async (t) => {
  const { conntrack, calls } = await program(
    t,
    `echo '${TCP_LINE}'; echo '${TCP_LINE.replace('SYN_SENT', 'SYN_RECV')}'`,
  );
  const entries: ConntrackEntry[] = [];
  await conntrack.listAttempts(FAMILIES, (entry) => entries.push(entry));
  const [first] = entries;
  t.equal(entries.length, 1);
  if (first?.protocol !== 'tcp') throw new Error('It listed no attempt');
  for (const state of ['SYN_SENT', 'CLOSE'] as const)
    t.equal(await conntrack.delete({ first: { ...first, state }, count: 2, reason: '' }), 2);
  const filter =
    '--zone 0 --orig-zone 0 --reply-zone 0 --orig-dst 10.96.0.1 --dport 80 --reply-src 10.96.0.1 --reply-port-src 80';
  t.strictSame((await calls()).trim().split('\n'), [
    '-L -p tcp --status !ASSURED',
    `-D -p tcp -f ipv4 --state SYN_SENT ${filter}`,
    `-D -p tcp -f ipv4 --state CLOSE ${filter}`,
  ]);
});

t.test('Conntrack counts the processor time of its runs, also of those that fail', async (t) => {
  const { conntrack } = await program(t, 'n=0; while [ $n -lt 20000 ]; do n=$((n + 1)); done; exit 1');
  t.equal(conntrack.cpuMs, 0);
  await t.rejects(conntrack.listFlows('ip', () => {}));
  const once = conntrack.cpuMs;
  t.ok(once > 0, `${once} ms`);
  await t.rejects(conntrack.delete(groupOf(1)));
  t.ok(conntrack.cpuMs > once);
});

t.test('Conntrack deletes a single flow by its tuple, several by frontend and endpoint, and counts them', async (t) => {
  const { conntrack, calls } = await program(t, `echo '${LINE}'; echo '${LINE}'`);
  t.equal(await conntrack.delete(groupOf(1)), 2);
  t.equal(await conntrack.delete(groupOf(2)), 2);
  const zone = '--zone 0 --orig-zone 0 --reply-zone 0';
  const shared = `-D -p udp -f ipv4 ${zone} --orig-dst 10.96.0.1 --dport 53 --reply-src 10.1.0.1 --reply-port-src 5353`;
  const own = '--orig-src 10.0.0.1 --sport 1000 --reply-dst 10.0.0.2 --reply-port-dst 1001';
  t.equal(await calls(), `${shared} ${own}\n${shared}\n`);
});

t.test('Conntrack lists without a status if the program cannot filter by it', async (t) => {
  const script = `case "$*" in *status*) echo "conntrack: Bad parameter \\\`!ASSURED'" >&2; exit 2 ;; *) echo '${TCP_LINE}' ;; esac`;
  const { conntrack, calls } = await program(t, script);
  const entries: ConntrackEntry[] = [];
  for (let n = 0; n < 2; n++) {
    await conntrack.listAttempts(['ip6'], (entry) => entries.push(entry));
  }
  t.equal(entries.length, 4);
  const tcp = '-L -p tcp -f ipv6';
  const byState = `${tcp} --state SYN_SENT\n${tcp} --state CLOSE\n`;
  t.equal(await calls(), `-L -p tcp --status !ASSURED\n${byState}${byState}`);
});

t.test('Conntrack stops deleting when the signal aborts, and returns the count so far', async (t) => {
  const { conntrack } = await program(t, `echo '${LINE}'; exec sleep 20`);
  const abort = new AbortController();
  const deleting = conntrack.delete(groupOf(2), { signal: abort.signal });
  setTimeout(() => abort.abort(), 100);
  t.ok((await deleting) <= 1);
  t.equal(await conntrack.delete(groupOf(2), { signal: AbortSignal.abort() }), 0);
});

t.test('Conntrack accepts that no entry is left to delete', async (t) => {
  const { conntrack } = await program(t, 'echo "conntrack v1.4.8: 0 flow entries have been deleted." >&2; exit 1');
  t.equal(await conntrack.delete(groupOf(1)), 0);
});

t.test('Conntrack distinguishes a failing program from a missing one', async (t) => {
  const { conntrack } = await program(t, 'echo "Operation failed: sorry" >&2; exit 1');
  await t.rejects(
    conntrack.listFlows('ip', () => {}),
    { kind: 'failed', message: /-L -p udp -f ipv4": Operation failed: sorry$/ },
  );
  await t.rejects(conntrack.delete(groupOf(1)), { name: 'ConntrackError', kind: 'failed' });
  const missing = new Conntrack({ command: '/nowhere/conntrack', timeoutMs: 100 });
  await t.rejects(
    missing.listFlows('ip', () => {}),
    { name: 'ConntrackError', kind: 'missing' },
  );
});

t.test('Conntrack ends a program that hangs', async (t) => {
  const { path } = await program(t, 'exec sleep 20');
  const hanging = new Conntrack({ command: path, timeoutMs: 50 });
  await t.rejects(
    hanging.listAttempts(FAMILIES, () => {}),
    { name: 'ConntrackError', kind: 'failed' },
  );
});
