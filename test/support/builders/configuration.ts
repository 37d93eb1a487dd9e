// Configurations for tests: files and flags in, settings or complaints out.
import { type Configuration, type FlagValue, readConfiguration } from '../../../src/config/configuration.ts';
import { resolveSettings } from '../../../src/config/resolve-settings.ts';
import { ConfigurationError } from '../../../src/config/schema/configuration-error.ts';
import type { Settings } from '../../../src/config/settings.ts';

const KUBE_PROXY = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n';
const NFTLANE = 'apiVersion: nftlane.io/v1alpha1\nkind: NftlaneConfiguration\n';

/** A file with these fields of KubeProxyConfiguration, and of NftlaneConfiguration behind it. */
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

/** What is wrong with a file, one line for each; none when it can be used. */
export function problemsOf(text: string, flags: readonly FlagValue[] = []): string[] {
  try {
    settingsOf(text, flags);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.problems.map(({ path, reason }) => `${path}: ${reason}`);
  }
}
