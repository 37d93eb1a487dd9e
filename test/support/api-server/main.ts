// Runs the test API server as a process:
//
//   node test/support/api-server/main.ts --services 10000 --endpoints 10 [--hinted] --kubeconfig-out FILE [--port N] [--listen ADDR]
//
// It has Services svc-00001.. in namespace demo, each with one slice of the same name, Nodes n1..n20 and one ServiceCIDR.
// With --hinted, the initial endpoints have hints for their zones; endpoints that are added later have no hints.
// Prints `ready URL`, then reads commands from standard input and answers each with a line `ok ...` or `error ...`:
//
//   endpoint svc-00017 +1          adds an endpoint (`-1` removes the last one)
//   change 100-per-second 10       replaces the oldest endpoint of 100 slices per second, for 10 seconds
//   add 10001 3                    creates or replaces the Service with this number, with 3 endpoints
//   remove svc-00017               deletes the Service and its slice
//   zone 1 zone-2                  moves Node n1 to this zone
//   put {"kind": ...}              creates or replaces an object, given as one line of JSON
//   delete Service demo/web        deletes an object
//   end-watches                    ends all watches, as after their timeout
//   delete-all                     deletes every Service and EndpointSlice
//   empty-backup                   starts again with an empty database
//   cut                            cuts all connections
//   fault {"action": "drop"}       injects a fault, as one line of JSON
//   clear-faults                   removes the faults that have not occurred yet
//   dump                           answers with all objects, as one line of JSON
//
// Exits at the end of standard input or after a signal.

import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { type ApiServer, startApiServer } from './api-server.ts';
import { putBulk, putNode, zoneName } from './bulk-objects.ts';
import { Commands } from './commands.ts';

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '0' },
    endpoints: { type: 'string', default: '1' },
    hinted: { type: 'boolean', default: false },
    'kubeconfig-out': { type: 'string' },
    port: { type: 'string', default: '0' },
    listen: { type: 'string', default: '127.0.0.1' },
  },
});

const server = await startApiServer({ address: values.listen, port: Number(values.port) });
putBulk(server, {
  services: Number(values.services),
  endpoints: Number(values.endpoints),
  hinted: values.hinted,
});
putCluster(server);
if (values['kubeconfig-out'] !== undefined) await server.writeKubeconfig(values['kubeconfig-out']);
console.log(`ready ${server.url}`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop());
const commands = new Commands(server);
for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() !== '') console.log(await commands.run(line));
}
await stop();

async function stop(): Promise<void> {
  await server.close();
  process.exit(0);
}

/** Twenty Nodes with endpoints and one without. */
function putCluster(server: ApiServer): void {
  server.put('ServiceCIDR', { metadata: { name: 'kubernetes' }, spec: { cidrs: ['10.96.0.0/12'] } });
  const elsewhere = { addresses: [{ type: 'InternalIP', address: '192.168.0.100' }] };
  server.put('Node', { metadata: { name: 'elsewhere' }, status: elsewhere });
  for (let number = 1; number <= 20; number++) putNode(server, number, zoneName(number));
}
