// What the programs take by themselves, on packets that never were on a wire.
import { toHex } from '../../../src/fastpath/maps/hex.ts';
import { FAMILIES, type Family } from '../../../src/net/family.ts';
import { ACK, SYN } from '../../support/bpf/frames.ts';
import { Legs } from '../../support/bpf/legs.ts';
import { ADDRESSES, DEVICE, HANDED_ON, Place, POD_PORT, REDIRECTED, SERVICE_PORT } from '../../support/bpf/place.ts';
import { printTable } from '../print-table.ts';
import { summarize } from '../statistics.ts';

export interface Cost {
  readonly name: string;
  readonly family: Family;
  readonly ns: number;
}

interface Case {
  readonly name: string;
  readonly program: 'uplink' | 'pod';
  readonly verdict: number;
  readonly bytes: (family: Family) => Uint8Array;
}

/** A packet of a flow comes back from the program with its TTL one less, and has to last so many times. */
const REPEAT = 250;
const TTL = 255;
const RUNS = 200;
/** Of the same slot in each family. */
const SLOTS: Readonly<Record<Family, number>> = { ip: 11, ip6: 12 };

/** The flow that is measured leads from an address and port to the same ones, so that its packets stay its packets. */
const flow = (family: Family) => new Legs({ family, protocol: 'tcp', pod: ADDRESSES[family].node });

const CASES: readonly Case[] = [
  {
    name: 'uplink: neither IPv4 nor IPv6',
    program: 'uplink',
    verdict: HANDED_ON,
    bytes: (family) => {
      const bytes = Uint8Array.from(new Legs({ family, protocol: 'udp' }).fromClient());
      bytes.set([0x88, 0xb5], 12);
      return bytes;
    },
  },
  {
    name: 'uplink: to a port that no Service has',
    program: 'uplink',
    verdict: HANDED_ON,
    bytes: (family) => new Legs({ family, protocol: 'udp', servicePort: 9 }).fromClient(),
  },
  {
    name: 'uplink: in the middle of a connection that is not ours',
    program: 'uplink',
    verdict: HANDED_ON,
    bytes: (family) => new Legs({ family, protocol: 'tcp', clientPort: 50_000 }).fromClient({ flags: ACK }),
  },
  {
    name: 'uplink: of a flow, to its backend',
    program: 'uplink',
    verdict: REDIRECTED,
    bytes: (family) => flow(family).fromClient({ flags: ACK, ip: { ttl: TTL } }),
  },
  {
    name: 'pod: from a port that no backend has',
    program: 'pod',
    verdict: HANDED_ON,
    bytes: (family) => new Legs({ family, protocol: 'udp' }).fromPod({ sport: 9 }),
  },
  {
    name: 'pod: of a flow, to its client',
    program: 'pod',
    verdict: REDIRECTED,
    bytes: (family) => flow(family).fromPod({ flags: ACK, sport: SERVICE_PORT, ip: { ttl: TTL } }),
  },
];

/** Takes a few seconds. */
export async function measureAlone(): Promise<Cost[]> {
  const place = await Place.make();
  try {
    await place.furnish();
    for (const family of FAMILIES) await beginFlow(place, family);
    await place.ports([SERVICE_PORT], [POD_PORT, SERVICE_PORT]);
    const costs: Cost[] = [];
    for (const family of FAMILIES) for (const one of CASES) costs.push(await measureCase(place, one, family));
    return costs;
  } finally {
    await place.end();
  }
}

async function beginFlow(place: Place, family: Family): Promise<void> {
  const { node } = ADDRESSES[family];
  const slot = SLOTS[family];
  await place.backend(slot, { address: node, protocol: 'tcp', port: SERVICE_PORT, svc: slot });
  await place.frontend(node, 'tcp', { slots: [slot], svc: slot });
  const { verdict } = await place.packet('uplink', flow(family).fromClient({ flags: SYN }));
  if (verdict !== REDIRECTED) throw new Error(`Cannot begin a flow to ${node}`);
}

async function measureCase(place: Place, { name, program, verdict, bytes }: Case, family: Family): Promise<Cost> {
  const line = `${program} ${program === 'pod' ? DEVICE.pod : DEVICE.uplink} 0 ${toHex(bytes(family))}\n`;
  const { stdout } = await place.run('bpf-harness', ['time', String(REPEAT)], line.repeat(RUNS));
  const answers = stdout
    .trim()
    .split('\n')
    .map((answer) => answer.split(' ').map(Number));
  const wrong = answers.find(([got]) => got !== verdict);
  if (wrong !== undefined || answers.length !== RUNS) throw new Error(`Cannot measure "${name}": ${wrong ?? stdout}`);
  return { name, family, ns: summarize(answers.map(([, ns = Number.NaN]) => ns)).median };
}

export function printAlone(costs: readonly Cost[]): string {
  const cell = (name: string, family: Family) =>
    `${costs.find((cost) => cost.name === name && cost.family === family)?.ns ?? '-'} ns`;
  const rows = CASES.map(({ name }) => [name, cell(name, 'ip'), cell(name, 'ip6')]);
  return printTable('The programs alone, what running them takes included', ['', 'IPv4', 'IPv6'], rows);
}
