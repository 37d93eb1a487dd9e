// The process that holds the lock of a network namespace, as recorded in the lock's comment.

import {
  identify,
  isAlive,
  type ProcessIdentity,
  pidNamespace,
  visiblePid,
} from '../../../host/process/process-identity.ts';

interface LockOwner {
  readonly daemon: ProcessIdentity;
  /** The daemon's nft process, whose netlink socket owns the table. */
  readonly holder: ProcessIdentity;
  /** The PID namespace of both. */
  readonly pidNamespace: number;
}

/** This process, with the nft process that it has started. */
export async function ownerWith(holderPid: number): Promise<LockOwner> {
  const [daemon, holder] = await Promise.all([identify(process.pid), identify(holderPid)]);
  return {
    daemon: daemon ?? { pid: process.pid, startTime: 0 },
    holder: holder ?? { pid: holderPid, startTime: 0 },
    pidNamespace: await pidNamespace(),
  };
}

/** At most 127 bytes, which is the limit of comments. */
export function printOwner({ daemon, holder, pidNamespace: namespace }: LockOwner): string {
  return `daemon ${daemon.pid} since ${daemon.startTime}, nft ${holder.pid} since ${holder.startTime}, pidns ${namespace}`;
}

const COMMENT = /comment "daemon (\d+) since (\d+), nft (\d+) since (\d+), pidns (\d+)"/;

/** The owner in a listing of the table; `undefined` without a comment of this form. */
export function parseOwner(listing: string): LockOwner | undefined {
  const match = COMMENT.exec(listing);
  if (match === null) return undefined;
  const [pid = 0, startTime = 0, holderPid = 0, holderStart = 0, namespace = 0] = match.slice(1).map(Number);
  return {
    daemon: { pid, startTime },
    holder: { pid: holderPid, startTime: holderStart },
    pidNamespace: namespace,
  };
}

/** For messages: the process, by its number here if it can be seen from here. */
export async function describeOwner(owner: LockOwner): Promise<string> {
  const { pid } = owner.daemon;
  if (owner.pidNamespace === (await pidNamespace())) return `process ${pid}`;
  const visible = await visiblePid(pid, owner.pidNamespace);
  return visible === undefined ? `process ${pid} of another container` : `process ${visible}, ${pid} in its container`;
}

/**
 * Whether the daemon has ended. Its nft process, if it survived because it was stopped, is ended then. Not known for other
 * PID namespaces, whose processes all end with the first one.
 */
export async function hasEnded(owner: LockOwner): Promise<boolean> {
  if (owner.pidNamespace !== (await pidNamespace()) || (await isAlive(owner.daemon))) return false;
  if (await isAlive(owner.holder)) process.kill(owner.holder.pid, 'SIGKILL');
  return true;
}
