// The fast path's maps in memory: applies requests, checks the rules for writers, and selects backends as a program does.

import type { Packet } from '../../../src/explain/flow/packet.ts';
import {
  type BackendValue,
  decodeBackend,
  decodeFrontend,
  encodeBackend,
  encodeFrontendKey,
  encodeU32,
  type FrontendValue,
} from '../../../src/fastpath/maps/entries.ts';
import { fromHex, toHex } from '../../../src/fastpath/maps/hex.ts';
import {
  addressOf,
  BACKEND_PORTS_OFFSET,
  FRONTEND,
  readBytes,
  readNumber,
  SOURCE_KEY,
} from '../../../src/fastpath/maps/layout.ts';
import { DUMPED_MAPS, decodeU32, type Installed, parseMapDump } from '../../../src/fastpath/maps/map-dump.ts';
import { FAMILIES } from '../../../src/net/family.ts';
import { contains, parsePrefix } from '../../../src/net/prefix.ts';

type MapName = (typeof DUMPED_MAPS)[number];

export class FakeBpfMaps {
  readonly #maps = Object.fromEntries(DUMPED_MAPS.map((name) => [name, new Map<string, string>()])) as Record<
    MapName,
    Map<string, string>
  >;
  /** Violations of the rules for writers in docs/FAST-PATH.md. */
  readonly violations: string[] = [];
  readonly #freedAt = new Map<string, number>();
  readonly #generations = new Map<string, number>();

  /** Applies requests one by one, and checks the maps after each. `now` in milliseconds. */
  apply(lines: readonly string[], now: number): void {
    for (const line of lines) {
      const [verb, name = '', key = '', value = ''] = line.split(' ');
      const map = this.#maps[name as MapName];
      if (name === 'backends') this.#checkSlot(key, value, now);
      if (verb === 'put') map.set(key, name === 'frontends' ? value.padEnd(2 * FRONTEND.size, '0') : value);
      else map.delete(key);
      this.#checkAll(line);
    }
  }

  installed(): Installed {
    const lines = DUMPED_MAPS.map((name) => [name, [...this.#maps[name]].map(([k, v]) => `entry ${k} ${v}`)] as const);
    return parseMapDump(Object.fromEntries(lines) as Record<MapName, string[]>, { isNew: false });
  }

  /** The backends that a program selects from for the first packet of a flow; `undefined` if it passes the packet. */
  backendsFor(packet: Packet): BackendValue[] | undefined {
    const { protocol, source, destination, destinationPort: port } = packet;
    if (protocol === 'sctp' || !this.#bit(0, port)) return undefined;
    const hex = this.#maps.frontends.get(toHex(encodeFrontendKey({ address: destination, port, protocol })));
    if (hex === undefined) return undefined;
    const frontend = decodeFrontend(fromHex(hex));
    if (frontend.suspended || frontend.slots.length === 0 || this.#isExcluded(source)) return undefined;
    return frontend.slots.map((slot) => this.#backend(slot));
  }

  #isExcluded(source: string): boolean {
    return FAMILIES.some((family) =>
      [...this.#maps[family === 'ip' ? 'sources_v4' : 'sources_v6'].keys()].map(fromHex).some((key) => {
        const layout = SOURCE_KEY[family];
        const text = `${addressOf(readBytes(layout, key, 'addr'))}/${readNumber(layout, key, 'prefix')}`;
        const prefix = parsePrefix(text);
        return prefix !== undefined && contains(prefix, source);
      }),
    );
  }

  #backend(slot: number): BackendValue {
    return decodeBackend(fromHex(this.#maps.backends.get(toHex(encodeU32(slot))) ?? '00'.repeat(52)));
  }

  #bit(base: number, port: number): boolean {
    const word = this.#maps.ports.get(toHex(encodeU32(base + (port >> 6)))) ?? '00'.repeat(8);
    return ((new BigUint64Array(fromHex(word).buffer)[0] ?? 0n) >> BigInt(port & 63)) % 2n === 1n;
  }

  #checkSlot(key: string, value: string, now: number): void {
    const before = decodeBackend(fromHex(this.#maps.backends.get(key) ?? '00'.repeat(52)));
    const after = decodeBackend(fromHex(value));
    const slot = decodeU32(key);
    if (after.gen === 0) {
      this.#freedAt.set(key, now);
      return;
    }
    if (before.gen !== 0 && before.gen === after.gen) {
      const { flags, l3if, mtu, mac, gatewayMac } = before;
      const isSame =
        toHex(encodeBackend({ ...after, flags, l3if, mtu, mac, gatewayMac })) === toHex(encodeBackend(before));
      if (!isSame) this.violations.push(`slot ${slot} got another backend while it was used`);
      return;
    }
    if (before.gen !== 0) this.violations.push(`slot ${slot} was changed while it was used`);
    if (after.gen <= (this.#generations.get(key) ?? 0))
      this.violations.push(`slot ${slot} was reused with an old generation`);
    if (now - (this.#freedAt.get(key) ?? Number.NEGATIVE_INFINITY) < 1000)
      this.violations.push(`slot ${slot} was reused too early`);
    this.#generations.set(key, after.gen);
  }

  #checkAll(line: string): void {
    for (const hex of this.#maps.frontends.values()) {
      const frontend: FrontendValue = decodeFrontend(fromHex(hex));
      for (const slot of frontend.slots) {
        const { gen, svc, port } = this.#backend(slot);
        if (gen === 0) this.violations.push(`a frontend refers to free slot ${slot} after ${line}`);
        else if (svc !== frontend.svc)
          this.violations.push(`a frontend refers to a slot of another Service port after ${line}`);
        if (!this.#bit(BACKEND_PORTS_OFFSET, port))
          this.violations.push(`the bit of backend port ${port} is not set after ${line}`);
      }
    }
  }
}
