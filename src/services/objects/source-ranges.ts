// The source ranges of a Service.
import type { Family } from '../../net/family.ts';
import { type Prefix, parsePrefix } from '../../net/prefix.ts';
import { asArray, asString, type IssueCollector } from './read.ts';

/** Who may connect to the load balancer addresses; {@link sourceRangesOf} says what applies to a family. */
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
      effect: 'this range is left out',
    });
    return [];
  });
  return { loadBalancerSourceRanges, hasSourceRanges: texts.some((text) => text !== '') };
}

/**
 * The source ranges of a family, or `open` for everybody: when none are given, one is the whole family, or none can be
 * used in this family. The last is what kube-proxy does; `strict` closes the family instead.
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
