// Tests of src/nftables/plan/frontend-claims.ts.

import fc from 'fast-check';
import t from 'tap';
import { FrontendClaims } from '../../../../src/nftables/plan/frontend-claims.ts';

const [OLD, YOUNG, TWIN] = [
  { key: 'z/old', createdAt: 1 },
  { key: 'a/young', createdAt: 2 },
  { key: 'a/twin', createdAt: 2 },
];

t.test('FrontendClaims gives a frontend to the oldest Service, then to the first by name', async (t) => {
  const claims = new FrontendClaims();
  t.strictSame(claims.claim(YOUNG, ['f']), new Set());
  t.ok(claims.owns('f', 'a/young'));
  t.strictSame(claims.claim(TWIN, ['f']), new Set(['a/young']));
  t.ok(claims.owns('f', 'a/twin'));
  t.strictSame(claims.claim(OLD, ['f', 'g']), new Set(['a/twin']));
  t.ok(claims.owns('f', 'z/old'));
  t.notOk(claims.owns('f', 'a/twin'));
  t.strictSame(claims.conflicts(), [{ frontend: 'f', winner: 'z/old', losers: ['a/twin', 'a/young'] }]);
});

t.test('FrontendClaims passes a frontend on when its owner drops it', async (t) => {
  const claims = new FrontendClaims();
  for (const claimant of [OLD, YOUNG, TWIN]) claims.claim(claimant, ['f']);
  t.strictSame(claims.claim(OLD, []), new Set(['a/twin']));
  t.ok(claims.owns('f', 'a/twin'));
  t.strictSame(claims.claim(YOUNG, []), new Set(), 'removing a loser changes nothing');
  t.strictSame(claims.conflicts(), []);
  t.strictSame(claims.claim(TWIN, []), new Set());
  t.notOk(claims.owns('f', 'a/twin'));
});

t.test('FrontendClaims follows a changed creation time', async (t) => {
  const claims = new FrontendClaims();
  claims.claim(OLD, ['f']);
  claims.claim(YOUNG, ['f']);
  t.strictSame(claims.claim({ key: 'a/young', createdAt: 0 }, ['f']), new Set(['z/old']));
  t.ok(claims.owns('f', 'a/young'));
});

t.test('FrontendClaims does not depend on the order of claims, and returns all whose frontends changed', async (t) => {
  const claim = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    createdAt: fc.constantFrom(1, 2),
    frontends: fc.uniqueArray(fc.constantFrom('f', 'g', 'h')),
  });
  const property = fc.property(fc.array(claim, { maxLength: 20 }), (history) => {
    const claims = new FrontendClaims();
    const latest = new Map<string, (typeof history)[number]>();
    const owners = () => {
      const all = ['a', 'b', 'c', 'd'].flatMap((key) => ['f', 'g', 'h'].map((frontend) => ({ key, frontend })));
      return new Set(
        all.filter(({ key, frontend }) => claims.owns(frontend, key)).map((o) => `${o.key} ${o.frontend}`),
      );
    };
    for (const claim of history) {
      const before = owners();
      const affected = claims.claim({ key: claim.name, createdAt: claim.createdAt }, claim.frontends);
      const after = owners();
      const lost = [...before].filter((owner) => !after.has(owner));
      const won = [...after].filter((owner) => !before.has(owner));
      const changed = [...lost, ...won].map((owner) => owner.slice(0, 1));
      t.strictSame([...affected].sort(), [...new Set(changed)].filter((key) => key !== claim.name).sort());
      latest.set(claim.name, claim);
    }
    const fresh = new FrontendClaims();
    const sorted = [...latest.values()].sort((a, b) => (a.name < b.name ? 1 : -1));
    for (const { name, createdAt, frontends } of sorted) fresh.claim({ key: name, createdAt }, frontends);
    t.strictSame(claims.conflicts(), fresh.conflicts());
  });
  fc.assert(property, { numRuns: 100, seed: 1 });
});
