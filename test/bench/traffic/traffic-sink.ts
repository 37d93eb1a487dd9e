// A program that accepts every connection to the endpoints' port, at any address, and sends nothing.

import { once } from 'node:events';
import { createServer } from 'node:net';
import { ENDPOINT_PORT } from '../layouts/services.ts';

const server = createServer((socket) => socket.on('error', () => {}).resume());
await once(server.listen({ port: ENDPOINT_PORT, host: '0.0.0.0', backlog: 4096 }), 'listening');
console.log('listening');
