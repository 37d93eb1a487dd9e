// Makes text of others safe to print.

/**
 * Controls except line feeds and tabs, line and paragraph separators, and the characters that change the direction of
 * text (Unicode Technical Report 36, section 3.3): a terminal would obey them, and a reader would be misled.
 */
const UNSAFE = /(?![\n\t])[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}]/gu;

/** The text with unsafe characters as escapes, such as `\u202e`. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Like {@link printable}, for a text that must stay in one line, such as a name: also escapes line feeds and tabs. */
export function printableLine(text: string): string {
  return printable(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t');
}

/** Joins lines, of which none can look like two. */
export function joinLines(lines: readonly string[]): string {
  return lines.map(printableLine).join('\n');
}
