// The flags that say how this node proxies, shared by every command that compiles, and the configuration file below them.
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Command } from 'commander';
import { type Configuration, readConfiguration } from '../../config/configuration.ts';
import { readDocuments } from '../../config/read-documents.ts';
import { resolveProxyOptions, resolveSettings } from '../../config/resolve-settings.ts';
import { ConfigurationError } from '../../config/schema/configuration-error.ts';
import type { LoadedSettings } from '../../config/settings.ts';
import type { ProxyOptions } from '../../nftables/compile/node-view.ts';
import { asObject } from '../../services/objects/read.ts';
import { readConfigFlags, readPortFlags, withConfigFlags } from './config-flags.ts';
import { type ConfigFlag, PROXY_FLAGS, RUN_FLAGS } from './flag-table.ts';

/** What commander has read. */
export interface ParsedFlags {
  readonly config?: string;
  readonly master?: string;
}

/** Adds the flags to a command. */
export function withProxyFlags(command: Command): Command {
  command.option('--config <file>', 'KubeProxyConfiguration, NftlaneConfiguration, or both; flags go before it');
  return withConfigFlags(command, PROXY_FLAGS);
}

/** How this node proxies. Throws {@link ConfigurationError} that names each wrong flag or field. */
export function readProxyFlags(flags: ParsedFlags): ProxyOptions {
  return resolveProxyOptions(readFileAndFlags(flags, PROXY_FLAGS), hostname());
}

/** Reads the file that the flags name, if they do, and joins both. Throws {@link ConfigurationError}. */
export function loadSettings(flags: ParsedFlags): LoadedSettings {
  const configuration = readFileAndFlags(flags, [...PROXY_FLAGS, ...RUN_FLAGS]);
  const { config: configFile, master } = flags;
  return { settings: resolveSettings(configuration, { hostname: hostname(), configFile, master }), configuration };
}

function readFileAndFlags(flags: ParsedFlags, table: readonly ConfigFlag[]): Configuration {
  const file = flags.config === undefined ? undefined : { path: flags.config, text: readText(flags.config) };
  const mode = file === undefined ? undefined : asObject(readDocuments(file.text).kubeProxy)['mode'];
  const given = flags as Readonly<Record<string, unknown>>;
  const ports = file === undefined ? readPortFlags(given) : [];
  return readConfiguration({ file, flags: [...readConfigFlags(given, table, mode), ...ports] });
}

const READ_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory',
  EACCES: 'it may not be read',
};

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const reason = READ_ERRORS[code] ?? message;
    throw new ConfigurationError(`configuration ${path}`, [{ path: '', reason }], { cause: error });
  }
}
