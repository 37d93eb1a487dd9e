// One event of a watch.

import { asObject, asString } from '../../../services/objects/read.ts';
import { ConnectionError } from '../client/api-error.ts';

export interface WatchEvent {
  /** ADDED, MODIFIED, DELETED, BOOKMARK or ERROR. Other types are ignored. */
  readonly type: string;
  /** The kind that the object names; empty if it names none. */
  readonly kind: string;
  /** A Status for ERROR. */
  readonly object: unknown;
  /** Empty for ERROR. */
  readonly resourceVersion: string;
  /** The bookmark that ends the initial events of a streaming list (KEP-3157). */
  readonly endsInitialEvents: boolean;
}

const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

/** Versions are opaque, but become part of a URL. */
const MAX_VERSION_LENGTH = 256;

/** Parses a line. Throws {@link ConnectionError} if it is not an event with an object, since the stream is broken then. */
export function readWatchEvent(line: string): WatchEvent {
  const { type, object } = asObject(parse(line));
  if (asString(type) === '' || typeof object !== 'object' || object === null) throw notAnEvent(line);
  const { kind, metadata: objectMetadata } = asObject(object);
  const metadata = asObject(objectMetadata);
  const resourceVersion = asString(metadata['resourceVersion']);
  if (resourceVersion.length > MAX_VERSION_LENGTH) throw new ConnectionError('a resourceVersion is too long');
  return {
    type: asString(type),
    kind: asString(kind),
    object,
    resourceVersion,
    endsInitialEvents: type === 'BOOKMARK' && asObject(metadata['annotations'])[INITIAL_EVENTS_END] === 'true',
  };
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw notAnEvent(line, error);
  }
}

function notAnEvent(line: string, cause?: unknown): ConnectionError {
  const excerpt = JSON.stringify(line.length > 60 ? `${line.slice(0, 57)}...` : line);
  return new ConnectionError(`not a watch event: ${excerpt}`, { cause });
}
