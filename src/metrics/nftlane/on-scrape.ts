// Metrics whose values are read at each scrape.

import { Counter, Gauge, type Registry } from 'prom-client';

/** One value of a metric, with the values of its labels. */
interface Sample<Label extends string> {
  readonly labels: Readonly<Record<Label, string | number>>;
  readonly value: number;
}

interface OnScrapeOptions<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly Label[];
  /** A series that is not among them does not exist. */
  readonly samples: () => Iterable<Sample<Label>>;
}

/** Registers a gauge. */
export function gaugeOnScrape<Label extends string>(registry: Registry, options: OnScrapeOptions<Label>): void {
  new Gauge(configurationOf(registry, options));
}

/** Registers a counter, whose total is counted elsewhere. */
export function counterOnScrape<Label extends string>(registry: Registry, options: OnScrapeOptions<Label>): void {
  new Counter(configurationOf(registry, options));
}

function configurationOf<Label extends string>(registry: Registry, options: OnScrapeOptions<Label>) {
  const { name, help, labelNames, samples } = options;
  return {
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
    collect(this: Counter<Label> | Gauge<Label>): void {
      clear(this, labelNames);
      for (const { labels, value } of samples()) this.inc(labels, value);
    },
  };
}

/** A metric without labels starts with a series of its own, which only `remove` removes. */
function clear(metric: { reset(): void; remove(): void }, labelNames: readonly string[]): void {
  metric.reset();
  if (labelNames.length === 0) metric.remove();
}

/** The sample of a metric without labels; none when the value is unknown. */
export function single(value: number | undefined): Sample<never>[] {
  return value === undefined ? [] : [{ labels: {}, value }];
}
