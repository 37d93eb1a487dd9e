// Throws packets at the programs, a million unless FUZZ_PACKETS says otherwise; FUZZ_SEED repeats a run.
import { toHex } from '../../../src/fastpath/maps/hex.ts';
import { ADDRESSES, BpfNamespace, DEVICE, ETHERNET_HEADERS } from '../../support/bpf/bpf-sandbox.ts';
import { FAMILIES, FlowFrames, PROTOCOLS } from '../../support/bpf/flow-frames.ts';
import { ACK, FIN, frame, icmpError, SYN, segment } from '../../support/bpf/frames.ts';

const count = process.env['FUZZ_PACKETS'] ?? '1000000';
const seed = process.env['FUZZ_SEED'] ?? String(Date.now() % 1_000_000);

const data = (length: number) => Uint8Array.from({ length }, (_, i) => i * 7);

/** Packets of flows, of every kind there is: most mutations of them are still nearly right. */
function seeds(): string[] {
  const lines: string[] = [];
  const add = (program: 'uplink' | 'pod', bytes: Uint8Array, gsoSize = 0) =>
    lines.push(`${program} ${program === 'pod' ? DEVICE.pod : DEVICE.uplink} ${gsoSize} ${toHex(bytes)}`);
  for (const family of FAMILIES) {
    const { node, pod, client } = ADDRESSES[family];
    const [unreachable, router] = family === 'ip' ? [3, '192.0.2.254'] : [1, 'fd00:1::fe'];
    for (const protocol of PROTOCOLS) {
      const legs = new FlowFrames({ family, protocol });
      for (const flags of [SYN, ACK, FIN | ACK]) add('uplink', legs.fromClient({ flags, data: data(flags) }));
      for (const flags of [SYN | ACK, ACK]) add('pod', legs.fromPod({ flags, data: data(flags * 3) }));
      add('pod', legs.fromPod({ data: data(2500) }), 1200);
      const fragment = { offset: 0, more: true };
      add('uplink', legs.fromClient({ data: data(64), ip: { fragment } }));
      add('pod', legs.fromPod({ data: data(64), ip: { fragment } }));
      const later = { number: protocol === 'tcp' ? 6 : 17, bytes: () => data(40) };
      add(
        'uplink',
        frame(ETHERNET_HEADERS.fromClient, { src: client, dst: node, fragment: { offset: 72, more: false } }, later),
      );
      add(
        'pod',
        frame(ETHERNET_HEADERS.fromPod, { src: pod, dst: client, fragment: { offset: 72, more: false } }, later),
      );
      const sent = legs.toClient({ data: data(20) }).subarray(14);
      const got = legs.toPod({ data: data(20) }).subarray(14);
      add(
        'uplink',
        frame(
          ETHERNET_HEADERS.fromClient,
          { src: router, dst: node },
          icmpError({ type: unreachable, code: 0, quoted: sent }),
        ),
      );
      add(
        'pod',
        frame(
          ETHERNET_HEADERS.fromPod,
          { src: pod, dst: client },
          icmpError({ type: unreachable, code: 0, quoted: got }),
        ),
      );
    }
  }
  const { node, client } = ADDRESSES.ip;
  const unsummed = segment({ protocol: 'udp', sport: 40_000, dport: 30_080, noChecksum: true });
  add('uplink', frame(ETHERNET_HEADERS.fromClient, { src: client, dst: node }, unsummed));
  return lines;
}

const netns = await BpfNamespace.create();
try {
  await netns.populate();
  const began = performance.now();
  const { status, stdout } = await netns.runTool('bpf-harness', ['fuzz', count, seed], `${seeds().join('\n')}\n`);
  process.stdout.write(stdout);
  process.stdout.write(`seed=${seed} seconds=${((performance.now() - began) / 1000).toFixed(1)}\n`);
  process.stdout.write(`reasons: ${JSON.stringify(await netns.reasonCounts())}\n`);
  process.exitCode = status;
} finally {
  await netns.close();
}
