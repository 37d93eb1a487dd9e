// Tests of src/sources/api-server: what responses that never end cost a process in memory and time.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import {
  event,
  head,
  type RawRequest,
  serveEmpty,
  startHostileServer,
  writeRepeatedly,
} from '../../../support/api-server/hostile-server.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const CLIENT = fileURLToPath(new URL('../../../support/api-server/client-process.ts', import.meta.url));
const MEBIBYTE = 'x'.repeat(1024 ** 2);
/** 200 MB of zeros in 200 kB. */
const BOMB = gzipSync(Buffer.alloc(200 * 1024 ** 2), { level: 1 });

async function startClient(t: Test, url: string) {
  const child = spawn(process.execPath, [CLIENT, url], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  t.teardown(async () => {
    child.stdin.end();
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  const peakMb = async () => {
    const from = lines.length;
    child.stdin.write('peak\n');
    const answer = () => lines.slice(from).find((line) => line.startsWith('peak '));
    await waitUntil('answer', () => answer() !== undefined);
    return Math.round(Number((answer() ?? '').slice('peak '.length)) / 1024);
  };
  return { lines, peakMb };
}

const service = { kind: 'Service', metadata: { namespace: 'shop', name: 'web', resourceVersion: '8' }, spec: {} };

interface Response {
  readonly serve: (request: RawRequest) => void;
  readonly reason: RegExp;
}

/** Each is served to EndpointSlices until the next one. */
const RESPONSES: Readonly<Record<string, Response>> = {
  'lines of 300 MB': {
    serve: ({ socket }) => {
      socket.write(`${head()}{"type":"ADDED","object":{"x":"`);
      writeRepeatedly(socket, MEBIBYTE, { times: 300 });
    },
    reason: /longer than 4 MiB/,
  },
  'a line of nested lists': {
    serve: ({ socket }) => {
      socket.write(`${head()}{"type":"ADDED","object":{"x":[`);
      socket.write('[],'.repeat(1_300_000));
      socket.end('[]]}}\n');
    },
    reason: /more than 500000 values/,
  },
  'compressed zeros': {
    serve: ({ socket }) => {
      socket.write(head({ headers: { 'content-encoding': 'gzip' } }));
      socket.end(BOMB);
    },
    reason: /the response is encoded/,
  },
  'the page of an error without end': {
    serve: ({ socket }) => {
      socket.write(head({ status: 500, headers: { 'content-type': 'text/html' } }));
      writeRepeatedly(socket, MEBIBYTE);
    },
    reason: /xxx/,
  },
  'a body in chunks of one byte': {
    serve: ({ socket }) => {
      socket.write(head({ headers: { 'transfer-encoding': 'chunked' } }));
      writeRepeatedly(socket, '1\r\nx\r\n'.repeat(10_000), { times: 30 });
    },
    reason: /closed|aborted|ended/,
  },
  // Last, because the client waits for ten seconds after it.
  'objects without a name': {
    serve: ({ socket }) => {
      socket.write(head());
      writeRepeatedly(socket, event('ADDED', { metadata: {} }).repeat(1000));
    },
    reason: /events without content/,
  },
};

t.test('responses without end cost at most twice the memory, and other kinds continue', async (t) => {
  const server = await startHostileServer();
  t.teardown(() => server.close());
  let hostile = serveEmpty;
  let watchOfServices: RawRequest | undefined;
  server.answer = (request) => {
    if (request.kind === 'Service') watchOfServices = request;
    (request.kind === 'EndpointSlice' ? hostile : serveEmpty)(request);
  };
  const { lines, peakMb } = await startClient(t, server.url);
  await waitUntil('lists', () => lines.filter((line) => line.startsWith('replace ')).length === 4);
  await peakMb();
  const quietMb = await peakMb();
  for (const [name, { serve, reason }] of Object.entries(RESPONSES)) {
    const from = lines.length;
    const seen = (pattern: RegExp) => lines.slice(from).some((line) => pattern.test(line));
    hostile = serve;
    for (const { kind, socket } of server.requests) if (kind === 'EndpointSlice') socket.destroy();
    await waitUntil(`failure of ${name}`, () => seen(new RegExp(`^failed EndpointSlice .*(?:${reason.source})`)));
    watchOfServices?.socket.write(event('ADDED', service));
    await waitUntil('Service', () => seen(/^put Service shop\/web$/));
    const growth = (await peakMb()) / quietMb;
    t.ok(growth <= 2, `${name}: ${growth.toFixed(2)} times ${quietMb} MB`);
  }
});
