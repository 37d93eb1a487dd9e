// Reads configurations in tests: from files and flags to settings or problems.

import { type Configuration, type FlagValue, readConfiguration } from '../../../src/config/configuration.ts';
import { resolveSettings } from '../../../src/config/resolve-settings.ts';
import { ConfigurationError } from '../../../src/config/schema/configuration-error.ts';
import type { Settings } from '../../../src/config/settings.ts';

const KUBE_PROXY = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n';
const NFTLANE = 'apiVersion: nftlane.io/v1alpha1\nkind: NftlaneConfiguration\n';

/** A file with these fields of KubeProxyConfiguration and NftlaneConfiguration. */
export function configurationText(kubeProxy: string, nftlane?: string): string {
  return `${KUBE_PROXY}${kubeProxy}\n${nftlane === undefined ? '' : `---\n${NFTLANE}${nftlane}\n`}`;
}

export function configurationOf(text: string | undefined, flags: readonly FlagValue[] = []): Configuration {
  return readConfiguration({ file: text === undefined ? undefined : { path: 'test.yaml', text }, flags });
}

/** The settings on a host named `Host-1`. */
export function settingsOf(text: string | undefined, flags: readonly FlagValue[] = []): Settings {
  return resolveSettings(configurationOf(text, flags), { hostname: 'Host-1', configFile: 'test.yaml' });
}

/** The problems of a file, one per line; none when it is valid. */
export function problemsOf(text: string, flags: readonly FlagValue[] = []): string[] {
  try {
    settingsOf(text, flags);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.problems.map(({ path, reason }) => `${path}: ${reason}`);
  }
}
