// Tests of src/sources/manifests/parse/manifest-parser.ts, parser-thread.ts and decode-manifest.ts.

import t, { type Test } from 'tap';
import { ManifestParser } from '../../../../../src/sources/manifests/parse/manifest-parser.ts';
import { parseManifests } from '../../../../../src/sources/manifests/parse/parse-manifests.ts';
import { loadFactor } from '../../../../support/load-factor.ts';
import { BROKEN, service, slice, yaml } from '../sample-manifests.ts';

const parse = (text: string | Uint8Array, signal?: AbortSignal) =>
  new ManifestParser().parse({ file: 'a.yaml', bytes: Buffer.from(text as string) }, signal);

/** A document that is too long to be parsed in one step. */
const LONG = `apiVersion: v1\nkind: List\nitems:\n${Array.from({ length: 400 }, (_, n) => `- ${service(`s${n}`)}\n`).join('')}`;

/** The longest time without a turn of the event loop, while the task runs. */
async function longestDelay<T>(task: Promise<T>): Promise<{ result: T; ms: number }> {
  let ms = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    ms = Math.max(ms, performance.now() - last);
    last = performance.now();
  }, 1);
  const result = await task;
  clearInterval(timer);
  return { result, ms };
}

function isSame(t: Test, actual: unknown, expected: unknown, about: string): void {
  t.strictSame(JSON.parse(JSON.stringify(actual)), JSON.parse(JSON.stringify(expected)), about);
}

t.test('ManifestParser finds the same in a thread as parseManifests()', async (t) => {
  const configMap = `apiVersion: v1\nkind: ConfigMap\ndata:\n  text: ${'x'.repeat(100)}\n`;
  for (const text of [
    yaml(LONG, slice('web-1', 'web'), 'hello', configMap),
    yaml(service('a'), BROKEN, LONG, '{apiVersion: v1}'),
    `{"apiVersion":"v1","kind":"ServiceList","items":[${Array.from({ length: 9_000 }, (_, n) => service(`s${n}`)).join()}]}`,
  ]) {
    const parsed = await parse(text);
    const expected = parseManifests(text, 'a.yaml');
    t.ok(parsed.objects.length > 300);
    isSame(t, parsed.objects, expected.objects, 'objects');
    isSame(t, parsed.issues, expected.issues, 'issues');
    t.strictSame(
      parsed.errors.map(({ message }) => message),
      expected.errors.map(({ message }) => message),
    );
    t.strictSame(parsed.ignored, expected.ignored);
  }
});

t.test('ManifestParser lets other work continue', async (t) => {
  const keys = Array.from({ length: 6_000 }, (_, n) => `  k${n}: "${'v'.repeat(20)}"`).join('\n');
  const cases: [about: string, text: string][] = [
    ['many keys', `apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n${keys}`],
    ['many documents', yaml(...Array.from({ length: 2_000 }, (_, n) => service(`s${n}`)))],
    ['many empty documents', '---\n'.repeat(30_000)],
    ['many brackets', `a: ${'['.repeat(20_000)}`],
  ];
  for (const [about, text] of cases) {
    const { ms } = await longestDelay(parse(text));
    t.ok(ms < 100 * loadFactor(), `${about}: ${ms} ms`);
  }
});

t.test('ManifestParser rejects when its signal aborts', async (t) => {
  await t.rejects(parse(LONG, AbortSignal.abort(new Error('stopped'))), { message: 'stopped' });
  await t.rejects(parse(LONG.repeat(3), AbortSignal.timeout(5)));
});

t.test('ManifestParser rejects what is not UTF-8, and accepts a byte order mark', async (t) => {
  const latin = Buffer.from(yaml(service('a'), '# caf\u00e9'), 'latin1');
  const reason = { message: 'Cannot read "a.yaml": is not UTF-8 text' };
  await t.rejects(parse(latin), reason);
  await t.rejects(parse(Buffer.concat([Buffer.from(LONG.repeat(50)), latin])), reason);
  const marked = await parse(Buffer.from(`\uFEFF${service('a')}`));
  t.match(marked.objects, [{ result: { key: 'default/a' } }]);
  await t.rejects(parse(Buffer.from(service('a'), 'utf16le').fill(0xff, 0, 1)), reason);
});
