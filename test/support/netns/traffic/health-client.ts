// Sends requests to the health servers of nodes, as load balancers and probes do.

import { printAddressPort } from '../../../../src/net/address-port.ts';
import type { Namespace } from '../namespace.ts';

/** A response, or the error code of the socket. */
export interface HealthResponse {
  readonly status?: number;
  readonly error?: string;
  readonly weight?: string;
  readonly body?: unknown;
}

const PROGRAM = `
const { request } = require('node:http');
const print = (answer) => process.stdout.write(JSON.stringify(answer));
const asking = request(process.argv[1], { agent: false, timeout: 3000 }, (response) => {
  let text = '';
  response.on('data', (chunk) => { text += chunk; });
  response.on('end', () => {
    const { statusCode: status, headers } = response;
    const json = headers['content-type'] === 'application/json';
    print({ status, weight: headers['x-load-balancing-endpoint-weight'], body: json ? JSON.parse(text) : text });
  });
});
asking.on('timeout', () => asking.destroy(Object.assign(new Error(), { code: 'ETIMEDOUT' })));
asking.on('error', ({ code }) => print({ error: code }));
asking.end();
`;

/** Sends one request on a new connection. */
export async function getHealth(from: Namespace, address: string, port: number, path = '/'): Promise<HealthResponse> {
  return JSON.parse(
    await from.output(process.execPath, ['-e', PROGRAM, `http://${printAddressPort({ address, port })}${path}`]),
  );
}
