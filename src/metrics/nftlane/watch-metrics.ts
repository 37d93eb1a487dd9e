// How the watches on the API server are, and the requests to it under the names that client-go gives them.
import { Counter, Histogram, type Registry } from 'prom-client';
import type { RequestObserver } from '../../sources/api-server/client/api-client.ts';
import type { ReflectorState } from '../../sources/api-server/reflector-state.ts';
import { REQUEST_SECONDS } from '../kube-proxy/buckets.ts';
import { counterOnScrape, gaugeOnScrape, single } from './on-scrape.ts';

/** Registers them. `states` is asked whenever the metrics are; it gives nothing where there is no API server. */
export function registerWatchMetrics(registry: Registry, states: () => readonly ReflectorState[]): void {
  const options = (name: string, help: string, value: (state: ReflectorState) => number | undefined) => ({
    name: `nftlane_watch_${name}`,
    help,
    labelNames: ['kind'] as const,
    samples: () =>
      states().flatMap((state) => single(value(state)).map((sample) => ({ ...sample, labels: { kind: state.kind } }))),
  });
  const gauge = (...args: Parameters<typeof options>) => gaugeOnScrape(registry, options(...args));
  const counter = (...args: Parameters<typeof options>) => counterOnScrape(registry, options(...args));
  gauge('connected', '1 while the list of a kind is complete and its changes are watched', (state) => {
    return state.phase === 'watching' ? 1 : 0;
  });
  gauge(
    'last_activity_timestamp_seconds',
    'Unix time of the last list, event or bookmark of a kind',
    ({ lastReceivedAt }) => {
      return lastReceivedAt === undefined ? undefined : lastReceivedAt / 1000;
    },
  );
  counter('starts_total', 'Watches that were opened', ({ watches }) => watches);
  counter('lists_total', 'Complete lists that were received', ({ lists }) => lists);
  counter('events_total', 'Changes that were received', ({ events }) => events);
  counter('failures_total', 'Lists and watches that failed', ({ failures }) => failures);
}

/** Registers metrics of requests; gives the observer that feeds them. */
export function registerRequestMetrics(registry: Registry): RequestObserver {
  const registers = [registry];
  const requests = new Counter({
    name: 'rest_client_requests_total',
    help: 'Requests to the API server by status code, which is <error> where there was no answer',
    labelNames: ['code', 'host', 'method'] as const,
    registers,
  });
  const seconds = new Histogram({
    name: 'rest_client_request_duration_seconds',
    help: 'From a request to the beginning of its answer',
    labelNames: ['host', 'verb'] as const,
    buckets: REQUEST_SECONDS,
    registers,
  });
  return ({ method, host, status, ms }) => {
    requests.inc({ code: status === undefined ? '<error>' : String(status), host, method });
    seconds.observe({ host, verb: method }, ms / 1000);
  };
}
