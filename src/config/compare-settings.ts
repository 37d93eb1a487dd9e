// What a changed configuration changes: nothing, what can be applied at work, or what takes a new start.
import type { Settings } from './settings.ts';

export interface SettingsChange {
  /** Fields that are another than before, with their paths. */
  readonly fields: readonly string[];
  /** `none`: only fields without effect. */
  readonly needs: 'none' | 'apply' | 'restart';
}

/** Compares settings. How this node proxies and how much it says can be changed at work; a name, or a server, cannot. */
export function compareSettings(before: Settings, after: Settings): SettingsChange {
  const documents = [before.documents, after.documents].map(({ kubeProxy, nftlane }) => ({
    [kubeProxy.kind]: kubeProxy,
    [nftlane.kind]: nftlane,
  }));
  const fields = differingPaths(documents[0], documents[1], '');
  return { fields, needs: needOf(before, after) };
}

function needOf(before: Settings, after: Settings): SettingsChange['needs'] {
  if (!isSame(fixedPart(before), fixedPart(after))) return 'restart';
  return isSame(livePart(before), livePart(after)) ? 'none' : 'apply';
}

function livePart({ proxy, own }: Settings): unknown {
  return { proxy, level: own.log.level };
}

function fixedPart({ proxy, config, own, manifests }: Settings): unknown {
  const { bindAddress: _, ...rest } = config;
  return { name: proxy.nodeName, rest, own: { ...own, log: own.log.format }, manifests };
}

/** Settings are plain values. */
function isSame(a: unknown, b: unknown): boolean {
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
