// The source ranges of a Service.

import type { Family } from '../../net/family.ts';
import { type Prefix, parsePrefix } from '../../net/prefix.ts';
import { asArray, asString, type IssueCollector } from './read.ts';

/** The clients that may connect to load balancer addresses; see {@link sourceRangesOf}. */
export interface SourceRanges {
  readonly loadBalancerSourceRanges: readonly Prefix[];
  /** Source ranges were given, valid or not. */
  readonly hasSourceRanges: boolean;
}

/** Reads `spec.loadBalancerSourceRanges`. */
export function readSourceRanges(value: unknown, issues: IssueCollector): SourceRanges {
  const texts = asArray(value).map((entry) => asString(entry).trim());
  const loadBalancerSourceRanges = texts.flatMap((text, index) => {
    if (text === '') return [];
    const prefix = parsePrefix(text);
    if (prefix !== undefined) return [prefix];
    const field = `spec.loadBalancerSourceRanges[${index}]`;
    issues.add({
      field,
      value: asArray(value)[index],
      reason: 'is not a CIDR block',
      effect: 'ignoring this range',
    });
    return [];
  });
  return { loadBalancerSourceRanges, hasSourceRanges: texts.some((text) => text !== '') };
}

/**
 * The source ranges of a family, or `open` to all clients: if there are none, if one contains the whole family, or if none
 * is valid in this family. The latter is the behavior of kube-proxy; with `strict`, no client may connect then.
 */
export function sourceRangesOf(
  { loadBalancerSourceRanges, hasSourceRanges }: SourceRanges,
  family: Family,
  { strict }: { strict: boolean },
): 'open' | readonly Prefix[] {
  const ranges = loadBalancerSourceRanges.filter((range) => range.family === family);
  if (ranges.some((range) => range.length === 0)) return 'open';
  return ranges.length > 0 || (strict && hasSourceRanges) ? ranges : 'open';
}
