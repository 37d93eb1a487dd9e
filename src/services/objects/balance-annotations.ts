// The annotations that choose how a Service balances its load.

import { type Address, parseAddress } from '../../net/address.ts';
import { asString, type IssueCollector, type JsonObject } from './read.ts';

/**
 * How an endpoint is chosen for a new flow: at random, by a hash of the client's address, or by a Maglev table, which is
 * the same on every node and moves few clients when endpoints change.
 */
export type BalanceAlgorithm = 'random' | 'source-hash' | 'maglev';

/** Selects the {@link BalanceAlgorithm}. */
const BALANCE_ANNOTATION = 'nftlane.io/balance';
/** Sets weights of endpoints as `ADDRESS=WEIGHT`, separated by commas. */
const WEIGHTS_ANNOTATION = 'nftlane.io/weights';
/** Enough for a canary with 1 % of the connections. */
const MAX_WEIGHT = 100;

/** Reads {@link BALANCE_ANNOTATION}. */
export function readBalance(annotations: JsonObject, issues: IssueCollector): BalanceAlgorithm {
  const value = annotations[BALANCE_ANNOTATION] ?? 'random';
  if (value === 'random' || value === 'source-hash' || value === 'maglev') return value;
  const field = `metadata.annotations["${BALANCE_ANNOTATION}"]`;
  issues.add({ field, value, reason: 'must be random, source-hash or maglev', effect: 'using random' });
  return 'random';
}

/** Reads {@link WEIGHTS_ANNOTATION}. */
export function readWeights(annotations: JsonObject, issues: IssueCollector): Record<Address, number> {
  const weights: Record<Address, number> = {};
  const value = annotations[WEIGHTS_ANNOTATION];
  for (const entry of asString(value).split(',')) {
    const [left = '', right = '', ...rest] = entry.split('=').map((part) => part.trim());
    if (left === '' && right === '') continue;
    const address = parseAddress(left);
    const weight = /^\d{1,3}$/.test(right) && rest.length === 0 ? Number(right) : undefined;
    if (address !== undefined && weight !== undefined && weight <= MAX_WEIGHT) {
      weights[address] = weight;
    } else {
      const reason = `must be an IP address, "=" and a whole number from 0 to ${MAX_WEIGHT}`;
      issues.add({
        field: `metadata.annotations["${WEIGHTS_ANNOTATION}"]`,
        value: entry.trim(),
        reason,
        effect: 'ignoring this weight',
      });
    }
  }
  return weights;
}
