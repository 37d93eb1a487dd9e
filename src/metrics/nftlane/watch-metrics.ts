// Metrics of watches, and of requests to the API server with client-go's names.

import { Counter, Histogram, type Registry } from 'prom-client';
import type { Clock } from '../../host/clock.ts';
import type { RequestObserver } from '../../sources/api-server/client/api-client.ts';
import type { ReflectorState } from '../../sources/api-server/reflector-state.ts';
import { REQUEST_SECONDS } from '../kube-proxy/buckets.ts';
import { counterOnScrape, gaugeOnScrape, single } from './on-scrape.ts';

/** Registers metrics of watches. `states` is called at each scrape, and is empty without an API server. */
export function registerWatchMetrics(
  registry: Registry,
  { states, clock }: { states: () => readonly ReflectorState[]; clock: Pick<Clock, 'now' | 'wallTime'> },
): void {
  const options = (name: string, help: string, value: (state: ReflectorState) => number | undefined) => ({
    name: `nftlane_watch_${name}`,
    help,
    labelNames: ['kind'] as const,
    samples: () =>
      states().flatMap((state) => single(value(state)).map((sample) => ({ ...sample, labels: { kind: state.kind } }))),
  });
  const gauge = (...args: Parameters<typeof options>) => gaugeOnScrape(registry, options(...args));
  const counter = (...args: Parameters<typeof options>) => counterOnScrape(registry, options(...args));
  gauge('connected', '1 while the list of the kind is complete and a watch is open, otherwise 0', (state) => {
    return state.phase === 'watching' ? 1 : 0;
  });
  gauge(
    'last_activity_timestamp_seconds',
    'Unix timestamp of the last list, event or bookmark of the kind',
    ({ lastReceivedAt }) => {
      return lastReceivedAt === undefined ? undefined : clock.wallTime(lastReceivedAt) / 1000;
    },
  );
  gauge(
    'silence_seconds',
    'Time since the last list, event or bookmark of the kind in seconds; does not depend on the wall clock',
    ({ lastReceivedAt }) => {
      return lastReceivedAt === undefined ? undefined : Math.max(0, clock.now() - lastReceivedAt) / 1000;
    },
  );
  counter('starts_total', 'Total number of watches started', ({ watches }) => watches);
  counter('lists_total', 'Total number of complete lists received', ({ lists }) => lists);
  counter('events_total', 'Total number of watch events received', ({ events }) => events);
  counter('failures_total', 'Total number of failed lists and watches', ({ failures }) => failures);
}

/** Registers metrics of requests. Returns the observer that feeds them. */
export function registerRequestMetrics(registry: Registry): RequestObserver {
  const registers = [registry];
  const requests = new Counter({
    name: 'rest_client_requests_total',
    help: 'Total number of requests to the API server by status code, which is <error> without a response',
    labelNames: ['code', 'host', 'method'] as const,
    registers,
  });
  const seconds = new Histogram({
    name: 'rest_client_request_duration_seconds',
    help: 'Time from a request to the start of its response in seconds',
    labelNames: ['host', 'verb'] as const,
    buckets: REQUEST_SECONDS,
    registers,
  });
  return ({ method, host, status, durationMs }) => {
    requests.inc({ code: status === undefined ? '<error>' : String(status), host, method });
    seconds.observe({ host, verb: method }, durationMs / 1000);
  };
}
