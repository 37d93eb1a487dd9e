// One line of a watch.
import { asObject, asString } from '../../../services/objects/read.ts';
import { ConnectionError } from '../client/api-error.ts';

export interface WatchEvent {
  /** ADDED, MODIFIED, DELETED, BOOKMARK or ERROR; whatever else a server may come up with is not for us. */
  readonly type: string;
  /** The object itself; a Status in an ERROR. */
  readonly object: unknown;
  /** Empty in an ERROR. */
  readonly resourceVersion: string;
  /** The bookmark that ends the initial events of a streaming list (KEP-3157). */
  readonly endsInitialEvents: boolean;
}

const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

/** Reads a line; what is not JSON means that the stream is broken, and is a {@link ConnectionError}. */
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
