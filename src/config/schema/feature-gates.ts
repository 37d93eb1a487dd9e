// Feature gates of kube-proxy: locked gates, and gates that have an effect in nftlane.

interface FeatureGate {
  readonly default: boolean;
  /** It can only be set to its default. */
  readonly locked: boolean;
}

/** The gates that change the behavior of kube-proxy, as of Kubernetes 1.36. */
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

/** Gates that nftlane implements. */
const IMPLEMENTED_GATES: ReadonlySet<string> = new Set(['AllowServiceExternalIPs', 'LoggingAlphaOptions']);

type FeatureGates = Readonly<Record<string, boolean>>;

/** Reports locked gates that are set to a value other than their default. */
export function checkGates(gates: FeatureGates, report: (field: string, reason: string) => void): void {
  for (const [name, value] of Object.entries(gates)) {
    const gate = KNOWN_GATES[name];
    if (gate?.locked && value !== gate.default) {
      report(`featureGates.${name}`, `is locked to ${gate.default} and cannot be set to ${value}`);
    }
  }
}

/**
 * Gates without effect, with the reason. An unknown gate is not an error: each release of Kubernetes has about two
 * hundred gates, nearly all of them for other components.
 */
export function ineffectiveGates(gates: FeatureGates): [name: string, reason: string][] {
  return Object.entries(gates).flatMap(([name, value]): [string, string][] => {
    if (!Object.hasOwn(KNOWN_GATES, name)) return [[name, 'has no effect']];
    const isChanged = value !== KNOWN_GATES[name]?.default;
    return isChanged && !IMPLEMENTED_GATES.has(name) ? [[name, 'has no effect']] : [];
  });
}

/** Whether a gate is enabled, explicitly or by default. */
export function isGateEnabled(gates: FeatureGates, name: keyof typeof KNOWN_GATES): boolean {
  return gates[name] ?? KNOWN_GATES[name]?.default ?? false;
}
