// Sends two simultaneous datagrams through one socket: two processes, on different CPUs, send one each.

import type { Namespace } from '../namespace.ts';
import type { PairReport } from './udp-pair-client.ts';

/**
 * Both processes share all sockets, and a memory page with the number of the current one. They spin on that page, so that they
 * send within about a microsecond. Both requests are first packets of one flow: the kernel translates both before conntrack has
 * an entry.
 */
const PROGRAM = `
import json, mmap, os, socket, sys, time
address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
family = socket.AF_INET6 if ':' in address else socket.AF_INET
sockets = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(count)]
for each in sockets:
    each.settimeout(5)
    each.connect((address, port))
turn = mmap.mmap(-1, 4096)
processors = sorted(os.sched_getaffinity(0))
child = os.fork()
os.sched_setaffinity(0, {processors[0] if child else processors[-1]})
tally = {'sameBackend': 0, 'differentBackends': 0, 'lost': 0}
if child == 0:
    turn[2] = 1
    for number, each in enumerate(sockets):
        while turn[0] != number % 250 + 1:
            if turn[0] == 255:
                os._exit(0)
        each.send(b'AAAA?')
        turn[1] = number % 250 + 1
    os._exit(0)
while turn[2] == 0:
    pass
deadline = time.monotonic() + float(sys.argv[4])
for number, each in enumerate(sockets):
    if time.monotonic() > deadline:
        break
    turn[0] = number % 250 + 1
    each.send(b'A?')
    while turn[1] != number % 250 + 1:
        pass
    try:
        pods = [json.loads(each.recv(2048))['pod'] for _ in range(2)]
        tally['sameBackend' if pods[0] == pods[1] else 'differentBackends'] += 1
    except OSError:
        tally['lost'] += 1
turn[0] = 255
os.waitpid(child, 0)
print(json.dumps(tally))
`;

/** A machine that is busy elsewhere may need a long time for each pair: so long, and no longer, pairs are sent. */
const SECONDS = 6;
const COMMAND_TIMEOUT_MS = 60_000;

/** Sends up to `count` pairs, each from a new socket. `undefined` without Python, or with a single CPU. */
export async function sendPairs(
  from: Namespace,
  { address, port, count }: { address: string; port: number; count: number },
): Promise<PairReport | undefined> {
  const canRace = 'import os, sys; sys.exit(len(os.sched_getaffinity(0)) < 2)';
  if ((await from.exec('python3', ['-c', canRace])).status !== 0) return undefined;
  const args = [address, `${port}`, `${count}`, `${SECONDS}`];
  return JSON.parse(await from.output('python3', ['-c', PROGRAM, ...args], { timeoutMs: COMMAND_TIMEOUT_MS }));
}
