// The forms in which this nft prints objects of ours, if they differ from those that we know.

import type { StructureDifference } from './compare-tables.ts';

/** A newer nft may print a rule in another way. Without these, such a rule would be written again forever. */
export class AcceptedForms {
  /** The accepted form by object, with the desired one. */
  readonly #forms = new Map<string, string>();
  /** The differences after the last write of an object. */
  readonly #candidates = new Map<string, string>();

  has(difference: StructureDifference): boolean {
    return this.#forms.get(objectOf(difference)) === formOf(difference);
  }

  /**
   * To be called with the differences that are left immediately after we wrote the objects. A form is accepted when it is
   * found twice: another program may have been faster once. Returns what was accepted.
   */
  accept(differences: readonly StructureDifference[]): StructureDifference[] {
    const accepted = differences.filter((difference) => {
      const { state } = difference;
      return state === 'changed' && this.#candidates.get(objectOf(difference)) === formOf(difference);
    });
    this.#candidates.clear();
    for (const difference of differences) this.#candidates.set(objectOf(difference), formOf(difference));
    for (const difference of accepted) this.#forms.set(objectOf(difference), formOf(difference));
    return accepted;
  }
}

function objectOf({ family, kind, name }: StructureDifference): string {
  return `${family} ${kind} ${name}`;
}

function formOf({ desired, installed }: StructureDifference): string {
  return [...desired, '', ...installed].join('\n');
}
