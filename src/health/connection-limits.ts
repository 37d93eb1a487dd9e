// Limits on the connections of health checks.

export const CONNECTION_LIMITS = {
  /** Load balancers check from a handful of addresses. */
  maxConnections: 200,
  /** Longer than the interval between two checks, so that a connection is not closed while a request is on its way. */
  keepAliveMs: 65_000,
};
