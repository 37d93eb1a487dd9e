// A sink that remembers what it was told, and what follows from it.
import type { Kind, KindMap } from '../../../../src/services/objects/kinds.ts';
import type { ReadResult } from '../../../../src/services/objects/read.ts';
import type { Sink } from '../../../../src/services/objects/sink.ts';

export class RecordingSink implements Sink {
  /** In words, e.g. `put Service default/web`. */
  readonly events: string[] = [];
  readonly reads = new Map<string, ReadResult<KindMap[Kind]>>();

  replace<K extends Kind>(kind: K, objects: readonly ReadResult<KindMap[K]>[]): void {
    this.events.push(`replace ${kind} ${objects.length}`);
    for (const id of this.reads.keys()) if (id.startsWith(`${kind} `)) this.reads.delete(id);
    for (const object of objects) this.reads.set(`${kind} ${object.key}`, object);
  }

  put<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): void {
    this.events.push(`put ${kind} ${object.key}`);
    this.reads.set(`${kind} ${object.key}`, object);
  }

  remove(kind: Kind, key: string): void {
    this.events.push(`remove ${kind} ${key}`);
    this.reads.delete(`${kind} ${key}`);
  }

  /** The first port of a Service; `undefined` when there is no such Service. */
  port(name: string): number | undefined {
    const value = this.reads.get(`Service default/${name}`)?.value;
    const port = value !== undefined && 'ports' in value ? value.ports[0]?.port : undefined;
    return port;
  }

  /** The events since the last call. */
  take(): string[] {
    return this.events.splice(0);
  }
}
