// Merges overrides into raw API objects.

/** An API object as parsed from JSON or YAML. */
export type ApiObject = { readonly [field: string]: unknown };

/** `base` with the fields of `overrides`: objects are merged, other values replaced; `undefined` removes a field. */
export function merge(base: ApiObject, overrides: ApiObject): ApiObject {
  const merged: Record<string, unknown> = { ...base };
  for (const [field, value] of Object.entries(overrides)) {
    const before = merged[field];
    if (value === undefined) delete merged[field];
    else merged[field] = isObject(before) && isObject(value) ? merge(before, value) : value;
  }
  return merged;
}

function isObject(value: unknown): value is ApiObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
