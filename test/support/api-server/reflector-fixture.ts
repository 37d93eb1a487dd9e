// A test server and a reflector that watches its Services.

import { readFile } from 'node:fs/promises';
import type { Test } from 'tap';
import { KINDS } from '../../../src/services/objects/kinds.ts';
import { ApiClient } from '../../../src/sources/api-server/client/api-client.ts';
import type { CredentialProvider } from '../../../src/sources/api-server/client/credentials.ts';
import { Reflector, type ReflectorLimits } from '../../../src/sources/api-server/reflector.ts';
import { type FastClock, fastClock } from '../fakes/fast-clock.ts';
import { type LogLine, recordLog } from '../fakes/recording-log.ts';
import { type RecordedSink, recordSink } from '../fakes/recording-sink.ts';
import { waitUntil } from '../wait-until.ts';
import { type ApiServer, startApiServer } from './api-server.ts';
import type { ApiObject } from './protocol/collection.ts';

export interface ReflectorFixture {
  readonly server: ApiServer;
  readonly client: ApiClient;
  readonly sink: RecordedSink;
  readonly clock: FastClock;
  readonly lines: readonly LogLine[];
  readonly reflector: Reflector<'Service'>;
  /** Starts the reflector, which stops at the end of the test. */
  readonly start: () => Promise<void>;
  /** Starts the reflector and waits for its first list. */
  readonly startListed: () => Promise<void>;
  readonly stop: () => Promise<void>;
  /** The queries of all requests, without the selectors. */
  readonly queries: () => Readonly<Record<string, string>>[];
}

export interface ReflectorFixtureOptions extends ReflectorLimits {
  /** The speed of the reflector's clock. */
  readonly factor?: number;
  /** The names of the initial Services. */
  readonly services?: readonly string[];
}

export async function createReflectorFixture(
  t: Test,
  { factor = 50, services = [], ...limits }: ReflectorFixtureOptions = {},
): Promise<ReflectorFixture> {
  const server = await startApiServer();
  for (const name of services) server.put('Service', service(name));
  const client = new ApiClient(await testCredentials(server));
  const [sink, { log, lines }, clock] = [recordSink(), recordLog(), fastClock(factor)];
  const reflector = new Reflector({
    client,
    traits: KINDS.Service,
    sink,
    clock,
    log,
    limits: { ...NO_TIMEOUTS, ...limits },
  });
  const controller = new AbortController();
  let run = Promise.resolve();
  const start = () => {
    run = reflector.run(controller.signal);
    return run;
  };
  const startListed = async () => {
    void start();
    await waitUntil('list', () => sink.journal.length === 1);
  };
  const stop = async () => {
    controller.abort();
    await run.catch(() => undefined);
  };
  const queries = () => server.requests.map(({ query: { labelSelector: _, fieldSelector: __, ...query } }) => query);
  t.teardown(async () => {
    await stop();
    client.close();
    await server.close();
  });
  return { server, client, sink, clock, lines, reflector, start, startListed, stop, queries };
}

/** With a fast clock, a busy machine would exceed the limits. Tests of the limits set them. */
const NO_TIMEOUTS: ReflectorLimits = { connectTimeoutMs: 10_000_000, idleTimeoutMs: 10_000_000 };

/** The CA and the token without a kubeconfig, whose library takes a second to load. */
async function testCredentials({ url, certificates, tokenPath }: ApiServer): Promise<CredentialProvider> {
  const ca = await readFile(certificates.ca);
  let token = await readFile(tokenPath, 'utf8');
  const reload = async () => {
    token = await readFile(tokenPath, 'utf8');
  };
  return {
    server: url,
    reload,
    requestOptions: async () => ({ ca, headers: { authorization: `Bearer ${token.trim()}` } }),
  };
}

/** A Service in namespace shop. */
export function service(name: string, { labels = {}, clusterIP = '10.96.0.10' }: ServiceFields = {}): ApiObject {
  const spec = { clusterIP, clusterIPs: [clusterIP], ports: [{ name: 'http', port: 80, protocol: 'TCP' }] };
  return { metadata: { namespace: 'shop', name, labels }, spec };
}

interface ServiceFields {
  readonly labels?: Readonly<Record<string, string>>;
  readonly clusterIP?: string;
}
