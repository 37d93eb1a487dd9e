// Every warning and error of the log: whether it is about a state, and if so, which message says that it is over.

interface LogState {
  /** The message that says that it is over. */
  readonly over: string;
  /** A test file that sees both messages, the warning once while the state lasts. */
  readonly test: string;
}

/** States: each ends with a message at level info. */
export const LOG_STATES: Readonly<Record<string, LogState>> = {
  'cannot write state files; without the daemon, commands know only the kernel': {
    over: 'state files are written again',
    test: 'unit/admin/state-file/state-file-writer',
  },
  'cannot delete stale TCP conntrack entries': {
    over: 'stale TCP conntrack entries are deleted again',
    test: 'unit/conntrack/tcp/attempt-cleaner',
  },
  'cannot delete stale UDP conntrack entries': {
    over: 'stale UDP conntrack entries are deleted again',
    test: 'unit/conntrack/udp/flow-cleaner',
  },
  'cannot read preferred sources of routes; keeping the last known ones': {
    over: 'preferred sources of routes are known again',
    test: 'unit/host/links/route-source-watcher',
  },
  'questionable node configuration': {
    over: 'node configuration is not questionable any more',
    test: 'unit/controller/node-logger',
  },
  'no kernel notifications of ruleset changes; restarting nft monitor': {
    over: 'listening to kernel notifications of ruleset changes',
    test: 'integration/nft/foreign-changes',
  },
  'cannot look at the ruleset while the start is held': {
    over: 'looking at the ruleset again while the start is held',
    test: 'unit/controller/start-gate',
  },
  'sync failed': { over: 'sync succeeded again', test: 'unit/controller/sync-logger' },
  'kernel refused Service': { over: 'kernel no longer refuses Service', test: 'unit/controller/sync-logger' },
  'another process keeps undoing repairs of the ruleset; repairing less often': {
    over: 'no other process undoes repairs of the ruleset any more',
    test: 'unit/controller/sync-logger',
  },
  'object has an invalid field': {
    over: 'object no longer has this invalid field',
    test: 'unit/controller/sync-logger',
  },
  'frontend conflict between Services': {
    over: 'frontend conflict between Services is over',
    test: 'unit/controller/sync-logger',
  },
  'Service exceeds a limit': { over: 'Service no longer exceeds this limit', test: 'unit/controller/sync-logger' },
  'changed configuration is invalid; keeping the previous one': {
    over: 'configuration changed',
    test: 'unit/daemon/reload',
  },
  'not allowed to create and patch events.events.k8s.io': {
    over: 'allowed to write Events again',
    test: 'unit/events/event-recorder',
  },
  'fast path is off': { over: 'fast path is on', test: 'integration/fastpath/loader-failure' },
  'no replies through the fast path; nftables takes over': {
    over: 'fast path serves a Service port again',
    test: 'unit/fastpath/flows/flow-collector',
  },
  'cannot monitor network changes': {
    over: 'monitoring network changes again',
    test: 'unit/fastpath/node/watch-network',
  },
  'fast path out of sync; attached programs keep running': {
    over: 'fast path in sync again',
    test: 'integration/fastpath/loader-failure',
  },
  'health check node port cannot listen': {
    over: 'health check node port listens now',
    test: 'unit/health/service-health-server',
  },
  'cannot monitor address changes': {
    over: 'monitoring address changes again',
    test: 'unit/host/network/host-addresses',
  },
  'HTTP server cannot listen': { over: 'HTTP server listens now', test: 'unit/host/network/retrying-http-server' },
  'cannot read connection counters': {
    over: 'connection counters are read again',
    test: 'unit/metrics/nftlane/connection-reader',
  },
  'cannot lock the network namespace': { over: 'locked the network namespace', test: 'integration/nft/lock' },
  'lost the lock of the network namespace': { over: 'locked the network namespace', test: 'integration/nft/lock' },
  'source lost most Services; keeping them': {
    over: 'source has its Services again',
    test: 'unit/sources/guard/source-guard',
  },
  'source lacks most Services of the kernel; holding the start': {
    over: 'start is not held any more',
    test: 'unit/sources/guard/source-guard',
  },
  'own Node is incomplete; keeping last known values': {
    over: 'own Node is complete again',
    test: 'unit/sources/guard/source-guard',
  },
  'cannot watch manifests; polling': {
    over: 'watching manifests again',
    test: 'unit/sources/manifests/directory-source',
  },
  'cannot read manifest directory; keeping its objects': {
    over: 'manifest directory is readable again',
    test: 'unit/sources/manifests/directory-source',
  },
  'cannot read manifest; keeping its objects': {
    over: 'manifest is readable again',
    test: 'unit/sources/manifests/directory-source',
  },
  'invalid document in manifest': {
    over: 'manifest no longer has an invalid document',
    test: 'unit/sources/manifests/directory-source',
  },
  'objects are not current; the kernel keeps the last known state': {
    over: 'objects are current again',
    test: 'unit/sources/status/staleness-reporter',
  },
};

