// The fast path: what it serves, and what becomes of packets.
import { Counter, Gauge, type Registry } from 'prom-client';
import type { FastPathView } from '../inspect/fast-path-view.ts';

/** What `bpf/shared.h` calls from FP_TAKEN on. RECYCLED and REROUTED are left out: their packets count elsewhere too. */
const TAKEN = 'TAKEN CREATED REMAPPED ANSWERED ICMP_IN ICMP_OUT FRAGMENT_IN FRAGMENT_OUT'.split(' ');
const NOTES = ['RECYCLED', 'REROUTED'];

/**
 * Registers them. `view` is asked whenever the metrics are, and reads no kernel: it is what the fast path last collected.
 * Where it is switched off there are no series.
 */
export function registerFastPathMetrics(registry: Registry, view: () => FastPathView | undefined): void {
  const registers = [registry];
  const current = (): FastPathView | undefined => {
    const seen = view();
    return seen?.mode === 'off' ? undefined : seen;
  };
  const gauge = (name: string, help: string, value: (seen: FastPathView) => number) =>
    new Gauge({
      name: `nftlane_fastpath_${name}`,
      help,
      registers,
      collect() {
        const seen = current();
        if (seen === undefined) this.remove();
        else this.set(value(seen));
      },
    });
  const packets = (name: string, help: string, counts: (reason: string) => boolean) =>
    new Counter({
      name: `nftlane_fastpath_${name}_packets_total`,
      help,
      labelNames: ['reason'] as const,
      registers,
      collect() {
        this.reset();
        for (const [reason, count] of Object.entries(current()?.reasons ?? {})) {
          if (counts(reason)) this.inc({ reason: reason.toLowerCase() }, count);
        }
      },
    });
  gauge('on', '1 while the fast path takes packets, 0 while it is wanted and off', ({ state }) =>
    Number(state === 'on'),
  );
  gauge('uplinks', 'Uplinks that the fast path uses', ({ uplinks }) => {
    return uplinks.filter(({ reason }) => reason === undefined).length;
  });
  gauge('pods', 'Devices of pods with a program', ({ pods }) => pods.length);
  gauge('frontends', 'Frontends that the fast path serves', ({ frontends }) => frontends.length);
  gauge(
    'passing_frontends',
    'Those of them whose new flows are left to nft, for connections were not answered',
    (seen) => {
      return seen.frontends.filter(({ passes }) => passes !== undefined).length;
    },
  );
  gauge('left_frontends', 'Frontends with the Local policy that are left to nft', ({ left }) => left.length);
  gauge('slots', 'Slots of backends in use', ({ slots }) => slots.used);
  gauge('draining_slots', 'Those of them that only live flows use', ({ slots }) => slots.draining);
  new Gauge({
    name: 'nftlane_fastpath_flows',
    help: 'Flows that live',
    labelNames: ['ip_family'] as const,
    registers,
    collect() {
      this.reset();
      const flows = current()?.flows;
      if (flows === undefined) return;
      this.set({ ip_family: 'IPv4' }, flows.ip);
      this.set({ ip_family: 'IPv6' }, flows.ip6);
    },
  });
  packets('taken', 'Packets that went by the fast path', (reason) => TAKEN.includes(reason));
  packets('passed', 'Packets that were handed on to the stack', (reason) => ![...TAKEN, ...NOTES].includes(reason));
}
