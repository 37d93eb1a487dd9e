// Fuzzes the programs with FUZZ_PACKETS packets (a million by default). FUZZ_SEED repeats a run.

import { toHex } from '../../../src/fastpath/maps/hex.ts';
import { FAMILIES } from '../../../src/net/family.ts';
import { BpfNamespace } from '../../support/bpf/bpf-namespace.ts';
import { FlowFrames, PROTOCOLS } from '../../support/bpf/flow-frames.ts';
import { ACK, FIN, frame, icmpError, SYN, segment, TCP, UDP } from '../../support/bpf/frames.ts';
import { ADDRESSES, DEVICE, ETHERNET_HEADERS } from '../../support/bpf/test-network.ts';

const count = process.env['FUZZ_PACKETS'] ?? '1000000';
const seed = process.env['FUZZ_SEED'] ?? String(Date.now() % 1_000_000);

const data = (length: number) => Uint8Array.from({ length }, (_, i) => i * 7);

/** Packets of flows, of every kind: most mutations of them are still nearly valid. */
function seeds(): string[] {
  const flows = FAMILIES.flatMap((family) => PROTOCOLS.map((protocol) => new FlowFrames({ family, protocol })));
  const { node, client } = ADDRESSES.ip;
  const noChecksum = segment({ protocol: 'udp', sport: 40_000, dport: 30_080, noChecksum: true });
  return [
    ...flows.flatMap((flow) => [...segmentSeeds(flow), ...fragmentSeeds(flow), ...errorSeeds(flow)]),
    line('uplink', frame(ETHERNET_HEADERS.fromClient, { src: client, dst: node }, noChecksum)),
  ];
}

/** A seed as the harness reads it. */
function line(program: 'uplink' | 'pod', bytes: Uint8Array, { gsoSize = 0 } = {}): string {
  return `${program} ${program === 'pod' ? DEVICE.pod : DEVICE.uplink} ${gsoSize} ${toHex(bytes)}`;
}

function segmentSeeds(flow: FlowFrames): string[] {
  return [
    ...[SYN, ACK, FIN | ACK].map((flags) => line('uplink', flow.fromClient({ flags, data: data(flags) }))),
    ...[SYN | ACK, ACK].map((flags) => line('pod', flow.fromPod({ flags, data: data(flags * 3) }))),
    line('pod', flow.fromPod({ data: data(2500) }), { gsoSize: 1200 }),
  ];
}

/** First fragments and later ones. */
function fragmentSeeds(flow: FlowFrames): string[] {
  const { node, pod, client } = ADDRESSES[flow.spec.family];
  const first = { data: data(64), ip: { fragment: { offset: 0, more: true } } };
  const fragment = { offset: 72, more: false };
  const later = { number: flow.spec.protocol === 'tcp' ? TCP : UDP, bytes: () => data(40) };
  return [
    line('uplink', flow.fromClient(first)),
    line('pod', flow.fromPod(first)),
    line('uplink', frame(ETHERNET_HEADERS.fromClient, { src: client, dst: node, fragment }, later)),
    line('pod', frame(ETHERNET_HEADERS.fromPod, { src: pod, dst: client, fragment }, later)),
  ];
}

/** "Destination unreachable" from a router and from the pod. */
function errorSeeds(flow: FlowFrames): string[] {
  const { node, pod, client } = ADDRESSES[flow.spec.family];
  const [type, router] = flow.spec.family === 'ip' ? [3, '192.0.2.254'] : [1, 'fd00:1::fe'];
  const sent = icmpError({ type, code: 0, quoted: flow.toClient({ data: data(20) }).subarray(14) });
  const received = icmpError({ type, code: 0, quoted: flow.toPod({ data: data(20) }).subarray(14) });
  return [
    line('uplink', frame(ETHERNET_HEADERS.fromClient, { src: router, dst: node }, sent)),
    line('pod', frame(ETHERNET_HEADERS.fromPod, { src: pod, dst: client }, received)),
  ];
}

const netns = await BpfNamespace.create();
try {
  await netns.populate();
  const startedAt = performance.now();
  const { status, stdout } = await netns.runTool('bpf-harness', {
    args: ['fuzz', count, seed],
    input: `${seeds().join('\n')}\n`,
  });
  process.stdout.write(stdout);
  process.stdout.write(`seed=${seed} seconds=${((performance.now() - startedAt) / 1000).toFixed(1)}\n`);
  process.stdout.write(`reasons: ${JSON.stringify(await netns.reasonCounts())}\n`);
  process.exitCode = status;
} finally {
  await netns.close();
}
