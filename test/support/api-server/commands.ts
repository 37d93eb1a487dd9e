// Commands that change a running test server.

import { setInterval as every } from 'node:timers/promises';
import { KINDS, kindOf } from '../../../src/services/objects/kinds.ts';
import { asArray } from '../../../src/services/objects/read.ts';
import type { ApiServer } from './api-server.ts';
import { endpoint, NAMESPACE, putNode, putService, serviceName, slice } from './bulk-objects.ts';
import type { ApiObject } from './protocol/collection.ts';

/** Per second; faster changes are made in bursts. */
const TICKS = 50;

export class Commands {
  readonly #server: ApiServer;
  /** The number of the next endpoint; numbers are not reused. */
  #nextEndpoint = 4_000_000;

  constructor(server: ApiServer) {
    this.#server = server;
  }

  /** Executes one line. Returns the answer. */
  async run(line: string): Promise<string> {
    const [command = '', name = '', amount = ''] = line.trim().split(/\s+/);
    if (command === 'endpoint' && /^[+-]\d+$/.test(amount)) return this.#endpoint(name, Number(amount));
    if (command === 'change' && /^\d+-per-second$/.test(name))
      return this.#change(Number.parseInt(name, 10), Number(amount));
    if (command === 'add' && /^\d+$/.test(name)) return this.#add(Number(name), Number(amount || 1));
    if (command === 'remove') return this.#remove(name);
    if (command === 'zone' && /^\d+$/.test(name)) return this.#do(() => putNode(this.#server, Number(name), amount));
    if (command === 'put') return this.#put(line.trim().slice('put '.length));
    if (command === 'delete') return this.#delete(name, amount);
    if (command === 'end-watches') return this.#do(() => this.#server.endWatches());
    if (command === 'delete-all') return this.#do(() => this.#deleteAll());
    if (command === 'empty-backup') return this.#do(() => this.#server.restoreEmptyBackup());
    if (command === 'cut') return this.#do(() => this.#server.cutConnections());
    if (command === 'fault')
      return this.#do(() => this.#server.injectFault(JSON.parse(line.trim().slice('fault '.length))));
    if (command === 'clear-faults') return this.#do(() => this.#server.clearFaults());
    if (command === 'dump') return `ok ${JSON.stringify(this.#objects())}`;
    return `error unknown command: ${line}`;
  }

  #endpoint(name: string, amount: number): string {
    const endpoints = this.#endpoints(name);
    if (endpoints === undefined) return `error no such slice: ${name}`;
    const added = Array.from({ length: Math.max(amount, 0) }, () => endpoint(this.#nextEndpoint++));
    const kept = amount < 0 ? endpoints.slice(0, amount) : endpoints;
    this.#server.put('EndpointSlice', slice(name, [...kept, ...added]));
    return `ok ${name} ${kept.length + added.length}`;
  }

  async #change(perSecond: number, seconds: number): Promise<string> {
    const prefix = `${NAMESPACE}/`;
    const keys = this.#server.keys('EndpointSlice').filter((key) => key.startsWith(prefix));
    const names = keys.map((key) => key.slice(prefix.length));
    let [done, ticks] = [0, 0];
    for await (const _ of every(1000 / TICKS)) {
      const due = Math.round((perSecond * ++ticks) / TICKS);
      while (done < Math.min(due, perSecond * seconds)) this.#replaceOne(names[done++ % names.length] ?? '');
      if (done >= perSecond * seconds) break;
    }
    return `ok ${done} changes`;
  }

  /** A step of a rolling update: replaces the oldest endpoint with a new one. */
  #replaceOne(name: string): void {
    const endpoints = this.#endpoints(name) ?? [];
    this.#server.put('EndpointSlice', slice(name, [...endpoints.slice(1), endpoint(this.#nextEndpoint++)]));
  }

  #endpoints(name: string): readonly unknown[] | undefined {
    const found = this.#server.get('EndpointSlice', `${NAMESPACE}/${name}`);
    return found === undefined ? undefined : asArray(found['endpoints']);
  }

  #add(number: number, endpoints: number): string {
    putService(this.#server, { number, endpoints });
    return `ok ${serviceName(number)}`;
  }

  #remove(name: string): string {
    for (const kind of ['Service', 'EndpointSlice'] as const) this.#server.remove(kind, `${NAMESPACE}/${name}`);
    return `ok ${name}`;
  }

  #put(json: string): string {
    const object: ApiObject = JSON.parse(json);
    const kind = kindOf(object['apiVersion'], object['kind']);
    if (kind === undefined) return `error no such kind: ${object['kind']}`;
    this.#server.put(kind, object);
    return `ok ${object.metadata.name}`;
  }

  #delete(name: string, key: string): string {
    const kind = Object.values(KINDS).find((traits) => traits.kind === name)?.kind;
    if (kind === undefined) return `error no such kind: ${name}`;
    this.#server.remove(kind, key);
    return `ok ${key}`;
  }

  #objects(): unknown[] {
    return Object.values(KINDS).flatMap(({ kind }) =>
      this.#server.keys(kind).map((key) => this.#server.get(kind, key)),
    );
  }

  /** One event for each Service and EndpointSlice. */
  #deleteAll(): void {
    for (const kind of ['Service', 'EndpointSlice'] as const) {
      for (const key of this.#server.keys(kind)) this.#server.remove(kind, key);
    }
  }

  #do(action: () => void): string {
    action();
    return 'ok';
  }
}
