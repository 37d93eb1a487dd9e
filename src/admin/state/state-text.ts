// The state of the daemon as JSON, in pieces: a reader that does not read must not keep a copy of all objects in memory.

/** Pieces are at least this long, except the last one. */
const PIECE_CHARACTERS = 64 * 1024;
/** The arrays of objects are at this depth or above. */
const MAX_DEPTH = 2;

/** The same text as `JSON.stringify(value)`, cut anywhere. */
export function* stateText(value: object): Generator<string, void, undefined> {
  let piece = '';
  for (const part of parts(value, 0)) {
    piece += part;
    if (piece.length < PIECE_CHARACTERS) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

function* parts(value: unknown, depth: number): Generator<string, void, undefined> {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) yield JSON.stringify(value) ?? 'null';
  else if (Array.isArray(value)) yield* partsOfArray(value, depth);
  else yield* partsOfObject(value, depth);
}

function* partsOfArray(items: readonly unknown[], depth: number): Generator<string, void, undefined> {
  let separator = '[';
  for (const item of items) {
    yield separator;
    yield* parts(item, depth + 1);
    separator = ',';
  }
  yield separator === '[' ? '[]' : ']';
}

function* partsOfObject(value: object, depth: number): Generator<string, void, undefined> {
  let separator = '{';
  for (const [name, field] of Object.entries(value)) {
    if (field === undefined) continue;
    yield `${separator}${JSON.stringify(name)}:`;
    yield* parts(field, depth + 1);
    separator = ',';
  }
  yield separator === '{' ? '{}' : '}';
}
