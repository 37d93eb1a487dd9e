// The flags that say how this node proxies, shared by every command that compiles.
import { hostname } from 'node:os';
import { type Command, Option } from 'commander';
import * as z from 'zod/mini';
import { DEFAULT_OPTIONS, type DetectLocal, type ProxyOptions } from '../compile/node-view.ts';
import { type Prefix, parsePrefix } from '../net/prefix.ts';
import { CommandError, EXIT } from './exit-status.ts';

/** Adds the flags to a command. */
export function withProxyFlags(command: Command): Command {
  return command
    .addOption(new Option('--node-name <name>', 'name of this node (default: the host name)').env('NODE_NAME'))
    .option(
      '--cluster-cidr <cidrs>',
      'where pods live, up to one block a family; clients from elsewhere are masqueraded',
    )
    .addOption(
      new Option('--detect-local-mode <mode>', 'how a pod is told from other clients')
        .choices(['ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix'])
        .default('ClusterCIDR'),
    )
    .option('--pod-bridge-interface <name>', 'the bridge that pods are on, for mode BridgeInterface')
    .option('--pod-interface-name-prefix <prefix>', 'how names of pod interfaces begin, for mode InterfaceNamePrefix')
    .option('--masquerade-all', 'masquerade every connection to a cluster IP', DEFAULT_OPTIONS.masqueradeAll)
    .option('--masquerade-bit <bit>', 'bit of the packet mark that says "masquerade"', '14')
    .option(
      '--strict-source-ranges',
      'close a load balancer address whose source ranges cannot be used in its family, instead of leaving it open',
      DEFAULT_OPTIONS.strictSourceRanges,
    )
    .option('--nodeport-addresses <cidrs>', 'where node ports are taken: "primary", or blocks of addresses', 'primary');
}

const prefixes = z.pipe(
  z.string(),
  z.transform((text: string, context): Prefix[] =>
    text
      .split(',')
      .filter((part) => part !== '')
      .flatMap((part) => {
        const prefix = parsePrefix(part.trim());
        if (prefix === undefined)
          context.issues.push({ code: 'custom', message: `"${part}" is not a CIDR block`, input: text });
        return prefix ?? [];
      }),
  ),
);

/** The kernel's own limit (IFNAMSIZ), and no character that could leave its quotes. */
const interfaceName = z.string().check(z.regex(/^[A-Za-z0-9._@:-]{1,15}$/, 'is not an interface name'));

const FLAGS = z.object({
  nodeName: z.optional(z.string()),
  clusterCidr: z.optional(prefixes),
  detectLocalMode: z.enum(['ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix']),
  podBridgeInterface: z.optional(interfaceName),
  podInterfaceNamePrefix: z.optional(interfaceName),
  masqueradeAll: z.boolean(),
  masqueradeBit: z.string().check(z.regex(/^(?:[12]?\d|3[01])$/, 'must be a whole number from 0 to 31')),
  strictSourceRanges: z.boolean(),
  nodeportAddresses: z.union([z.literal('primary'), prefixes]),
});

/** Reads the flags. Throws {@link CommandError} with a usage status that names each wrong flag. */
export function readProxyFlags(flags: unknown): ProxyOptions {
  const parsed = FLAGS.safeParse(flags);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `--${toFlag(String(path[0]))}: ${message}`);
    throw new CommandError(EXIT.usage, problems.join('\n'));
  }
  const { data } = parsed;
  const nodeName = (data.nodeName ?? hostname()).trim().toLowerCase();
  if (nodeName === '') throw new CommandError(EXIT.usage, '--node-name: must not be empty');
  return {
    nodeName,
    masqueradeAll: data.masqueradeAll,
    masqueradeBit: Number(data.masqueradeBit),
    detectLocal: detectLocal(data),
    nodePortAddresses: data.nodeportAddresses,
    strictSourceRanges: data.strictSourceRanges,
  };
}

function detectLocal(data: z.infer<typeof FLAGS>): DetectLocal {
  const needs = (flag: string, name: string | undefined): string => {
    if (name !== undefined) return name;
    throw new CommandError(EXIT.usage, `--${flag}: is needed with --detect-local-mode ${data.detectLocalMode}`);
  };
  switch (data.detectLocalMode) {
    case 'ClusterCIDR':
      return { mode: 'ClusterCIDR', cidrs: data.clusterCidr ?? [] };
    case 'NodeCIDR':
      return { mode: 'NodeCIDR' };
    case 'BridgeInterface':
      return { mode: 'BridgeInterface', name: needs('pod-bridge-interface', data.podBridgeInterface) };
    case 'InterfaceNamePrefix':
      return { mode: 'InterfaceNamePrefix', name: needs('pod-interface-name-prefix', data.podInterfaceNamePrefix) };
  }
}

function toFlag(option: string): string {
  return option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
