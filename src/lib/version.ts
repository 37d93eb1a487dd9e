// The version of this build.

declare const NFTLANE_VERSION: string | undefined;

/** Defined by the bundler; `dev` when the program runs from source. */
export const VERSION = typeof NFTLANE_VERSION === 'string' ? NFTLANE_VERSION : 'dev';
