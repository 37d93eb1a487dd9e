// The test API server as a process of its own:
//
//   node test/support/api-server/main.ts --services 10000 --endpoints 10 [--hinted] --kubeconfig-out FILE [--port N] [--listen ADDR]
//
// Services svc-00001.. of namespace demo, each with one slice of the same name; nodes n1..n20 and one ServiceCIDR.
// With --hinted, every endpoint of the beginning is meant for its zone; endpoints that come later have no hints.
// Prints `ready URL`, then takes commands on standard input and answers each with a line `ok ...` or `error ...`:
//
//   endpoint svc-00017 +1          one endpoint more (`-1`: the last one goes)
//   change 100-per-second 10       so many slices a second get a new endpoint in place of their oldest, for 10 seconds
//   add 10001 3                    the Service of this number with 3 endpoints (an existing one is replaced)
//   remove svc-00017               the Service and its slice
//   zone 1 zone-2                  Node n1 is now in this zone
//   put {"kind": ...}              creates or replaces an object, which is one line of JSON
//   delete Service demo/web        removes an object
//   end-watches                    ends all watches, as when their time is up
//   cut                            cuts all connections
//
// The end of standard input, or a signal, ends it.
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

/** Twenty nodes that endpoints are on, and one that none is on. */
function putCluster(server: ApiServer): void {
  server.put('ServiceCIDR', { metadata: { name: 'kubernetes' }, spec: { cidrs: ['10.96.0.0/12'] } });
  const elsewhere = { addresses: [{ type: 'InternalIP', address: '192.168.0.100' }] };
  server.put('Node', { metadata: { name: 'elsewhere' }, status: elsewhere });
  for (let number = 1; number <= 20; number++) putNode(server, number, zoneName(number));
}
