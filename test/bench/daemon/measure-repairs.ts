// Measures how soon changes of the ruleset by another process are noticed and repaired.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Namespace } from '../../support/netns/namespace.ts';
import { createWorld } from '../../support/netns/world.ts';
import type { RepairResults, RepairTimes } from '../report/results.ts';
import { startProgram } from '../system/program.ts';
import { type DaemonProcess, startDaemon } from './daemon-process.ts';
import type { DaemonBench } from './measure-daemon.ts';

const ENDPOINTS = 10;
/** Changes are reported at most five times in ten seconds. */
const PAUSE_MS = 2500;
/** nft monitor needs 20 µs for each notification of a reload. */
const PAUSE_AFTER_RELOAD_MS = 15_000;
const TIMEOUT_MS = 60_000;
const NOTICED: ReadonlySet<string> = new Set([
  'another process changed the ruleset; repairing',
  'too many kernel notifications of ruleset changes; listing the ruleset',
]);
const IN_TABLE = 'ip nftlane';

/** The nft commands of each kind of change. `key` is a frontend, `rule` the handle of a rule in its endpoint chain. */
function changes({ key, rule }: { key: string; rule: string }): Record<string, string> {
  return {
    'element deleted': `delete element ${IN_TABLE} service-ips { ${key} }`,
    'element changed':
      `delete element ${IN_TABLE} endpoints { ${key} . 0 }; ` +
      `add element ${IN_TABLE} endpoints { ${key} . 0 : 10.66.66.66 . 8080 }`,
    'element added': `add element ${IN_TABLE} service-ips { 10.66.66.66 . tcp . 80 : drop }`,
    'rule inserted': `insert rule ${IN_TABLE} services tcp dport 6666 drop`,
    'rule replaced': `replace rule ${IN_TABLE} cluster-${ENDPOINTS} handle ${rule} counter`,
    'chain flushed': `flush chain ${IN_TABLE} services`,
    'chain policy': `add chain ${IN_TABLE} filter-forward { policy drop; }`,
    'table dormant': `add table ${IN_TABLE} { flags dormant; }`,
    'map service-ips flushed': `flush map ${IN_TABLE} service-ips`,
    'map endpoints flushed': `flush map ${IN_TABLE} endpoints`,
    'table deleted': `delete table ${IN_TABLE}`,
    'ruleset flushed': 'flush ruleset',
  };
}

export async function measureRepairs({ options, scratch, say }: DaemonBench): Promise<RepairResults> {
  const world = await createWorld();
  try {
    const namespace = world.node1;
    const setup = { kubeconfig: join(scratch, 'kubeconfig-repairs'), runDir: join(scratch, 'run-repairs') };
    await mkdir(setup.runDir);
    const size = ['--services', String(options.services), '--endpoints', String(ENDPOINTS)];
    await startProgram(namespace, 'support/api-server/main.ts', [...size, '--kubeconfig-out', setup.kubeconfig]);
    const daemon = await startDaemon(namespace, setup);
    await daemon.log.find(({ msg }) => msg === 'listening to kernel notifications of ruleset changes');
    const times: Record<string, RepairTimes> = {};
    for (const [name, command] of Object.entries(changes(await readObjects(namespace)))) {
      say(name);
      const { repairedMs = 0 } = Object.values(times).at(-1) ?? {};
      await delay(repairedMs > 1000 ? PAUSE_AFTER_RELOAD_MS : PAUSE_MS);
      times[name] = await measureOne(namespace, daemon, command);
    }
    await daemon.stop();
    return { services: options.services, endpoints: ENDPOINTS, times };
  } finally {
    await world.destroy();
  }
}

/** A frontend, and the handle of the rule that translates it. */
async function readObjects(namespace: Namespace): Promise<{ key: string; rule: string }> {
  const map = await namespace.output('nft', ['list', 'map', 'ip', 'nftlane', 'service-ips']);
  const chain = await namespace.output('nft', ['-a', 'list', 'chain', 'ip', 'nftlane', `cluster-${ENDPOINTS}`]);
  const [, key] = /([\d.]+ \. tcp \. \d+)/.exec(map) ?? [];
  const [, rule] = /numgen .* handle (\d+)/.exec(chain) ?? [];
  if (key === undefined || rule === undefined) throw new Error('Cannot find a TCP frontend and its chain');
  return { key, rule };
}

async function measureOne(namespace: Namespace, daemon: DaemonProcess, command: string): Promise<RepairTimes> {
  const earlier = new Set(daemon.log.all);
  const startedAt = performance.timeOrigin + performance.now();
  await namespace.output('nft', [command]);
  const endedAt = performance.timeOrigin + performance.now();
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const next = (matches: (line: DaemonProcess['log']['all'][number]) => boolean) =>
    Promise.race([
      daemon.log.find((line) => !earlier.has(line) && matches(line)),
      new Promise<never>((_, reject) =>
        signal.addEventListener('abort', () => reject(new Error(`Not repaired: ${command}`))),
      ),
    ]);
  const noticed = await next(({ msg }) => NOTICED.has(msg));
  const repaired = await next(({ msg, operations = 0 }) => msg === 'synced' && operations > 0);
  return { commandMs: endedAt - startedAt, noticedMs: noticed.at - endedAt, repairedMs: repaired.at - endedAt };
}
