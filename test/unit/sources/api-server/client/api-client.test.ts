// Tests of src/sources/api-server/client/api-client.ts and credentials.ts.

import { chmod, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ApiClient, RequestOutcome } from '../../../../../src/sources/api-server/client/api-client.ts';
import { loadApiClient } from '../../../../../src/sources/api-server/client/api-client.ts';
import type { CredentialsSource } from '../../../../../src/sources/api-server/client/credentials.ts';
import { startApiServer } from '../../../../support/api-server/api-server.ts';

const PATH = '/api/v1/nodes';

async function load(t: Test, source: CredentialsSource): Promise<ApiClient> {
  const client = await loadApiClient(source);
  t.teardown(() => client.close());
  return client;
}

async function get(client: ApiClient): Promise<{ status: number; body: string }> {
  const { status, body } = await client.request(PATH, new AbortController().signal);
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return { status, body: Buffer.concat(chunks).toString() };
}

t.test('loadApiClient() rejects an invalid kubeconfig with the reason', async (t) => {
  const server = 'https://127.0.0.1:6443';
  const base = {
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    clusters: [{ name: 'k', cluster: { server } }],
    users: [{ name: 'u', user: {} }],
  };
  const dir = t.testdir({ 'a-directory': {} });
  const warnings = t.capture(process, 'emitWarning');
  const problem = 'invalid-kubeconfig';
  const cases = [
    { content: ': [', problem, state: /^Cannot use kubeconfig ".*": [^\n]*column \d+$/ },
    { content: '{{ x }}: !Odd 1', problem, state: 'current-context is missing' },
    { content: '', problem, state: 'current-context is missing' },
    { content: JSON.stringify({ ...base, 'current-context': 'x' }), problem, state: 'there is no context "x"' },
    { content: JSON.stringify({ ...base, clusters: [] }), problem, state: 'there is no cluster "k"' },
    { content: JSON.stringify({ ...base, users: [] }), problem, state: 'there is no user "u"' },
    { content: JSON.stringify({ ...base, users: [{}] }), problem, state: 'users[0].name is missing' },
    {
      content: JSON.stringify({ ...base, clusters: [{ name: 'k', cluster: { server: 'ftp://x' } }] }),
      problem,
      state: '"ftp://x" is not an http(s) URL',
    },
  ];
  for (const { content, problem, state } of cases) {
    const kubeconfig = join(dir, 'kubeconfig');
    await writeFile(kubeconfig, content);
    const message = typeof state === 'string' ? `Cannot use kubeconfig "${kubeconfig}": ${state}` : state;
    await t.rejects(loadApiClient({ kubeconfig }), { name: 'ClusterConfigError', problem, message });
  }
  const absent = join(dir, 'absent');
  const message = `Cannot read kubeconfig "${absent}": no such kubeconfig`;
  await t.rejects(loadApiClient({ kubeconfig: absent }), { problem: 'no-such-kubeconfig', message });
  const directory = { problem: 'unreadable-kubeconfig', message: /a-directory": is a directory/ };
  await t.rejects(loadApiClient({ kubeconfig: join(dir, 'a-directory') }), directory);
  t.strictSame(warnings(), [], 'the parser writes nothing to standard error');
});

t.test('loadApiClient() without a kubeconfig must run in a cluster', async (t) => {
  t.intercept(process, 'env', { value: {} });
  await t.rejects(loadApiClient({}), { problem: 'not-in-cluster', message: /no kubeconfig given$/ });
});

t.test('ApiClient uses the service account of its pod', async (t) => {
  const server = await startApiServer();
  t.teardown(() => server.close());
  const { hostname, port } = new URL(server.url);
  t.intercept(process, 'env', { value: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port } });
  const mountRoot = t.testdir({});
  const mount = join(mountRoot, 'var/run/secrets/kubernetes.io/serviceaccount');
  await mkdir(mount, { recursive: true });
  await cp(server.certificates.ca, join(mount, 'ca.crt'));
  await cp(server.tokenPath, join(mount, 'token'));
  const client = await load(t, { mountRoot });
  t.equal(client.server, server.url);
  t.equal((await get(client)).status, 200);
  await server.rotateToken('rotated');
  await cp(server.tokenPath, join(mount, 'token'));
  t.equal((await get(client)).status, 401);
  t.equal((await get(client)).status, 200, 'read again after status 401');
});

