// Proxy flags, shared by all commands that compile a ruleset, and the configuration file that they override.

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

/** Options as commander returns them. */
export interface ParsedFlags {
  readonly config?: string;
  readonly master?: string;
}

/** Adds `--config` and the proxy flags to a command. */
export function withProxyFlags(command: Command): Command {
  command.option(
    '--config <file>',
    'file with a KubeProxyConfiguration, an NftlaneConfiguration, or both; flags override it',
  );
  return withConfigFlags(command, PROXY_FLAGS);
}

/** The proxy options. Throws a {@link ConfigurationError} that names each invalid flag or field. */
export function readProxyFlags(flags: ParsedFlags): ProxyOptions {
  return resolveProxyOptions(readFileAndFlags(flags, PROXY_FLAGS), hostname());
}

/** Reads the configuration file, if any, and applies the flags. Throws a {@link ConfigurationError}. */
export function loadSettings(flags: ParsedFlags): LoadedSettings {
  const configuration = readFileAndFlags(flags, [...PROXY_FLAGS, ...RUN_FLAGS]);
  const { config: configFile, master } = flags;
  return { settings: resolveSettings(configuration, { hostname: hostname(), configFile, master }), configuration };
}

function readFileAndFlags(flags: ParsedFlags, table: readonly ConfigFlag[]): Configuration {
  const file = flags.config === undefined ? undefined : { path: flags.config, text: readText(flags.config) };
  const mode = file === undefined ? undefined : asObject(readDocuments(file.text).kubeProxy)['mode'];
  const options = flags as Readonly<Record<string, unknown>>;
  const ports = file === undefined ? readPortFlags(options) : [];
  return readConfiguration({ file, flags: [...readConfigFlags(options, { flags: table, mode }), ...ports] });
}

const READ_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EISDIR: 'is a directory',
  EACCES: 'permission denied',
};

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const reason = READ_ERRORS[code] ?? message;
    throw new ConfigurationError(`configuration "${path}"`, [{ path: '', reason }], { cause: error });
  }
}
