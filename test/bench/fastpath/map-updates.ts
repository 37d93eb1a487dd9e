// Measures updates of the frontends map, from the request of the daemon to the answer.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LoaderProcess } from '../../../src/fastpath/loader/loader-process.ts';
import { encodeFrontend, encodeFrontendKey } from '../../../src/fastpath/maps/entries.ts';
import { toHex, toShortHex } from '../../../src/fastpath/maps/hex.ts';
import { LOADER } from '../../support/netns/bpf-mount.ts';
import { formatMs } from '../report/format.ts';
import { printTable } from '../report/print-table.ts';
import { summarize } from '../report/statistics.ts';

export interface UpdateMeasurement {
  readonly name: string;
  /** The upper limit in milliseconds; none for a part of another row. */
  readonly target: number | undefined;
  readonly ms: number;
}

/** The daemon passes only the pin directory to the loader. */
const ENTER_SCRIPT = `#!/bin/sh
exec unshare --mount --net sh -c 'mount -t bpf bpf "$1" && exec "$0" "$1/nftlane/v1"' '${LOADER}' "$1"
`;
const CHANGES = 10_000;
const TARGET_MS = 15;
const PODS = 3;

/** Medians of some rounds. Takes a second. */
export async function measureUpdates(rounds: number): Promise<UpdateMeasurement[]> {
  const directory = await mkdtemp(join(tmpdir(), 'nftlane-bpf-'));
  const command = join(directory, 'enter');
  await writeFile(command, ENTER_SCRIPT, { mode: 0o755 });
  const loader = new LoaderProcess({ command, directory });
  try {
    await loader.request('load');
    const { fields } = await loader.request('hello');
    const keys = Array.from({ length: CHANGES }, (_, i) => keyOf(i));
    const values = keys.map((key, i) => `put frontends ${key} ${frontendOf(i + 1)}`);
    const deletions = keys.map((key) => `del frontends ${key}`);
    const times: { readonly puts: Time; readonly deletions: Time }[] = [];
    for (let round = 0; round <= rounds; round++) {
      const time = (lines: readonly string[]) => measure(loader, { pid: fields['pid'] ?? '', lines });
      times.push({ puts: await time(values), deletions: await time(deletions) });
    }
    // The first round warms up.
    const warm = times.slice(1);
    const median = (pick: (time: (typeof times)[number]) => number) => summarize(warm.map(pick)).median;
    return [
      { name: 'put, for the daemon', target: TARGET_MS, ms: median(({ puts }) => puts.wallMs) },
      { name: "  the loader's processor time", target: undefined, ms: median(({ puts }) => puts.loaderMs) },
      { name: 'delete, for the daemon', target: TARGET_MS, ms: median(({ deletions }) => deletions.wallMs) },
    ];
  } finally {
    loader.close();
    await rm(directory, { recursive: true, force: true });
  }
}

interface Time {
  readonly wallMs: number;
  readonly loaderMs: number;
}

async function measure(loader: LoaderProcess, of: { pid: string; lines: readonly string[] }): Promise<Time> {
  const [before, startedAt] = [await cpuMs(of.pid), performance.now()];
  await loader.request('batch', ...of.lines, 'end');
  const wallMs = performance.now() - startedAt;
  return { wallMs, loaderMs: (await cpuMs(of.pid)) - before };
}

async function cpuMs(pid: string): Promise<number> {
  const [ns] = (await readFile(`/proc/${pid}/schedstat`, 'utf8')).split(' ');
  return Number(ns) / 1e6;
}

function keyOf(i: number): string {
  return toHex(encodeFrontendKey({ address: `10.77.${i >> 8}.${i & 255}`, port: 30_080, protocol: 'tcp' }));
}

/** The value of frontend `svc`, with as many pods as a Service typically has on a node. */
function frontendOf(svc: number): string {
  const slots = Array.from({ length: PODS }, (_, i) => ((svc * PODS) % 4000) + 1 + i);
  return toShortHex(encodeFrontend({ svc, suspended: false, slots }));
}

export function meetsTarget({ target, ms }: UpdateMeasurement): boolean {
  return target === undefined || ms <= target;
}

export function printUpdates(updates: readonly UpdateMeasurement[]): string {
  const rows = updates.map((update) => {
    const { name, target, ms } = update;
    const [bound, verdict] =
      target === undefined ? ['', ''] : [`<= ${formatMs(target)}`, meetsTarget(update) ? 'met' : 'MISSED'];
    return [name, bound, formatMs(ms), verdict];
  });
  return printTable('10,000 frontends of 3 pods, in one batch', ['', 'target', 'measured', ''], rows);
}
