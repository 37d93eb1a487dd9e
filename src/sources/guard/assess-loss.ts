// Decides whether so many Services were lost that a fault of the source is more likely than an intended deletion.

/** When a loss counts as a mass loss, and what follows. */
export interface LossLimits {
  /** Without it, every loss is applied immediately. */
  readonly enabled: boolean;
  /** More than this percentage of the Services, from 0 to 100. */
  readonly percent: number;
  /** At least this number of Services; smaller losses and smaller clusters are never held back. */
  readonly minServices: number;
  /** How long a mass loss is held back, in milliseconds. */
  readonly gracePeriodMs: number;
}

/** Services that were lost within the window, and those that are present. */
export interface LossCount {
  readonly lost: number;
  readonly present: number;
}

/** `suspicious` may become `mass` with the next events. */
export type Assessment = 'normal' | 'suspicious' | 'mass';

/** A loss is suspicious from this part of the limits of a mass loss on. */
const SUSPICIOUS_PART = 10;
/** The same for the number of Services. */
const SUSPICIOUS_SERVICES_PART = 4;

/** Losses within this time belong together: kube-controller-manager empties 600 slices in it, at its default of 20 requests a second. */
export const LOSS_WINDOW_MS = 30_000;

/** The time to see whether a suspicious loss becomes a mass loss. */
export const SETTLE_MS = 2_000;

/** Assesses the losses within {@link LOSS_WINDOW_MS}. */
export function assessLoss({ lost, present }: LossCount, { enabled, percent, minServices }: LossLimits): Assessment {
  const before = lost + present;
  if (!enabled || lost === 0 || before < minServices) return 'normal';
  // Without a division, which makes 7 of 25 a little more than 28 %.
  const limit = percent * before;
  if (lost >= minServices && lost * 100 > limit) return 'mass';
  const isSuspicious = lost * SUSPICIOUS_SERVICES_PART >= minServices && lost * 100 * SUSPICIOUS_PART > limit;
  return isSuspicious ? 'suspicious' : 'normal';
}
