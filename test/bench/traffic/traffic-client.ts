// A program that opens connections and flows through Services and measures them. Requests and replies are lines of JSON.

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { clusterIpOf, protocolOf, SERVICE_PORT } from '../layouts/services.ts';
import { summarize } from '../report/statistics.ts';
import type { TrafficRequest, TrafficResult } from './traffic-request.ts';

const CONNECT_TIMEOUT_MS = 1000;
const DATAGRAM = Buffer.from('?');

console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const order: TrafficRequest = JSON.parse(line);
  console.log(JSON.stringify(order.kind === 'tcp' ? await dialTcp(order) : await sendUdp(order)));
}
process.exit();

async function dialTcp(order: TrafficRequest & { kind: 'tcp' }): Promise<TrafficResult> {
  const targets = clusterIpsOf('tcp', order.services);
  const latencies: number[] = [];
  let failures = 0;
  const started = performance.now();
  const worker = async (): Promise<void> => {
    while (performance.now() - started < order.ms) {
      const before = performance.now();
      const isOpen = await dialOnce(targets[Math.floor(Math.random() * targets.length)] ?? '');
      if (isOpen) latencies.push(performance.now() - before);
      else failures++;
    }
  };
  await Promise.all(Array.from({ length: order.concurrency }, worker));
  const seconds = (performance.now() - started) / 1000;
  return { perSecond: latencies.length / seconds, failures, latencyMs: summarize(latencies) };
}

function dialOnce(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: SERVICE_PORT });
    const end = (isOpen: boolean) => () => {
      // A reset avoids TIME-WAIT, which would exhaust the source ports.
      socket.resetAndDestroy();
      resolve(isOpen);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, end(false));
    socket.on('connect', end(true)).on('error', end(false));
  });
}

/** Every socket sends to each Service once, each time as a new flow. A send call includes the whole path to the pod. */
async function sendUdp({ services, flows }: TrafficRequest & { kind: 'udp' }): Promise<TrafficResult> {
  const targets = clusterIpsOf('udp', services);
  const sockets = await Promise.all(Array.from({ length: Math.ceil(flows / targets.length) }, openSocket));
  const latencies: number[] = [];
  const started = performance.now();
  for (const socket of sockets) {
    for (const target of targets) {
      if (latencies.length === flows) break;
      const before = performance.now();
      socket.send(DATAGRAM, SERVICE_PORT, target);
      latencies.push(performance.now() - before);
    }
  }
  const seconds = (performance.now() - started) / 1000;
  for (const socket of sockets) socket.close();
  return { perSecond: flows / seconds, failures: 0, latencyMs: summarize(latencies) };
}

/** A synchronous lookup: with the default one, each send would wait for the next turn of the event loop. */
async function openSocket(): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', lookup: (host, _, done) => done(null, host, 4) });
  const listening = once(socket, 'listening');
  socket.on('error', () => {}).bind(0);
  await listening;
  return socket;
}

function clusterIpsOf(protocol: 'tcp' | 'udp', services: number): string[] {
  const numbers = Array.from({ length: services }, (_, number) => number);
  return numbers.filter((number) => protocolOf(number) === protocol).map(clusterIpOf);
}
