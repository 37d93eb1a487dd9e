// Warnings of Node itself, such as deprecations, in the format of this program.

interface ProcessWarning {
  /** The class of the warning, such as `DeprecationWarning`. */
  readonly name: string;
  readonly reason: string;
}

type Report = (warning: ProcessWarning) => void;

/** Each is reported once, and this many different ones: a message can contain what varies. */
const MAX_WARNINGS = 100;

let report: Report = () => {};

/** Passes the warnings to `initialReport`. Node would write them to standard error as text. */
export function handleProcessWarnings(initialReport: Report): void {
  const seen = new Set<string>();
  report = initialReport;
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => {
    const id = `${name} ${message}`;
    if (seen.has(id) || seen.size >= MAX_WARNINGS) return;
    seen.add(id);
    report({ name, reason: message });
  });
}

/** Replaces the report: a daemon writes it to its log. */
export function reportProcessWarnings(to: Report): void {
  report = to;
}