/** Events, which are over when they are logged, and what is decided once for the life of the process, each with the reason. */
export const LOG_EVENTS: Readonly<Record<string, string>> = {
  'unexpected error; exiting to restart': 'the process ends',
  'warning of Node': 'Node reports each once',
  'ignoring some configuration fields': 'decided when a file is read',
  'stale TCP conntrack entries are not deleted': 'the program is missing, and not looked for again',
  'stale UDP conntrack entries are not deleted': 'the program is missing, and not looked for again',
  'timed out waiting for the Node; syncing without it':
    'one timeout at the start; "node configuration changed" follows',
  'too many kernel notifications of ruleset changes; listing the ruleset': 'the listing repairs it',
  'nft monitor was stopped; continuing it': 'it is continued immediately',
  'preloading endpoints failed': 'one attempt at the start',
  'sync observer failed': 'a fault of one call',
  'kernel state differed from the applied state; repaired': 'it is repaired',
  'another process changed the ruleset; repairing': 'one change',
  'another process changed nftlane chains; repairing': 'one change',
  'accepting the form in which nft lists an object': 'one object, accepted',
  'parts of the daemon have not stopped; exiting without them': 'the process ends',
  'cannot remove fast path': 'one attempt at the start, and when the fast path is turned off',
  'cannot prepare fast path': 'the process ends',
  'cannot write Event about the failed server': 'the process ends',
  'address family is not available': 'decided at the start',
  'admin socket was removed; created again': 'it exists again',
  'admin socket was removed and cannot be created': 'ends with "admin socket is created again"',
  'cannot create admin socket; inspection commands are unavailable': 'decided at the start',
  'cannot update metrics or Events': 'a fault of one call',
  'fast path keeps the size of its flow tables until it is turned off': 'decided when the option changes',
  'fast path serves TCP only': 'decided when the fast path is turned on',
  'connections to deleted pods may hang': 'one set of connections',
  'log messages dropped': 'counts what was dropped',
  'too many connections to a server; closing the oldest idle ones': 'counts connections that were closed',
  'cannot set sysctl': 'one attempt at the start',
  'node ports at 127.0.0.1 reach only endpoints of this host': 'one attempt when the option is set',
  'loopback addresses of this host may be reachable from its network': 'one look when the option is unset',
  'cannot serve page': 'one request',
  'cannot look for leftovers of kube-proxy': 'an attempt; the next one differs or succeeds',
  'cannot check for some leftovers of kube-proxy': 'a program is missing',
  'take-over is disabled, keeping the leftovers of kube-proxy': 'a note about the configuration',
  'keeping the leftovers of kube-proxy for now': '"took over from kube-proxy and removed its leftovers" follows',
  'removed new leftovers of kube-proxy': 'they are removed',
  'cannot remove some leftovers of kube-proxy': 'one attempt for each reason',
  'ignoring an object of another kind': 'one object of a faulty server',
  'applied the loss of Services': 'the end of a hold',
};
