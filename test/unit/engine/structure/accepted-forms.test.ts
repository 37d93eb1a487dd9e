// Tests of src/engine/structure/accepted-forms.ts.

import t from 'tap';
import { AcceptedForms } from '../../../../src/engine/structure/accepted-forms.ts';
import type { StructureDifference } from '../../../../src/engine/structure/compare-tables.ts';

function difference(overrides: Partial<StructureDifference> = {}): StructureDifference {
  const object = { family: 'ip', kind: 'chain', name: 'services', state: 'changed' } as const;
  return { ...object, desired: ['drop'], installed: ['DROP'], needsReplacement: false, ...overrides };
}

t.test('AcceptedForms accepts a form that is left after two writes', async (t) => {
  const forms = new AcceptedForms();
  t.strictSame(forms.accept([difference()]), []);
  t.notOk(forms.has(difference()));
  t.strictSame(forms.accept([difference()]), [difference()]);
  t.ok(forms.has(difference()));
  t.notOk(forms.has(difference({ installed: ['accept'] })), 'only this form');
  t.notOk(forms.has(difference({ desired: ['accept'] })), 'only for this chain');
  t.notOk(forms.has(difference({ name: 'nodeports' })));
});

t.test('AcceptedForms accepts neither another form nor a missing or unexpected object', async (t) => {
  const forms = new AcceptedForms();
  forms.accept([difference()]);
  t.strictSame(forms.accept([difference({ installed: ['accept'] })]), []);
  t.strictSame(forms.accept([]), []);
  t.strictSame(forms.accept([difference({ installed: ['accept'] })]), [], 'another write was confirmed meanwhile');
  for (const state of ['missing', 'unexpected'] as const) {
    forms.accept([difference({ state })]);
    t.strictSame(forms.accept([difference({ state })]), []);
  }
});
