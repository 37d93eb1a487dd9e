// The responder in a pod of a real cluster. Kubernetes sets its name and addresses in the environment.

import { isIPv4, isIPv6 } from 'node:net';
import { argv, env } from 'node:process';

const addresses = (env['POD_IPS'] ?? '').split(',');
const setup = {
  name: env['POD_NAME'],
  ip: addresses.find(isIPv4) ?? '127.0.0.1',
  ip6: addresses.find(isIPv6) ?? '::1',
  tcp: [Number(env['PORT'])],
  udp: [Number(env['PORT'])],
};
argv[2] = JSON.stringify(setup);
await import('./responder.ts');
