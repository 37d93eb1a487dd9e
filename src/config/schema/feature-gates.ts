// Feature gates: which of them cannot be turned off, which have an effect here, and which nobody here knows.

interface FeatureGate {
  readonly default: boolean;
  /** It can only be set to what it is. */
  readonly locked: boolean;
}

/** The gates of kube-proxy that change what it does, as of Kubernetes 1.36. */
const KNOWN_GATES: Readonly<Record<string, FeatureGate>> = {
  AllowServiceExternalIPs: { default: true, locked: false },
  ComponentFlagz: { default: true, locked: false },
  ComponentStatusz: { default: true, locked: false },
  ContextualLogging: { default: true, locked: false },
  LoggingAlphaOptions: { default: false, locked: false },
  LoggingBetaOptions: { default: true, locked: false },
  MultiCIDRServiceAllocator: { default: true, locked: true },
  NativeHistograms: { default: false, locked: false },
  NFTablesProxyMode: { default: true, locked: true },
  PreferSameTrafficDistribution: { default: true, locked: true },
};

/** Gates that do here what they say. */
const IMPLEMENTED_GATES: ReadonlySet<string> = new Set(['AllowServiceExternalIPs', 'LoggingAlphaOptions']);

type FeatureGates = Readonly<Record<string, boolean>>;

/** Complains of gates that are locked to something else. */
export function checkGates(gates: FeatureGates, report: (field: string, reason: string) => void): void {
  for (const [name, value] of Object.entries(gates)) {
    const gate = KNOWN_GATES[name];
    if (gate?.locked && value !== gate.default) {
      report(`featureGates.${name}`, `is locked to ${gate.default} and cannot be set to ${value}`);
    }
  }
}

/**
 * Gates that were given and do not do what they say, with the reason. Each release of Kubernetes has about two hundred,
 * nearly all of which are about other components: a name that is not known is no reason not to start.
 */
export function ineffectiveGates(gates: FeatureGates): [name: string, reason: string][] {
  return Object.entries(gates).flatMap(([name, value]): [string, string][] => {
    if (!Object.hasOwn(KNOWN_GATES, name)) return [[name, 'has no effect here']];
    const isChanged = value !== KNOWN_GATES[name]?.default;
    return isChanged && !IMPLEMENTED_GATES.has(name) ? [[name, 'has no effect here']] : [];
  });
}

/** Whether a gate is on, by what was given or by default. */
export function isGateEnabled(gates: FeatureGates, name: keyof typeof KNOWN_GATES): boolean {
  return gates[name] ?? KNOWN_GATES[name]?.default ?? false;
}
