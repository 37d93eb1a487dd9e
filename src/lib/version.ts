// The version of this build.

declare const NFTLANE_VERSION: string | undefined;

/** Set when the program is bundled; `dev` when it runs from source. */
export const VERSION = typeof NFTLANE_VERSION === 'string' ? NFTLANE_VERSION : 'dev';