t.test('ApiClient supports all authentication methods of a kubeconfig', async (t) => {
  const server = await startApiServer();
  t.teardown(() => server.close());
  const dir = t.testdir({});
  const { clientCert, clientKey } = server.certificates;
  const credential = {
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status: { token: 'first-token' },
  };
  const plugin = join(dir, 'plugin.sh');
  await writeFile(plugin, `#!/bin/sh\necho '${JSON.stringify(credential)}'\n`);
  await chmod(plugin, 0o755);
  await cp(server.tokenPath, join(dir, 'relative-token'));
  const users = {
    token: { token: 'first-token' },
    'token file': { tokenFile: server.tokenPath },
    'token file beside the kubeconfig, and a token': { tokenFile: 'relative-token', token: 'ignored' },
    'client certificate files': { 'client-certificate': clientCert, 'client-key': clientKey },
    'client certificate data': {
      'client-certificate-data': await readFile(clientCert, 'base64'),
      'client-key-data': await readFile(clientKey, 'base64'),
    },
    exec: { exec: { apiVersion: credential.apiVersion, command: plugin } },
  };
  for (const [name, user] of Object.entries(users)) {
    const kubeconfig = join(dir, 'kubeconfig');
    await server.writeKubeconfig(kubeconfig, user);
    const { status, body } = await get(await load(t, { kubeconfig }));
    t.equal(status, 200, name);
    t.match(JSON.parse(body), { kind: 'NodeList' });
  }
  const kubeconfig = join(dir, 'kubeconfig');
  await server.writeKubeconfig(kubeconfig, {});
  t.equal((await get(await load(t, { kubeconfig }))).status, 401, 'anonymous');
});

t.test('ApiClient reads the kubeconfig again after status 401', async (t) => {
  const server = await startApiServer();
  t.teardown(() => server.close());
  const client = await load(t, { kubeconfig: server.kubeconfigPath });
  t.equal((await get(client)).status, 200);
  await server.rotateToken('rotated');
  t.equal((await get(client)).status, 401);
  const good = await readFile(server.kubeconfigPath);
  await writeFile(server.kubeconfigPath, 'half writ');
  await t.rejects(get(client), { name: 'ConnectionError', message: /^Cannot use kubeconfig/ });
  await writeFile(server.kubeconfigPath, good);
  t.equal((await get(client)).status, 200);
});

t.test('ApiClient trusts only the CA of the kubeconfig', async (t) => {
  const [server, other] = await Promise.all([startApiServer(), startApiServer()]);
  t.teardown(() => Promise.all([server.close(), other.close()]));
  const kubeconfig = join(t.testdir({}), 'kubeconfig');
  const content = await readFile(server.kubeconfigPath, 'utf8');
  await writeFile(kubeconfig, content.replace(server.url, other.url));
  await t.rejects(get(await load(t, { kubeconfig })), { name: 'ConnectionError', message: /^TLS: .*certificate/ });
});

