// Flags of the commands that read both the kernel and the desired state.

import type { Command } from 'commander';
import type { DesiredStateSource } from '../../admin/desired-state.ts';
import type { OutputFormat } from '../output/print.ts';
import { nftOption, outputOption, runDirOption } from './common-flags.ts';
import { type ParsedFlags, readProxyFlags, withProxyFlags } from './proxy-flags.ts';

export interface InspectFlags extends ParsedFlags {
  readonly file?: string;
  readonly runDir: string;
  readonly nft: string;
  readonly output: OutputFormat;
}

const HELP = `
Without --file, the configuration of the daemon applies: --config and the flags from --node-name to --proxy-mode have no
effect.`;

/** Adds the flags to a command. */
export function withInspectFlags(command: Command): Command {
  return withProxyFlags(command)
    .option('-f, --file <file|dir>', 'read the desired state from manifests instead of the running daemon')
    .addOption(runDirOption())
    .addOption(nftOption())
    .addOption(outputOption())
    .addHelpText('after', HELP);
}

/** The source of the desired state that the flags select. */
export function desiredStateSource(flags: InspectFlags): DesiredStateSource {
  const { file, runDir } = flags;
  return { file, runDir, proxy: () => readProxyFlags(flags) };
}
