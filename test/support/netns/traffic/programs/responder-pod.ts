// The responder as a pod of a real cluster runs it: Kubernetes tells it its name and addresses.
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
