// Configuration fields: type, default, description and effect in nftlane.

import * as z from 'zod/mini';
import { parseDuration } from './go-duration.ts';

/** The documentation of a field, besides its type. */
interface FieldDoc {
  readonly description: string;
  /** As in the file; `undefined` for a field without a default. */
  readonly default?: unknown;
  /** The effect in nftlane, if it differs from the description. */
  readonly effect?: string;
  /** An explicit zero is kept; otherwise it counts as absent in documents where zeros do. */
  readonly keepsZero?: boolean;
}

/** The documentation of all fields, by schema. */
export const FIELD_DOCS = z.registry<FieldDoc>();

/** A documented field that may be absent or null. */
export function field<T extends z.ZodMiniType>(schema: T, doc: FieldDoc): z.ZodMiniOptional<z.ZodMiniNullable<T>> {
  // A new schema object for each field: several fields may share one type.
  const documented = z.optional(z.nullable(schema));
  FIELD_DOCS.add(documented, doc);
  return documented;
}

/** A Go duration. */
export const DURATION = z
  .string()
  .check(
    z.refine((text) => text === '' || parseDuration(text) !== undefined, 'is not a duration such as 30s or 1h0m0s'),
  );

export const STRING = z.string();
export const BOOLEAN = z.boolean();
export const STRING_LIST = z.array(z.string());

/** A document with its defaults: no field is absent or null. */
export type WithDefaults<T> = T extends readonly (infer E)[]
  ? readonly WithDefaults<E>[]
  : T extends object
    ? { readonly [K in keyof T]-?: WithDefaults<NonNullable<T[K]>> }
    : T;

/** In kube-proxy's configuration zero, the empty string and the empty list also count as absent. */
interface FillOptions {
  readonly zeroIsAbsent: boolean;
}

/** Applies the default of each absent field. Absent fields without a default stay absent. */
export function fillDefaults(schema: z.ZodMiniObject, value: object, options: FillOptions): Record<string, unknown> {
  const values = value as Readonly<Record<string, unknown>>;
  const filled: Record<string, unknown> = {};
  for (const [name, entry] of Object.entries(schema.shape)) {
    const inner = unwrapSchema(entry);
    const doc = FIELD_DOCS.get(entry);
    if (inner instanceof z.ZodMiniObject) {
      filled[name] = fillDefaults(inner, (values[name] as object | null | undefined) ?? {}, options);
      continue;
    }
    const set = isSet(values[name], { isDuration: inner === DURATION, keepsZero: doc?.keepsZero === true, ...options });
    const effective = set ? values[name] : doc?.default;
    if (effective !== undefined) filled[name] = effective;
  }
  return filled;
}

/** The schema inside `optional` and `nullable`. */
export function unwrapSchema(schema: unknown): unknown {
  return schema instanceof z.ZodMiniOptional || schema instanceof z.ZodMiniNullable
    ? unwrapSchema(schema.def.innerType)
    : schema;
}

interface IsSetOptions extends FillOptions {
  readonly isDuration: boolean;
  readonly keepsZero: boolean;
}

function isSet(value: unknown, { isDuration, keepsZero, zeroIsAbsent }: IsSetOptions): boolean {
  if (value === undefined || value === null) return false;
  if (!zeroIsAbsent) return true;
  if (value === '' || (Array.isArray(value) && value.length === 0)) return false;
  if (keepsZero) return true;
  return value !== 0 && !(isDuration && parseDuration(String(value)) === 0);
}
