// Turns the offloads of a world's devices (checksums, segmentation) on or off.

import type { World } from '../netns/world.ts';

export const OFFLOADS = ['on', 'off'] as const;

/** Wrong checksums are only detected with `off`: with `on`, virtual devices do not compute them. */
export async function setOffloads(world: World, state: (typeof OFFLOADS)[number]): Promise<void> {
  const features = ['tx', 'rx', 'sg', 'tso', 'gso', 'gro'].flatMap((name) => [name, state]);
  for (const namespace of world.namespaces) {
    const devices: { ifname: string }[] = JSON.parse(
      await namespace.output('ip', ['-j', 'link', 'show', 'type', 'veth']),
    );
    await Promise.all(devices.map(({ ifname }) => namespace.output('ethtool', ['-K', ifname, ...features])));
  }
}
