// Tests that the configuration reference and the JSON schemas are current. UPDATE=1 rewrites them.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import * as z from 'zod/mini';
import { FIELD_DOCS, unwrapSchema } from '../../../src/config/schema/field.ts';
import { KUBE_PROXY_SCHEMA } from '../../../src/config/schema/kube-proxy-schema.ts';
import { NFTLANE_SCHEMA } from '../../../src/config/schema/nftlane-schema.ts';
import { configurationOf } from '../../support/builders/configuration.ts';
import { publishedFiles, TABLES_BEGIN } from '../../support/deployment/configuration-reference.ts';

const DOCS = new URL('../../../docs/', import.meta.url);

function readDoc(path: string): string {
  const url = new URL(path, DOCS);
  return existsSync(url) ? readFileSync(url, 'utf8') : '';
}

t.test('reference and JSON schemas are current', async (t) => {
  const [introduction = ''] = readDoc('CONFIGURATION.md').split(TABLES_BEGIN);
  for (const [path, text] of publishedFiles(introduction)) {
    if (process.env['UPDATE'] === '1') writeFileSync(new URL(path, DOCS), text);
    t.equal(readDoc(path), text, `docs/${path} (UPDATE=1 rewrites it)`);
  }
});

/** Fields of all depths, by path. */
function fieldsOf(schema: z.ZodMiniObject, prefix: string): [string, unknown][] {
  return Object.entries(schema.shape).flatMap(([name, entry]): [string, unknown][] => {
    const inner = unwrapSchema(entry);
    const below = inner instanceof z.ZodMiniObject ? fieldsOf(inner, `${prefix}${name}.`) : [];
    return [[`${prefix}${name}`, entry], ...below];
  });
}

t.test('every field has a description', async (t) => {
  for (const schema of [KUBE_PROXY_SCHEMA, NFTLANE_SCHEMA]) {
    const fields = fieldsOf(schema, '').filter(([path]) => path !== 'apiVersion' && path !== 'kind');
    t.ok(fields.length >= 17);
    for (const [path, entry] of fields) t.match(FIELD_DOCS.get(entry as z.ZodMiniType)?.description, /.\.$/, path);
  }
});

t.test('the examples of the reference are valid', async (t) => {
  const examples = [...readDoc('CONFIGURATION.md').matchAll(/```yaml\n(.*?)```/gs)].map(([, text = '']) => text);
  t.ok(examples.length > 0, `${examples.length} examples`);
  for (const text of examples) t.strictSame(configurationOf(text).warnings, [], text);
});
