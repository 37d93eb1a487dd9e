// Registers and parses the flags that set configuration fields.

import { type Command, Option } from 'commander';
import type { FlagValue } from '../../config/configuration.ts';
import { KUBE_PROXY_KIND } from '../../config/schema/kube-proxy-schema.ts';
import { NFTLANE_KIND } from '../../config/schema/nftlane-schema.ts';
import { parseAddressPort, printAddressPort } from '../../net/address-port.ts';
import { type ConfigFlag, type FlagType, PROXY_FLAGS, RUN_FLAGS } from './flag-table.ts';

/** Options as commander returns them, by camel-case name. */
type ParsedOptions = Readonly<Record<string, unknown>>;

/** Adds flags to a command. Each Boolean flag can be negated: `--flag=false`. */
export function withConfigFlags(command: Command, flags: readonly ConfigFlag[]): Command {
  for (const flag of flags) {
    const { name, placeholder, help = '', short, env, choices, type } = flag;
    const syntax = short === name ? `-${name}, --${name}` : `--${name}`;
    const option = new Option(placeholder === undefined ? syntax : `${syntax} <${placeholder}>`, help);
    if (flag.help === undefined) option.hideHelp();
    if (env !== undefined) option.env(env);
    if (choices !== undefined) option.choices(choices);
    if (type === 'list' || type === 'gates') option.argParser(appendToList);
    command.addOption(option);
    if (type === 'boolean') command.addOption(new Option(`--no-${name}`).hideHelp());
  }
  return command;
}

/** A repeated list flag appends to the list. */
function appendToList(text: string, previous: string | undefined): string {
  return previous === undefined ? text : `${previous},${text}`;
}

/** The fields set by the parsed options, in the order of `flags`. `mode` is the mode of the configuration file. */
export function readConfigFlags(
  options: ParsedOptions,
  { flags, mode }: { readonly flags: readonly ConfigFlag[]; readonly mode: unknown },
): FlagValue[] {
  const effective = options['proxyMode'] ?? mode;
  const section = effective === 'nftables' ? 'nftables' : 'iptables';
  return flags.flatMap((flag): FlagValue[] => {
    const text = options[toCamelCase(flag.name)];
    if (text === undefined) return [];
    const path = flag.path.replace('*', section).split('.');
    return [
      { flag: `--${flag.name}`, kind: flag.kind, path, value: parseFlagValue(flag.type, text) },
      ...impliedFields(flag, text),
    ];
  });
}

/** An empty server address disables the server, which is a field of its own; --kubeconfig overrides `manifests`. */
function impliedFields({ name }: ConfigFlag, text: unknown): FlagValue[] {
  if (name === 'kubeconfig') return [{ flag: '--kubeconfig', kind: NFTLANE_KIND, path: ['manifests'], value: '' }];
  const field = { 'healthz-bind-address': 'serveHealth', 'metrics-bind-address': 'serveMetrics' }[name];
  if (field === undefined) return [];
  return [{ flag: `--${name}`, kind: NFTLANE_KIND, path: [field], value: text !== '' }];
}

/** Servers with a deprecated port flag, their default address, and the field that disables them. */
const SERVERS = [
  { name: 'healthz', defaultAddress: '0.0.0.0', enabledBy: 'serveHealth' },
  { name: 'metrics', defaultAddress: '127.0.0.1', enabledBy: 'serveMetrics' },
] as const;

/**
 * kube-proxy's deprecated `--healthz-port` and `--metrics-port`: the port for an address without one; 0 disables the
 * server. Like kube-proxy, callers ignore these flags if there is a configuration file.
 */
export function readPortFlags(options: ParsedOptions): FlagValue[] {
  return SERVERS.flatMap(({ name, defaultAddress, enabledBy }): FlagValue[] => {
    const [port, address = defaultAddress] = [options[`${name}Port`], options[`${name}BindAddress`]];
    const flag = `--${name}-port`;
    if (port === undefined || address === '') return [];
    if (Number(port) === 0) return [{ flag, kind: NFTLANE_KIND, path: [enabledBy], value: false }];
    const at = Number.isInteger(Number(port)) ? parseAddressPort(String(address), Number(port)) : undefined;
    const text = at === undefined ? `${address}:${port}` : printAddressPort(at);
    return [{ flag, kind: KUBE_PROXY_KIND, path: [`${name}BindAddress`], value: text }];
  });
}

function parseFlagValue(type: FlagType, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  switch (type) {
    case 'number':
      return /^-?\d+(?:\.\d+)?$/.test(value) ? Number(value) : value;
    case 'list':
      return value
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '');
    case 'gates':
      return Object.fromEntries(
        value
          .split(',')
          .filter((part) => part !== '')
          .map(parseGate),
      );
    case 'text':
    case 'boolean':
      return value;
  }
}

function parseGate(part: string): [string, unknown] {
  const [name = '', value] = part.split('=');
  return [name.trim(), value === 'true' || value === 'false' ? value === 'true' : (value ?? '')];
}

function toCamelCase(name: string): string {
  return name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/**
 * Converts arguments in the style of Go programs: `_` equals `-` in flag names, and Booleans may have a value after `=`.
 */
export function normalizeArguments(args: readonly string[]): string[] {
  const booleans = new Set(
    [...PROXY_FLAGS, ...RUN_FLAGS].filter(({ type }) => type === 'boolean').map(({ name }) => name),
  );
  return args.map((argument) => {
    const [, name = '', rest = ''] = /^--([^=]+)(=.*)?$/.exec(argument) ?? [];
    if (name === '') return argument;
    const dashed = name.replaceAll('_', '-');
    // Go's --version accepts an output style, which has no effect here.
    if (dashed === 'version' && rest !== '=false') return '--version';
    if (!booleans.has(dashed)) return `--${dashed}${rest}`;
    if (/^=(?:true|t|1)$/i.test(rest)) return `--${dashed}`;
    return /^=(?:false|f|0)$/i.test(rest) ? `--no-${dashed}` : `--${dashed}${rest}`;
  });
}
