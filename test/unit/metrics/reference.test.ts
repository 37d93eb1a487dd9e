// Tests that the reference, the rules and the dashboard match the registered metrics.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parse } from 'yaml';
import { asArray, asObject, asString } from '../../../src/services/objects/read.ts';
import { type RegisteredMetric, registeredMetrics } from '../../support/names/registered-metrics.ts';

const REFERENCE = 'docs/METRICS.md';
const RULES = 'manifests/monitoring/nftlane.rules.yaml';
const RULE_TESTS = 'manifests/monitoring/nftlane.rules.test.yaml';
const DASHBOARD = 'manifests/monitoring/nftlane-dashboard.json';

const pathOf = (name: string) => fileURLToPath(new URL(`../../../${name}`, import.meta.url));
const read = (name: string) => readFileSync(pathOf(name), 'utf8');

function row({ name, type, labelNames, help, upperBounds }: RegisteredMetric): string {
  const kind = upperBounds === undefined ? type : `histogram, ${boundsOf(upperBounds)}`;
  const labels = labelNames.map((label) => `\`${label}\``).join(', ');
  return `| \`${name}\` | ${kind} | ${labels} | ${help} |`;
}

function boundsOf(bounds: readonly number[]): string {
  return `${bounds.length} buckets from ${bounds[0]} to ${bounds.at(-1)}`;
}

t.test('the reference lists every metric', async (t) => {
  const written = read(REFERENCE);
  const table = ['| metric | type | labels | meaning |', '|---|---|---|---|', ...registeredMetrics().map(row)].join(
    '\n',
  );
  const expected = written.replace(
    /<!-- metrics -->[\s\S]*<!-- \/metrics -->/,
    () => `<!-- metrics -->\n\n${table}\n\n<!-- /metrics -->`,
  );
  if (process.env['UPDATE'] === '1') writeFileSync(pathOf(REFERENCE), expected);
  t.equal(read(REFERENCE), expected, 'UPDATE=1 updates it');
});

t.test('metric names follow the conventions of Prometheus', async (t) => {
  for (const { name, type, labelNames } of registeredMetrics()) {
    t.match(name, /^(?:nftlane|kubeproxy|rest_client|process|nodejs)_[a-z0-9_]+$/);
    t.equal(String(type) === 'counter', name.endsWith('_total') && !name.includes('no_local_endpoints'), name);
    t.notMatch(name, /_(?:ms|milliseconds|minutes|kb|mb)(?:_|$)/);
    for (const label of labelNames) t.match(label, /^[a-z][a-z0-9_]*$/);
  }
});

t.test('every alert has a severity, a summary, and a test that it fires', async (t) => {
  const groups = asArray(asObject(parse(read(RULES)))['groups']).flatMap((group) => asArray(asObject(group)['rules']));
  const alerts = groups.map(asObject).filter((rule) => rule['alert'] !== undefined);
  const tests = asArray(asObject(parse(read(RULE_TESTS)))['tests']).flatMap((test) =>
    asArray(asObject(test)['alert_rule_test']),
  );
  const firing = tests.map(asObject).filter((test) => asArray(test['exp_alerts']).length > 0);
  const quiet = tests.map(asObject).filter((test) => asArray(test['exp_alerts']).length === 0);
  t.ok(alerts.length > 5);
  for (const { alert, labels, annotations } of alerts) {
    t.match(asString(asObject(labels)['severity']), /^(?:critical|warning|info)$/, asString(alert));
    t.ok(
      asString(asObject(annotations)['summary']) !== '' && asString(asObject(annotations)['description']) !== '',
      asString(alert),
    );
    t.ok(
      firing.some(({ alertname }) => alertname === alert),
      `${alert} fires in ${RULE_TESTS}`,
    );
    t.ok(
      quiet.some(({ alertname }) => alertname === alert),
      `${alert} does not fire in ${RULE_TESTS}`,
    );
  }
});

t.test('the dashboard has a valid layout', async (t) => {
  const { panels, templating } = asObject(JSON.parse(read(DASHBOARD)));
  const all = asArray(panels).map(asObject);
  t.equal(new Set(all.map(({ id }) => id)).size, all.length, 'ids are unique');
  const variables = asArray(asObject(templating)['list']).map((variable) => asString(asObject(variable)['name']));
  t.strictSame(variables, ['datasource', 'instance']);
  const taken = new Set<string>();
  for (const { title, type, gridPos, targets } of all) {
    const { x, y, w, h } = asObject(gridPos) as Record<'x' | 'y' | 'w' | 'h', number>;
    t.ok(x + w <= 24, `${title} is inside the grid`);
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) taken.add(`${column} ${line}`);
    }
    if (type === 'row') continue;
    t.ok(asArray(targets).length > 0, `${title} has a target`);
    for (const target of asArray(targets))
      t.match(asString(asObject(target)['expr']), /instance=~"\$instance"/, String(title));
  }
  const area = all.map(({ gridPos }) => asObject(gridPos) as Record<'w' | 'h', number>);
  t.equal(
    taken.size,
    area.reduce((sum, { w, h }) => sum + w * h, 0),
    'no panels overlap',
  );
});
