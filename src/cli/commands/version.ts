// The command `version`.

import type { Command } from 'commander';
import { VERSION } from '../../lib/version.ts';
import { print } from '../output/print.ts';

export function addVersion(program: Command): void {
  program
    .command('version')
    .description('print the version')
    .action(() => print(`nftlane ${VERSION}`));
}
