// Proxy flags, shared by all commands that compile a ruleset, and the configuration file that they override.

import { hostname } from 'node:os';
import type { Command } from 'commander';
import { type Configuration, readConfiguration } from '../../config/configuration.ts';
import { readDocuments } from '../../config/read-documents.ts';
import { resolveProxyOptions, resolveSettings } from '../../config/resolve-settings.ts';
import { ConfigurationError } from '../../config/schema/configuration-error.ts';
import type { LoadedSettings } from '../../config/settings.ts';
import { readBoundedFile } from '../../host/files/bounded-file.ts';
import { failureReason } from '../../host/files/system-error.ts';
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

/** The proxy options. Rejects with a {@link ConfigurationError} that names each invalid flag or field. */
export async function readProxyFlags(flags: ParsedFlags): Promise<ProxyOptions> {
  return resolveProxyOptions(await readFileAndFlags(flags, PROXY_FLAGS), hostname());
}

/** Reads the configuration file, if any, and applies the flags. Rejects with a {@link ConfigurationError}. */
export async function loadSettings(flags: ParsedFlags): Promise<LoadedSettings> {
  const configuration = await readFileAndFlags(flags, [...PROXY_FLAGS, ...RUN_FLAGS]);
  const { config: configFile, master } = flags;
  return { settings: resolveSettings(configuration, { hostname: hostname(), configFile, master }), configuration };
}

async function readFileAndFlags(flags: ParsedFlags, table: readonly ConfigFlag[]): Promise<Configuration> {
  const file = flags.config === undefined ? undefined : { path: flags.config, text: await readText(flags.config) };
  const mode = file === undefined ? undefined : asObject(readDocuments(file.text).kubeProxy)['mode'];
  const options = flags as Readonly<Record<string, unknown>>;
  const ports = file === undefined ? readPortFlags(options) : [];
  return readConfiguration({ file, flags: [...readConfigFlags(options, { flags: table, mode }), ...ports] });
}

/** A ConfigMap holds 1 MiB; a configuration has a few kilobytes. */
const MAX_BYTES = 1024 ** 2;

const READ_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
};

async function readText(path: string): Promise<string> {
  try {
    return (await readBoundedFile(path, { maxBytes: MAX_BYTES })).toString();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    const reason = READ_ERRORS[code] ?? failureReason(error);
    throw new ConfigurationError(`configuration "${path}"`, [{ path: '', reason }], { cause: error });
  }
}
