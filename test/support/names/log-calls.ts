// Finds the calls of the log in source text.

export interface LogCall {
  /** From the top of the project, with the line. */
  readonly place: string;
  readonly level: string;
  /** The first argument as it is written. */
  readonly message: string;
  /** The names of the fields that the call gives by name. */
  readonly fields: readonly string[];
}

/** `log.warn(` and, of helpers that repeat no message, `logOnce('warn', `. */
const CALL = /\blog\.(?:debug|info|warn|error)\(|\blog(?:Once)?\(\s*'(?:debug|info|warn|error)',/gi;

/** The calls of the log in a file. */
export function logCalls(path: string, text: string): LogCall[] {
  return [...text.matchAll(CALL)].map(({ index, 0: opening }) => {
    const [message = '', details = ''] = splitArguments(text, index + opening.length);
    const place = `${path}:${text.slice(0, index).split('\n').length}`;
    const level = /debug|info|warn|error/i.exec(opening)?.[0] ?? '';
    return { place, level, message, fields: fieldNames(details) };
  });
}

/** The arguments of a call, from behind its parenthesis to the one that closes it. */
function splitArguments(text: string, start: number): string[] {
  const parts: string[] = [];
  let begin = start;
  let depth = 0;
  for (let at = start; at < text.length; at = endOfToken(text, at)) {
    const char = text[at] ?? '';
    if ('([{'.includes(char)) depth += 1;
    else if (depth === 0 && (char === ',' || char === ')')) {
      parts.push(text.slice(begin, at).trim());
      begin = at + 1;
      if (char === ')') break;
    } else if (')]}'.includes(char)) depth -= 1;
  }
  return parts;
}

/** Where the string at a position ends, or the next character. */
function endOfToken(text: string, at: number): number {
  const quote = text[at] ?? '';
  if (!`'"\``.includes(quote)) return at + 1;
  let end = at + 1;
  while (end < text.length && text[end] !== quote) end += text[end] === '\\' ? 2 : 1;
  return end + 1;
}

/** The names in an object literal; a spread has none. */
function fieldNames(literal: string): string[] {
  if (!literal.startsWith('{')) return [];
  const entries = splitArguments(`${literal.slice(1, -1)})`, 0);
  return entries.flatMap((entry) => /^(\w+)\s*(?::|$)/.exec(entry)?.[1] ?? []);
}
