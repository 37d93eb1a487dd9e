// All fuzz targets.

import type { FuzzTarget } from './target.ts';
import { adminTarget } from './targets/admin.ts';
import { argumentTarget } from './targets/arguments.ts';
import { configurationTarget } from './targets/configuration.ts';
import { httpTarget } from './targets/http.ts';
import { jsonListingTarget, listingTarget, nftErrorTarget } from './targets/listings.ts';
import { manifestTarget } from './targets/manifests.ts';
import { notificationTarget } from './targets/notifications.ts';
import { objectTarget } from './targets/objects.ts';
import { watchTarget } from './targets/watch-stream.ts';

export const TARGETS: readonly FuzzTarget[] = [
  objectTarget,
  watchTarget,
  manifestTarget,
  configurationTarget,
  listingTarget,
  jsonListingTarget,
  nftErrorTarget,
  notificationTarget,
  argumentTarget,
  httpTarget,
  adminTarget,
];