t.test('ApiClient names a certificate error of the server', async (t) => {
  const server = await startApiServer();
  t.teardown(() => server.close());
  const { clientCert: cert, clientKey: key } = server.certificates;
  const foreign = createTlsServer({ cert: await readFile(cert), key: await readFile(key) });
  await new Promise<void>((resolve) => foreign.listen(0, '127.0.0.1', resolve));
  t.teardown(() => foreign.close());
  const content = await readFile(server.kubeconfigPath, 'utf8');
  const kubeconfig = join(t.testdir({}), 'kubeconfig');
  await writeFile(kubeconfig, content.replace(/:\d+"/, `:${(foreign.address() as AddressInfo).port}"`));
  const message = 'TLS: unsuitable certificate purpose';
  await t.rejects(get(await load(t, { kubeconfig })), { name: 'ConnectionError', message });
});

t.test('ApiClient names a missing credentials file, and reads it when it appears', async (t) => {
  const server = await startApiServer();
  t.teardown(() => server.close());
  const dir = t.testdir({});
  const late = join(dir, 'late');
  const { clientCert, clientKey } = server.certificates;
  const users = [
    { user: { tokenFile: late }, source: server.tokenPath },
    { user: { 'client-certificate': late, 'client-key': clientKey }, source: clientCert },
    { user: { 'client-certificate': clientCert, 'client-key': late }, source: clientKey },
  ];
  const message = `Cannot read credentials file "${late}": no such file or directory`;
  for (const { user, source } of users) {
    await rm(late, { force: true });
    await server.writeKubeconfig(join(dir, 'kubeconfig'), user);
    const client = await load(t, { kubeconfig: join(dir, 'kubeconfig') });
    await t.rejects(get(client), { name: 'ConnectionError', message });
    await cp(source, late);
    t.equal((await get(client)).status, 200, JSON.stringify(user));
  }
});

t.test('ApiClient supports plain HTTP and a path in the server URL', async (t) => {
  const urls: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    urls.push(request.url);
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.closeAllConnections());
  t.teardown(() => server.close());
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/cluster/one`;
  const kubeconfig = join(
    t.testdir({
      kubeconfig: `current-context: c
contexts: [{name: c, context: {cluster: k}}]
clusters: [{name: k, cluster: {server: "${address}/"}}]
`,
    }),
    'kubeconfig',
  );
  const client = await load(t, { kubeconfig });
  t.equal(client.server, address);
  t.strictSame(await get(client), { status: 200, body: '{}' });
  t.strictSame(urls, [`/cluster/one${PATH}`]);
});

t.test('ApiClient opens a new connection when the server has closed the persistent one', async (t) => {
  const server = await startApiServer();
  t.teardown(() => server.close());
  const client = await load(t, { kubeconfig: server.kubeconfigPath });
  t.equal((await get(client)).status, 200);
  server.cutConnections();
  t.equal((await get(client)).status, 200);
});

t.test('ApiClient cancels a request when its signal aborts', async (t) => {
  const server = await startApiServer();
  t.teardown(() => server.close());
  const kubeconfig = join(t.testdir({}), 'kubeconfig');
  const hanging = { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'sleep', args: ['1'] } };
  server.injectFault({ action: 'hang', times: 2 });
  for (const user of [{ token: 'first-token' }, hanging]) {
    await server.writeKubeconfig(kubeconfig, user);
    const client = await load(t, { kubeconfig });
    const controller = new AbortController();
    const request = client.request(PATH, controller.signal);
    setTimeout(() => controller.abort(new Error('enough')), 20);
    await t.rejects(request, { message: 'enough' });
    await t.rejects(client.request(PATH, controller.signal), { message: 'enough' }, 'aborted before the request');
  }
});

t.test('ApiClient connects to `master` with the credentials of the kubeconfig', async (t) => {
  const [named, master] = await Promise.all([startApiServer(), startApiServer()]);
  t.teardown(() => Promise.all([named.close(), master.close()]));
  const client = await load(t, { kubeconfig: named.kubeconfigPath, master: master.url });
  t.equal(client.server, master.url);
  await t.rejects(load(t, { kubeconfig: named.kubeconfigPath, master: 'ftp://x' }), /is not an http\(s\) URL/);
});

t.test('ApiClient reports every request, with or without a response', async (t) => {
  const server = await startApiServer();
  const outcomes: RequestOutcome[] = [];
  const client = await loadApiClient({ kubeconfig: server.kubeconfigPath }, (outcome) => outcomes.push(outcome));
  t.teardown(() => client.close());
  await get(client);
  server.injectFault({ action: 'answer', status: 503 });
  await get(client);
  await server.close();
  await t.rejects(get(client));
  const { host } = new URL(server.url);
  t.match(outcomes, [
    { method: 'GET', host, status: 200 },
    { method: 'GET', host, status: 503 },
    { method: 'GET', host, status: undefined },
  ]);
  t.ok(outcomes.every(({ durationMs }) => durationMs >= 0));
});
