// Durations as text.

const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000];

/** At most two units, rounded down, such as `3s`, `2m`, `2h13m` or `5d4h`. A negative duration is `0s`. */
export function printDuration(ms: number): string {
  const rest = Math.max(0, ms);
  if (rest < MINUTE) return `${Math.floor(rest / SECOND)}s`;
  if (rest < HOUR) return `${Math.floor(rest / MINUTE)}m`;
  if (rest < DAY) return twoUnits(rest, { large: HOUR, small: MINUTE, names: ['h', 'm'] });
  return twoUnits(rest, { large: DAY, small: HOUR, names: ['d', 'h'] });
}

function twoUnits(
  ms: number,
  { large, small, names }: { large: number; small: number; names: readonly [string, string] },
): string {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)}${names[0]}${rest === 0 ? '' : `${rest}${names[1]}`}`;
}
