// Flags that set fields of the configuration: how a command takes them, and what they say.
import { type Command, Option } from 'commander';
import type { FlagValue } from '../../config/configuration.ts';
import { KUBE_PROXY_KIND } from '../../config/schema/kube-proxy-schema.ts';
import { NFTLANE_KIND } from '../../config/schema/nftlane-schema.ts';
import { parseAddressPort, printAddressPort } from '../../net/address-port.ts';
import { type ConfigFlag, type FlagType, PROXY_FLAGS, RUN_FLAGS } from './flag-table.ts';

/** Adds flags to a command. Every boolean can be said to be false too: `--flag=false`. */
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

/** Flags that can be given several times add up. */
function appendToList(text: string, previous: string | undefined): string {
  return previous === undefined ? text : `${previous},${text}`;
}

/** The fields that the given flags set, in the order of the table. `mode` is what the file says of it. */
export function readConfigFlags(
  given: Readonly<Record<string, unknown>>,
  flags: readonly ConfigFlag[],
  mode: unknown,
): FlagValue[] {
  const effective = given['proxyMode'] ?? mode;
  const section = effective === 'nftables' ? 'nftables' : 'iptables';
  return flags.flatMap((flag): FlagValue[] => {
    const text = given[toCamelCase(flag.name)];
    if (text === undefined) return [];
    const path = flag.path.replace('*', section).split('.');
    return [
      { flag: `--${flag.name}`, kind: flag.kind, path, value: parseFlagValue(flag.type, text) },
      ...impliedFields(flag, text),
    ];
  });
}

/**
 * An empty address of a server turns it off, which in a file has a field of its own. Who names an API server does not want
 * the manifests of the file.
 */
function impliedFields({ name }: ConfigFlag, text: unknown): FlagValue[] {
  if (name === 'kubeconfig') return [{ flag: '--kubeconfig', kind: NFTLANE_KIND, path: ['manifests'], value: '' }];
  const field = { 'healthz-bind-address': 'serveHealth', 'metrics-bind-address': 'serveMetrics' }[name];
  if (field === undefined) return [];
  return [{ flag: `--${name}`, kind: NFTLANE_KIND, path: [field], value: text !== '' }];
}

/** Servers whose port has a flag of its own, where they listen without any flag, and what turns them off. */
const SERVERS = [
  { name: 'healthz', defaultAddress: '0.0.0.0', wanted: 'serveHealth' },
  { name: 'metrics', defaultAddress: '127.0.0.1', wanted: 'serveMetrics' },
] as const;

/**
 * kube-proxy's deprecated `--healthz-port` and `--metrics-port`: the port of an address that has none, and 0 for no server.
 * kube-proxy passes over them where there is a configuration file.
 */
export function readPortFlags(given: Readonly<Record<string, unknown>>): FlagValue[] {
  return SERVERS.flatMap(({ name, defaultAddress, wanted }): FlagValue[] => {
    const [port, address = defaultAddress] = [given[`${name}Port`], given[`${name}BindAddress`]];
    const flag = `--${name}-port`;
    if (port === undefined || address === '') return [];
    if (Number(port) === 0) return [{ flag, kind: NFTLANE_KIND, path: [wanted], value: false }];
    const at = Number.isInteger(Number(port)) ? parseAddressPort(String(address), Number(port)) : undefined;
    const text = at === undefined ? `${address}:${port}` : printAddressPort(at);
    return [{ flag, kind: KUBE_PROXY_KIND, path: [`${name}BindAddress`], value: text }];
  });
}

function parseFlagValue(shape: FlagType, given: unknown): unknown {
  if (typeof given !== 'string') return given;
  switch (shape) {
    case 'number':
      return /^-?\d+(?:\.\d+)?$/.test(given) ? Number(given) : given;
    case 'list':
      return given
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '');
    case 'gates':
      return Object.fromEntries(
        given
          .split(',')
          .filter((part) => part !== '')
          .map(parseGate),
      );
    case 'text':
    case 'boolean':
      return given;
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
 * Arguments as Go programs take them: `_` stands for `-` in names of flags, and booleans can have a value behind `=`.
 */
export function normaliseArguments(args: readonly string[]): string[] {
  const booleans = new Set(
    [...PROXY_FLAGS, ...RUN_FLAGS].filter(({ type }) => type === 'boolean').map(({ name }) => name),
  );
  return args.map((argument) => {
    const [, name = '', rest = ''] = /^--([^=]+)(=.*)?$/.exec(argument) ?? [];
    if (name === '') return argument;
    const dashed = name.replaceAll('_', '-');
    // It can be told how to print it, which makes no difference here.
    if (dashed === 'version' && rest !== '=false') return '--version';
    if (!booleans.has(dashed)) return `--${dashed}${rest}`;
    if (/^=(?:true|t|1)$/i.test(rest)) return `--${dashed}`;
    return /^=(?:false|f|0)$/i.test(rest) ? `--no-${dashed}` : `--${dashed}${rest}`;
  });
}
