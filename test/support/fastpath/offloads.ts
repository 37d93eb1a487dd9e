// Whether the devices of a world leave checksums and cutting to one another, as virtual devices do, or do them themselves.
import type { World } from '../netns/world.ts';

export const OFFLOADS = ['on', 'off'] as const;

/** Off, a checksum that is wrong is seen: between virtual devices it would otherwise never be computed. */
export async function setOffloads(world: World, state: (typeof OFFLOADS)[number]): Promise<void> {
  const features = ['tx', 'rx', 'sg', 'tso', 'gso', 'gro'].flatMap((name) => [name, state]);
  for (const namespace of world.namespaces) {
    const devices: { ifname: string }[] = JSON.parse(
      await namespace.output('ip', ['-j', 'link', 'show', 'type', 'veth']),
    );
    await Promise.all(devices.map(({ ifname }) => namespace.output('ethtool', ['-K', ifname, ...features])));
  }
}
