// Compares settings and determines whether a change needs a restart.

import type { Settings } from './settings.ts';

interface SettingsChange {
  /** Paths of the changed fields. */
  readonly fields: readonly string[];
  /** `none`: only fields without effect changed; `apply`: all changes can be applied at run time. */
  readonly action: 'none' | 'apply' | 'restart';
}

/** Proxy options and the log level can change at run time; the node name, servers and other settings cannot. */
export function compareSettings(before: Settings, after: Settings): SettingsChange {
  const documents = [before.documents, after.documents].map(({ kubeProxy, nftlane }) => ({
    [kubeProxy.kind]: kubeProxy,
    [nftlane.kind]: nftlane,
  }));
  const fields = differingPaths(documents[0], documents[1], '');
  return { fields, action: requiredAction(before, after) };
}

function requiredAction(before: Settings, after: Settings): SettingsChange['action'] {
  if (!isEqual(restartSettings(before), restartSettings(after))) return 'restart';
  return isEqual(reloadableSettings(before), reloadableSettings(after)) ? 'none' : 'apply';
}

function reloadableSettings({ proxy, nftlane }: Settings): unknown {
  return { proxy, massLoss: nftlane.massLoss, level: nftlane.log.level };
}

function restartSettings({ proxy, kubeProxy, nftlane, manifests }: Settings): unknown {
  const { bindAddress: _, ...rest } = kubeProxy;
  return {
    name: proxy.nodeName,
    rest,
    nftlane: { ...nftlane, massLoss: undefined, log: nftlane.log.format },
    manifests,
  };
}

/** Deep equality of plain values. */
function isEqual(a: unknown, b: unknown): boolean {
  return differingPaths(a, b, '').length === 0;
}

function differingPaths(a: unknown, b: unknown, path: string): string[] {
  if (!isObject(a) || !isObject(b)) return JSON.stringify(a) === JSON.stringify(b) ? [] : [path || 'all'];
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return keys.flatMap((key) => differingPaths(a[key], b[key], path === '' ? key : `${path}.${key}`));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
