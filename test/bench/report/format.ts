// Formats numbers with three significant digits.

const NOT_MEASURED = '-';

export function formatMs(ms: number | undefined): string {
  if (ms === undefined || Number.isNaN(ms)) return NOT_MEASURED;
  if (ms >= 1000) return `${digits(ms / 1000)} s`;
  return ms >= 0.1 ? `${digits(ms)} ms` : `${digits(ms * 1000)} us`;
}

export function formatMb(mb: number | undefined): string {
  return mb === undefined ? NOT_MEASURED : `${Math.round(mb)} MB`;
}

export function formatCount(count: number | undefined): string {
  return count === undefined ? NOT_MEASURED : Math.round(count).toLocaleString('en-US');
}

export function formatRate(perSecond: number | undefined): string {
  return perSecond === undefined ? NOT_MEASURED : `${formatCount(perSecond)}/s`;
}

export function formatRatio(theirs: number | undefined, ours: number | undefined): string {
  if (theirs === undefined || ours === undefined) return NOT_MEASURED;
  return `${digits(theirs / ours)} x`;
}

export function digits(value: number): string {
  if (value >= 100) return formatCount(value);
  return value.toFixed(value >= 10 ? 1 : 2);
}
