// One event of a watch.

import { asObject, asString } from '../../../services/objects/read.ts';
import { ConnectionError } from '../client/api-error.ts';

export interface WatchEvent {
  /** ADDED, MODIFIED, DELETED, BOOKMARK or ERROR. Other types are ignored. */
  readonly type: string;
  /** A Status for ERROR. */
  readonly object: unknown;
  /** Empty for ERROR. */
  readonly resourceVersion: string;
  /** The bookmark that ends the initial events of a streaming list (KEP-3157). */
  readonly endsInitialEvents: boolean;
}

const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

/** Parses a line. Throws {@link ConnectionError} if it is not JSON, since the stream is broken then. */
export function readWatchEvent(line: string): WatchEvent {
  const { type, object } = asObject(parse(line));
  const metadata = asObject(asObject(object)['metadata']);
  return {
    type: asString(type),
    object,
    resourceVersion: asString(metadata['resourceVersion']),
    endsInitialEvents: type === 'BOOKMARK' && asObject(metadata['annotations'])[INITIAL_EVENTS_END] === 'true',
  };
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    const excerpt = JSON.stringify(line.length > 60 ? `${line.slice(0, 57)}...` : line);
    throw new ConnectionError(`not a watch event: ${excerpt}`, { cause: error });
  }
}
