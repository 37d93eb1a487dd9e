// Limits on the connections of health checks.

import type { ConnectionLimits } from '../host/network/connection-guard.ts';

/** Load balancers check from a handful of addresses, and the kubelet from one. */
export const HEALTH_LIMITS: ConnectionLimits = { remote: { max: 200, maxPerSource: 50 }, local: { max: 50 } };

/** Of all health check node ports together: a cluster may have thousands of them. */
export const PORT_LIMITS: ConnectionLimits = { remote: { max: 400, maxPerSource: 100 }, local: { max: 50 } };

/** Longer than the interval between two checks, so that a connection is not closed while a request is on its way. */
export const KEEP_ALIVE_MS = 65_000;
