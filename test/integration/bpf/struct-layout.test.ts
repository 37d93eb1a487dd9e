// Tests that the daemon's struct layouts match the BTF types of the built programs.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { LAYOUTS, TIMEOUTS } from '../../../src/fastpath/maps/layout.ts';

interface BtfType {
  readonly id: number;
  readonly kind: string;
  readonly name: string;
  readonly size?: number;
  readonly type_id?: number;
  readonly nr_elems?: number;
  readonly members?: readonly { readonly name: string; readonly type_id: number; readonly bits_offset: number }[];
}

const DIST = fileURLToPath(new URL('../../../dist/bpf/', import.meta.url));

for (const object of ['fastpath.o', 'fastpath-no-conntrack.o']) {
  const dump = execFileSync('bpftool', ['btf', 'dump', '-j', 'file', `${DIST}${object}`], { encoding: 'utf8' });
  const { types }: { types: readonly BtfType[] } = JSON.parse(dump);
  const byId = new Map(types.map((type) => [type.id, type]));

  const sizeOf = (id: number | undefined): number => {
    const type = byId.get(id ?? 0);
    if (type === undefined) return 0;
    if (type.kind === 'ARRAY') return (type.nr_elems ?? 0) * sizeOf(type.type_id);
    return type.size ?? sizeOf(type.type_id);
  };

  for (const { name, size, fields } of LAYOUTS) {
    t.test(`${object}: the layout of ${name} matches`, async (t) => {
      const type = types.find((type) => type.kind === 'STRUCT' && type.name === name);
      t.equal(type?.size, size);
      const members = type?.members?.map(({ name, type_id, bits_offset }) => [name, bits_offset / 8, sizeOf(type_id)]);
      t.strictSame(
        members,
        fields.map(({ name, offset, size, count }) => [name, offset, size * count]),
      );
    });
  }
}

t.test('TIMEOUTS has the order of enum fp_timeout', async (t) => {
  const header = readFileSync(new URL('../../../bpf/shared.h', import.meta.url), 'utf8');
  const [, names = ''] = /enum fp_timeout \{([^}]*)\}/.exec(header) ?? [];
  const camel = (name: string) => name.toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  const found = [...names.matchAll(/FP_(\w+),/g)].map(([, name = '']) => camel(name));
  t.strictSame(found, [...TIMEOUTS, 'timeouts']);
});
