// Arguments of the command line.

import { parsePacket } from '../../../src/cli/commands/explain.ts';
import { normalizeArguments } from '../../../src/cli/flags/config-flags.ts';
import { startsDaemon } from '../../../src/cli/flags/daemon-command.ts';
import { OperationalError } from '../../../src/lib/operational-error.ts';
import { parsePrefix } from '../../../src/net/prefix.ts';
import { expectErrors, type FuzzTarget } from '../target.ts';

const SEEDS = [
  'run --cluster-cidr=10.1.0.0/16,fd00:1::/48 --feature_gates=A=true --masquerade-all=t --v=2 --version=raw',
  'explain 10.1.1.5 172.30.0.10:80/tcp --from-host',
  'explain fd00::5 [fd00:30::10]:80/udp -i eth0',
  'diff -f - -- --x',
];

export const argumentTarget: FuzzTarget = {
  name: 'arguments',
  weight: 5,
  seeds: SEEDS,
  run(input) {
    const args = normalizeArguments(input.split(' '));
    startsDaemon(args);
    const host = { addresses: [], routes: [] };
    for (const [index, source] of args.entries()) {
      parsePrefix(source);
      expectErrors([OperationalError], () =>
        parsePacket({ source, target: args[index + 1] ?? '' }, { fromHost: false, inInterface: undefined }, host),
      );
    }
  },
};
