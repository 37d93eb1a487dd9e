// Requests a URL repeatedly, each time on a new connection.
//   probe-http.ts URL COUNT     prints the status or error, and the milliseconds, of each response as JSON

import { request } from 'node:http';
import { argv } from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

const [url = '', count] = argv.slice(2);

function probe(): Promise<{ readonly outcome: number | string; readonly ms: number }> {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const finish = (outcome: number | string) => resolve({ outcome, ms: performance.now() - startedAt });
    const asking = request(url, { agent: false, timeout: 5_000 }, (response) => {
      response.resume().on('end', () => finish(response.statusCode ?? 0));
    });
    asking.on('timeout', () => asking.destroy(new Error('ETIMEDOUT')));
    asking.on('error', (error) => finish(error.message)).end();
  });
}

const results = [];
for (let sent = 0; sent < Number(count); sent++) {
  results.push(await probe());
  await delay(20);
}
process.stdout.write(`${JSON.stringify(results)}\n`);
