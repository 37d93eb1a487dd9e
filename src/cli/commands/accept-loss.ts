// The command `accept-loss`.

import type { Command } from 'commander';
import { acceptLoss } from '../../admin/accept-loss.ts';
import { adminSocketPath } from '../../admin/admin-socket.ts';
import { runDirOption } from '../flags/common-flags.ts';
import { print } from '../output/print.ts';

const HELP = `
When most Services, or their endpoints, disappear suddenly, the daemon keeps them for the time of massLoss.gracePeriod. This
command ends that: the daemon applies what its source says.`;

export function addAcceptLoss(program: Command): void {
  program
    .command('accept-loss')
    .description('apply the loss of many Services that the daemon holds back')
    .addOption(runDirOption())
    .addHelpText('after', HELP)
    .action(async ({ runDir }: { readonly runDir: string }) => {
      const services = await acceptLoss(adminSocketPath(runDir));
      print(services === 0 ? 'no loss is held back' : `applied the loss of ${services} Services`);
    });
}
