// What a chaos run does to the daemon, to nft, to the API server and to the disks.

import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../support/random.ts';
import { CHANGING_SERVICES, type ChaosWorld } from './chaos-world.ts';

/** A fault with its random parameters drawn. */
export interface PlannedFault {
  /** Constant for the same seed. */
  readonly name: string;
  /**
   * Resolves when the daemon runs and can repair: with `damaged` if the ruleset may have been wrong meanwhile, and may be
   * until the stated repair time.
   */
  run(chaos: ChaosWorld): Promise<'damaged' | undefined>;
}

export type FaultPlanner = (random: Random) => PlannedFault;

/** The signal stops the processes for this time at most. */
const MAX_PAUSE_MS = 1500;

export const daemonFaults: readonly FaultPlanner[] = [
  (random) => {
    const [when, pause] = [random.integer(0, 400), random.integer(0, 500)];
    return plan(`kill the daemon in ${when} ms, restart after ${pause} ms`, async (chaos) => {
      await delay(when);
      await chaos.restartDaemon('kill', pause);
    });
  },
  (random) => {
    const when = random.integer(0, 400);
    return plan(`stop and restart the daemon in ${when} ms`, async (chaos) => {
      await delay(when);
      await chaos.restartDaemon('stop', 0);
    });
  },
  (random) => {
    const ownership = random.pick<'auto' | 'no'>(['auto', 'no']);
    return plan(`restart the daemon with table ownership "${ownership}"`, async (chaos) => {
      chaos.ownership = ownership;
      await chaos.restartDaemon('stop', 0);
    });
  },
  (random) => {
    const pause = random.integer(10, MAX_PAUSE_MS);
    return plan(`suspend the daemon for ${pause} ms`, async (chaos) => {
      chaos.signalDaemon('SIGSTOP');
      await delay(pause);
      chaos.signalDaemon('SIGCONT');
    });
  },
  (random) => {
    const signal = random.pick<NodeJS.Signals>(['SIGHUP', 'SIGUSR1', 'SIGPIPE', 'SIGWINCH']);
    return plan(`send ${signal} to the daemon`, async (chaos) => chaos.signalDaemon(signal));
  },
];

export const nftFaults: readonly FaultPlanner[] = ['-i', 'monitor'].flatMap((argument): FaultPlanner[] => [
  () =>
    plan(`kill "nft ${argument}"`, async (chaos) => {
      for (const pid of chaos.nftPids(argument)) signal(pid, 'SIGKILL');
    }),
  (random) => {
    const pause = random.integer(10, MAX_PAUSE_MS);
    return plan(`suspend "nft ${argument}" for ${pause} ms`, async (chaos) => {
      const pids = chaos.nftPids(argument);
      for (const pid of pids) signal(pid, 'SIGSTOP');
      await delay(pause);
      for (const pid of pids) signal(pid, 'SIGCONT');
    });
  },
]);

export const apiFaults: readonly FaultPlanner[] = [
  () => plan('cut the connections of the API server', (chaos) => ask(chaos, 'cut')),
  () => plan('end all watches', (chaos) => ask(chaos, 'end-watches')),
  (random) => {
    const pause = random.integer(50, MAX_PAUSE_MS);
    return plan(`suspend the API server for ${pause} ms`, async ({ api }) => {
      signal(api.pid, 'SIGSTOP');
      await delay(pause);
      signal(api.pid, 'SIGCONT');
    });
  },
  (random) => {
    const status = random.pick([429, 500, 503, 410]);
    const on = random.pick(['list', 'watch']);
    const times = random.integer(1, 3);
    const fault = { action: 'answer', status, on, times };
    return plan(`answer ${times} requests to ${on} with ${status}`, (chaos) => injectAndCut(chaos, fault));
  },
  (random) => {
    const action = random.pick(['silent', 'cut', 'garbage', 'end']);
    const fault = { action, on: 'watch', afterLines: random.integer(0, 20) };
    return plan(`let a watch be "${action}" after ${fault.afterLines} lines`, (chaos) => injectAndCut(chaos, fault));
  },
  (random) => {
    const action = random.pick(['hang', 'drop']);
    return plan(`let a request ${action}`, (chaos) => injectAndCut(chaos, { action }));
  },
  (random) => {
    const perSecond = random.pick([10, 100, 300]);
    return plan(`change ${perSecond} EndpointSlices a second`, (chaos) =>
      ask(chaos, `change ${perSecond}-per-second 1`),
    );
  },
  (random) => {
    const number = random.integer(1, CHANGING_SERVICES);
    const endpoints = random.integer(0, 40);
    return plan(`give Service ${number} ${endpoints} endpoints`, (chaos) => ask(chaos, `add ${number} ${endpoints}`));
  },
  (random) => {
    const name = `svc-${String(random.integer(1, CHANGING_SERVICES)).padStart(5, '0')}`;
    return plan(`remove Service ${name}`, (chaos) => ask(chaos, `remove ${name}`));
  },
];

export const diskFaults: readonly FaultPlanner[] = [
  (random) => {
    const duration = random.integer(50, MAX_PAUSE_MS);
    return plan(`fill the daemon's disks for ${duration} ms`, async (chaos) => {
      const files = ['/dev/shm/full', `${chaos.runDir}/full`];
      const fill = files.map((file) => `cat /dev/zero >${file}`).join('; ');
      await chaos.inDaemon('sh', '-c', `{ ${fill}; } 2>&-`);
      await delay(duration);
      await chaos.inDaemon('rm', '-f', ...files);
    });
  },
];

/** A fault that does not damage the ruleset. */
function plan(name: string, run: (chaos: ChaosWorld) => Promise<void>): PlannedFault {
  return {
    name,
    run: async (chaos) => {
      await run(chaos);
      return undefined;
    },
  };
}

async function ask(chaos: ChaosWorld, line: string): Promise<void> {
  const answer = await chaos.request(line);
  // A Service that an earlier fault removed cannot change.
  if (!answer.startsWith('ok') && !answer.includes('no such slice')) throw new Error(`Cannot "${line}": ${answer}`);
}

/** The fault affects the next requests, so the present ones are cut. */
async function injectAndCut(chaos: ChaosWorld, fault: object): Promise<void> {
  await ask(chaos, `fault ${JSON.stringify(fault)}`);
  await ask(chaos, 'cut');
}

/** The process may have ended meanwhile. */
function signal(pid: number, name: NodeJS.Signals): void {
  if (pid <= 0) return;
  try {
    process.kill(pid, name);
  } catch {
    // It exited.
  }
}
