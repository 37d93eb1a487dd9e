// API objects of Events (events.k8s.io/v1).

import { createHash } from 'node:crypto';
import { KINDS } from '../services/objects/kinds.ts';
import type { EventSpec, Regarding } from './event-spec.ts';

const CONTROLLER = 'nftlane';
/** The API's limits: bytes of UTF-8 for the note, characters for the others. */
const [MAX_NOTE, MAX_INSTANCE, MAX_NAME] = [1024, 128, 253];

export interface EventRef {
  readonly namespace: string;
  readonly name: string;
}

/** Where and when the event happened. Times are milliseconds since 1970. */
export interface EventOrigin {
  readonly nodeName: string;
  readonly at: number;
  readonly uid: string | undefined;
}

/**
 * The namespace and name of an Event. With scope `cluster`, every node computes the same name, so that the cluster has one
 * Event.
 */
export function eventRefOf(event: EventSpec, { nodeName, at }: Pick<EventOrigin, 'nodeName' | 'at'>): EventRef {
  const { regarding, reason, note, scope } = event;
  const nodeSuffix = scope === 'cluster' ? '' : `${nodeName} ${at}`;
  const hash = createHash('sha256')
    .update(JSON.stringify([regarding, reason, note, nodeSuffix]))
    .digest('hex')
    .slice(0, 16);
  const { namespace, name } = splitKey(regarding);
  // Events of objects without a namespace belong to this one.
  return { namespace: namespace || 'default', name: `${name.slice(0, MAX_NAME - 17)}.${hash}` };
}

/** The API object of a new Event. */
export function toEvent(event: EventSpec, ref: EventRef, { nodeName, at, uid }: EventOrigin): unknown {
  const { regarding, type, reason, action, note } = event;
  const { namespace, name } = splitKey(regarding);
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: ref,
    eventTime: microTime(at),
    reportingController: CONTROLLER,
    reportingInstance: `${CONTROLLER}-${nodeName}`.slice(0, MAX_INSTANCE),
    type,
    reason,
    action,
    note: truncate(note),
    regarding: {
      apiVersion: KINDS[regarding.kind].apiVersion,
      kind: regarding.kind,
      name,
      ...(namespace === '' ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
    },
  };
}

/** A merge patch with the number of occurrences and the time of the last one. */
export function seriesPatch(count: number, lastAt: number): unknown {
  return { series: { count, lastObservedTime: microTime(lastAt) } };
}

/** The namespace is empty for a cluster-scoped object. */
export function splitKey({ key }: Regarding): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, Math.max(slash, 0)), name: key.slice(slash + 1) };
}

/** RFC 3339 with six fractional digits, as the API requires. */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}

function truncate(note: string): string {
  const bytes = Buffer.from(note);
  return bytes.length <= MAX_NOTE
    ? note
    : `${bytes
        .subarray(0, MAX_NOTE - 6)
        .toString()
        .replace(/\uFFFD$/, '')}...`;
}
