// Tests of src/services/allocation/range-assignment.ts.

import fc from 'fast-check';
import t from 'tap';
import { compare } from '../../../../src/lib/compare.ts';
import { parsePrefix } from '../../../../src/net/prefix.ts';
import { AddressRange, ProbeSequence } from '../../../../src/services/allocation/probe-sequence.ts';
import { RangeAssignment } from '../../../../src/services/allocation/range-assignment.ts';

function prefix(text: string) {
  const block = parsePrefix(text);
  if (block === undefined) throw new Error(text);
  return block;
}

function assignmentOf(text: string, excluded: readonly string[] = []) {
  const moved: string[] = [];
  const range = new AddressRange(prefix(text));
  const onMove = (key: string) => void moved.push(key);
  const assignment = new RangeAssignment({ range, excluded: excluded.map(prefix), onMove });
  return { assignment, range, moved };
}

/** The definition: in the order of priority, each takes the first free address of its sequence. */
function greedy(range: AddressRange, names: Iterable<string>, taken: (address: string) => boolean) {
  const sequences = [...names].map((name) => ({ name, sequence: new ProbeSequence(name, range) }));
  sequences.sort((a, b) => a.sequence.priority - b.sequence.priority || compare(a.name, b.name));
  const used = new Set<string>();
  return new Map(
    sequences.map(({ name, sequence }) => {
      const all = Array.from({ length: Number(range.size) }, (_, index) => sequence.at(index));
      const address = all.find((candidate) => !used.has(candidate) && !taken(candidate));
      if (address !== undefined) used.add(address);
      return [name, address];
    }),
  );
}

const NAMES = Array.from({ length: 20 }, (_, n) => `shop/s${n}`);
const EVENTS = fc.array(
  fc.oneof(
    {
      arbitrary: fc.record({ verb: fc.constantFrom('add', 'add', 'remove'), name: fc.constantFrom(...NAMES) }),
      weight: 3,
    },
    {
      arbitrary: fc.record({ verb: fc.constantFrom('reserve', 'release'), host: fc.integer({ min: 0, max: 16 }) }),
      weight: 1,
    },
  ),
  { maxLength: 80 },
);

t.test('RangeAssignment is a function of the Services and reserved addresses, also in a full range', async (t) => {
  for (const [text, excluded] of [
    ['10.96.0.0/27', []],
    ['10.96.0.0/28', []],
    ['10.96.0.0/28', ['10.96.0.8/29']],
    ['10.96.0.0/29', []],
    ['fd00:96::/124', []],
    ['10.96.0.0/28', ['10.96.0.0/16']],
  ] as const) {
    fc.assert(
      fc.property(EVENTS, (events) => {
        const { assignment, range, moved } = assignmentOf(text, excluded);
        const names = new Set<string>();
        const reserved = new Map<string, number>();
        let known = new Map<string, string | undefined>();
        const addressAt = (host: number) => range.at(BigInt(host % Number(range.size)));
        for (const event of events) {
          moved.length = 0;
          if ('name' in event) {
            const { verb, name } = event;
            if (verb === 'add') names.add(name);
            else names.delete(name);
            if (verb === 'add') assignment.add(name);
            else assignment.remove(name);
          } else {
            const address = addressAt(event.host);
            const count = reserved.get(address) ?? 0;
            if (event.verb === 'reserve') reserved.set(address, count + 1);
            else reserved.set(address, Math.max(count - 1, 0));
            if (event.verb === 'reserve') assignment.reserve(address);
            else assignment.release(address);
          }
          const isExcluded = (address: string) =>
            excluded.some((block) => new AddressRange(prefix(block)).contains(address));
          const expected = greedy(range, names, (address) => (reserved.get(address) ?? 0) > 0 || isExcluded(address));
          for (const [name, address] of expected) {
            if (assignment.addressOf(name) !== address) return false;
            // Each change is reported, or the Service would keep the old address.
            if (known.get(name) !== address && !moved.includes(name)) return false;
          }
          known = expected;
        }
        return true;
      }),
      { numRuns: 150 },
    );
  }
  t.pass();
});

t.test('RangeAssignment moves few Services for a new one', async (t) => {
  const { assignment, moved } = assignmentOf('10.96.0.0/22');
  let total = 0;
  for (let n = 0; n < 512; n++) {
    moved.length = 0;
    assignment.add(`shop/web-${n}`);
    total += moved.length - 1;
  }
  // Half of the range is in use at the end, so that one in four new Services meets another one.
  t.ok(total < 150, `${total} moves for 512 Services`);
});

t.test('RangeAssignment leaves out the Services of the lowest priority in a full range', async (t) => {
  const { assignment, range } = assignmentOf('10.96.0.0/24');
  const names = Array.from({ length: 900 }, (_, n) => `shop/web-${n}`);
  for (const name of names) assignment.add(name);
  const byPriority = names.map((name) => ({ name, priority: new ProbeSequence(name, range).priority }));
  byPriority.sort((a, b) => a.priority - b.priority);
  const served = byPriority.filter(({ name }) => assignment.addressOf(name) !== undefined);
  t.strictSame(served, byPriority.slice(0, 254));
});

t.test('RangeAssignment assigns nothing of a range inside of a pod CIDR', async (t) => {
  const { assignment } = assignmentOf('fd00:96::/64', ['fd00::/16']);
  assignment.add('shop/web');
  t.equal(assignment.addressOf('shop/web'), undefined);
  t.equal(assignment.has('shop/web'), true);
});
