// The flags that say how this node proxies, shared by every command that compiles.
import { hostname } from 'node:os';
import { type Command, Option } from 'commander';
import { z } from 'zod';
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
    .option('--nodeport-addresses <cidrs>', 'where node ports are taken: "primary", or blocks of addresses', 'primary');
}

const prefixes = z.string().transform((text, context): Prefix[] => {
  const parts = text.split(',').filter((part) => part !== '');
  return parts.flatMap((part) => {
    const prefix = parsePrefix(part.trim());
    if (prefix === undefined) context.addIssue(`"${part}" is not a CIDR block`);
    return prefix ?? [];
  });
});

const FLAGS = z.object({
  nodeName: z.string().optional(),
  clusterCidr: prefixes.optional(),
  detectLocalMode: z.enum(['ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix']),
  podBridgeInterface: interfaceName().optional(),
  podInterfaceNamePrefix: interfaceName().optional(),
  masqueradeAll: z.boolean(),
  masqueradeBit: z.coerce.number().int().min(0).max(31),
  nodeportAddresses: z.union([z.literal('primary'), prefixes]),
});

/** The kernel's own limit (IFNAMSIZ), and no character that could leave its quotes. */
function interfaceName() {
  return z.string().regex(/^[A-Za-z0-9._@:-]{1,15}$/, 'is not an interface name');
}

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
    masqueradeBit: data.masqueradeBit,
    detectLocal: detectLocal(data),
    nodePortAddresses: data.nodeportAddresses,
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
