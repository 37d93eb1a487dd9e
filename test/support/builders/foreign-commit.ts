// A transaction of another process.

import { parseNotification, type RulesetCommit } from '../../../src/nftables/syntax/notification.ts';

/** The notifications are lines of `nft monitor`. */
export function foreignCommit(...lines: readonly string[]): RulesetCommit {
  const notifications = lines.flatMap((line) => parseNotification(line) ?? []);
  return { generation: 9, pid: 4711, program: 'other-program', notifications, omitted: new Map() };
}
