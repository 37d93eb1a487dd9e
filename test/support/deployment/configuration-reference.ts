// Generates the configuration reference and the JSON schemas from the schemas in src/config.

import * as z from 'zod/mini';
import { DURATION, FIELD_DOCS, unwrapSchema } from '../../../src/config/schema/field.ts';
import {
  KUBE_PROXY_API_VERSION,
  KUBE_PROXY_KIND,
  KUBE_PROXY_SCHEMA,
} from '../../../src/config/schema/kube-proxy-schema.ts';
import { NFTLANE_API_VERSION, NFTLANE_KIND, NFTLANE_SCHEMA } from '../../../src/config/schema/nftlane-schema.ts';

const KINDS = [
  { kind: NFTLANE_KIND, api: NFTLANE_API_VERSION, schema: NFTLANE_SCHEMA, file: 'schema/nftlane-configuration.json' },
  {
    kind: KUBE_PROXY_KIND,
    api: KUBE_PROXY_API_VERSION,
    schema: KUBE_PROXY_SCHEMA,
    file: 'schema/kube-proxy-configuration.json',
  },
] as const;

/** The generated files by their path in `docs`. */
export function publishedFiles(introduction: string): Map<string, string> {
  const schemas = KINDS.map(({ file, kind, schema }): [string, string] => [file, printSchema(kind, schema)]);
  return new Map([...schemas, ['CONFIGURATION.md', printReference(introduction)]]);
}

/** Separates the hand-written part of the reference from the generated tables. */
export const TABLES_BEGIN =
  '<!-- Everything below this line is generated from the schemas: UPDATE=1 node test/unit/config/reference.test.ts -->';

function printSchema(title: string, schema: z.ZodMiniObject): string {
  const json = z.toJSONSchema(schema, {
    io: 'input',
    override: ({ zodSchema, jsonSchema }) => {
      const doc = FIELD_DOCS.get(zodSchema as unknown as z.ZodMiniType);
      if (doc === undefined) return;
      jsonSchema.description = [doc.description, doc.effect === undefined ? '' : `In nftlane: ${doc.effect}`]
        .join(' ')
        .trim();
      if (doc.default !== undefined) jsonSchema.default = doc.default as z.core.JSONSchema.JSONSchema['default'];
    },
  });
  return `${JSON.stringify({ title, ...json }, undefined, 2)}\n`;
}

function printReference(introduction: string): string {
  const tables = KINDS.map(({ kind, api, schema, file }) =>
    [`## ${kind}`, '', `\`apiVersion: ${api}\`; JSON schema: [${file}](${file}).`, '', ...printTable(schema)].join(
      '\n',
    ),
  );
  return `${introduction.trimEnd()}\n\n${TABLES_BEGIN}\n\n${tables.join('\n\n')}\n`;
}

function printTable(schema: z.ZodMiniObject): string[] {
  const head = ['| field | type | default | description | effect in nftlane |', '|---|---|---|---|---|'];
  return [...head, ...rowsOf(schema, '')];
}

function rowsOf(schema: z.ZodMiniObject, prefix: string): string[] {
  return Object.entries(schema.shape).flatMap(([name, entry]) => {
    const doc = FIELD_DOCS.get(entry as z.ZodMiniType);
    if (doc === undefined) return [];
    const inner = unwrapSchema(entry);
    const path = `${prefix}${name}`;
    const cells = [`\`${path}\``, typeOf(inner), defaultOf(doc.default), doc.description, doc.effect ?? ''];
    const row = `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
    return [row, ...(inner instanceof z.ZodMiniObject ? rowsOf(inner, `${path}.`) : [])];
  });
}

function defaultOf(value: unknown): string {
  return value === undefined ? '' : `\`${JSON.stringify(value)}\``;
}

function typeOf(schema: unknown): string {
  if (schema === DURATION) return 'duration';
  if (schema instanceof z.ZodMiniEnum) {
    return Object.values(schema.def.entries)
      .map((entry) => `\`${entry === '' ? '""' : entry}\``)
      .join(', ');
  }
  if (schema instanceof z.ZodMiniArray) return `list of ${typeOf(schema.def.element)}`;
  if (schema instanceof z.ZodMiniUnion) return schema.def.options.map(typeOf).join(' or ');
  if (schema instanceof z.ZodMiniRecord) return `object of ${typeOf(schema.def.valueType)}`;
  const names: [new (...args: never[]) => unknown, string][] = [
    [z.ZodMiniObject, 'object'],
    [z.ZodMiniString, 'string'],
    [z.ZodMiniNumberFormat, 'integer'],
    [z.ZodMiniNumber, 'number'],
    [z.ZodMiniBoolean, 'boolean'],
  ];
  const found = names.find(([type]) => schema instanceof type);
  if (found === undefined) throw new Error('Cannot describe the type of a field: unknown schema');
  return found[1];
}
