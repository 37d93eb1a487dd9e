// The grid's node with the fast path: its frontends, attachments and counters.

import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeFrontend, decodeFrontendKey } from '../../src/fastpath/maps/entries.ts';
import { fromHex } from '../../src/fastpath/maps/hex.ts';
import { readNumber, SLOT_COUNT } from '../../src/fastpath/maps/layout.ts';
import { decodeU32 } from '../../src/fastpath/maps/map-dump.ts';
import type { FastPathStatus } from '../../src/fastpath/status/fast-path-status.ts';
import { BpfMount, LOADER } from '../support/netns/bpf-mount.ts';
import type { Daemon } from '../support/netns/daemon.ts';
import { type BundleOptions, type Installation, installBundle, startDaemon } from '../support/netns/installation.ts';
import type { Namespace } from '../support/netns/namespace.ts';
import { recordNewFlows, stopRecordingNewFlows } from '../support/netns/traffic/new-flows.ts';
import type { World } from '../support/netns/world.ts';
import { poll } from '../support/wait-until.ts';

/** A way to run the fast path. */
export interface FastPathVariant {
  /** `best`: what the kernel supports. */
  readonly attach: 'best' | 'clsact';
  /** Whether devices compute checksums and accept segments larger than their MTU. */
  readonly offloads: 'on' | 'off';
}

/** The programs' counters of one Service port in one family. */
export interface PortCount {
  /** `address port/protocol`. */
  readonly targets: readonly string[];
  readonly created: number;
  readonly answered: number;
}

const TIMEOUT_MS = 30_000;

export class FastPathNode {
  readonly #world: World;
  readonly #mount: BpfMount;
  /** Its commands see the BPF file system. */
  readonly #installation: Installation;
  readonly #flags: readonly string[];

  private constructor(world: World, of: { mount: BpfMount; installation: Installation; loader: string }) {
    this.#world = world;
    this.#mount = of.mount;
    this.#installation = of.installation;
    this.#flags = ['--fast-path-dir', of.mount.pins, '--fast-path-program', of.loader];
  }

  /** Prepares the node; nothing is attached yet. The caller closes it. */
  static async make(
    world: World,
    { attach, offloads }: FastPathVariant,
    { scratch, bundle }: { scratch: string; bundle: BundleOptions },
  ): Promise<FastPathNode> {
    const loader = attach === 'best' ? LOADER : await clsactLoader(join(scratch, 'clsact-loader'));
    const mount = await BpfMount.make(join(scratch, 'bpf'));
    await setOffloads(world, offloads);
    // Flows that nft handled stay with nft while conntrack has them: a reused port would match one.
    for (const family of ['ipv4', 'ipv6']) await world.node1.exec('conntrack', ['-D', '-f', family]);
    await recordNewFlows(world.node1);
    return new FastPathNode(world, { mount, installation: installBundle(world.node1, { ...bundle, mount }), loader });
  }

  startDaemon(flags: readonly string[]): Daemon {
    return startDaemon(this.#installation, ['--fast-path', 'required', ...this.#flags, ...flags]);
  }

  /** Resolves when exactly these targets are served, each as `address port/protocol`. */
  async waitUntilServed(expected: ReadonlySet<string>): Promise<void> {
    const differing = ({ frontends }: FastPathStatus): string[] => {
      const served = new Set(frontends.map(({ destination }) => destination));
      return [...expected, ...served].filter((name) => !expected.has(name) || !served.has(name));
    };
    await poll(() => this.#inspect(), {
      until: (view) => differing(view).length === 0,
      failure: (view) => `The fast path is ${view.state} and differs at ${differing(view)}: ${view.reason}`,
      timeoutMs: TIMEOUT_MS,
      everyMs: 100,
    });
  }

  /** How its programs are attached; all ways where they differ. */
  async attachedBy(): Promise<string> {
    const [attachments = []] = await this.#mount.request(this.#world.node1, 'list');
    return [...new Set(attachments.map((line) => line.split(' ')[3]))].join(' and ');
  }

  async portCounts(): Promise<PortCount[]> {
    const [frontends = [], slots = []] = await this.#mount.request(
      this.#world.node1,
      'dump frontends',
      'dump slot_counts',
    );
    const counts = new Map(entries(slots).map(({ key, value }) => [decodeU32(key), fromHex(value)]));
    const sum = (numbers: Iterable<number>, name: 'created' | 'answered') =>
      [...numbers]
        .flatMap((slot) => counts.get(slot) ?? [])
        .reduce((total, bytes) => total + readNumber(SLOT_COUNT, bytes, name), 0);
    const decoded = entries(frontends).map(({ key, value }) => ({
      target: formatTarget(decodeFrontendKey(fromHex(key))),
      ...decodeFrontend(fromHex(value)),
    }));
    return [...Map.groupBy(decoded, ({ svc }) => svc).values()].map((list) => {
      const used = new Set(list.flatMap(({ slots }) => slots));
      const targets = list.map(({ target }) => target);
      return { targets, created: sum(used, 'created'), answered: sum(used, 'answered') };
    });
  }

  /** Removes everything from the node. The daemon must have been stopped. */
  async close(): Promise<void> {
    await this.#installation.exec(['cleanup', ...this.#flags], { timeoutMs: TIMEOUT_MS });
    await stopRecordingNewFlows(this.#world.node1);
    await setOffloads(this.#world, 'on');
    await this.#mount.close();
  }

  async #inspect(): Promise<FastPathStatus> {
    const { stdout, stderr } = await this.#installation.exec(['inspect', 'fastpath', '-o', 'json']);
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout);
  }
}

/** A target in the notation of `inspect fastpath`. */
export function formatTarget({ address, port, protocol }: { address: string; port: number; protocol: string }): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}/${protocol}`;
}

function entries(lines: readonly string[]): { readonly key: string; readonly value: string }[] {
  return lines.map((line) => line.split(' ')).map(([, key = '', value = '']) => ({ key, value }));
}

/** A loader that attaches by clsact, as on kernels without tcx. */
async function clsactLoader(path: string): Promise<string> {
  await writeFile(path, `#!/bin/sh\nsed -u '/^attach /s/$/ clsact/' | '${LOADER}' "$1"\n`);
  await chmod(path, 0o755);
  return path;
}

async function setOffloads(world: World, state: 'on' | 'off'): Promise<void> {
  const { client, node1, node2 } = world;
  const pods = ['a', 'b', 'c', 'far'];
  const devices: (readonly [Namespace, string])[] = [
    ...[client, node1, node2].map((namespace) => [namespace, 'lan'] as const),
    ...pods.map((name) => [world.pod(name), 'eth0'] as const),
    ...pods.slice(0, 2).map((name) => [node1, `pod-${name}`] as const),
  ];
  const words = ['tx', 'sg', 'tso', 'gso', 'gro'].flatMap((offload) => [offload, state]);
  for (const [namespace, device] of devices) await namespace.output('ethtool', ['-K', device, ...words]);
}
