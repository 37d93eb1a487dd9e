// The kubeconfig of the test server.

import { readFile, writeFile } from 'node:fs/promises';

export interface KubeconfigContent {
  readonly server: string;
  /** The path of the CA certificate, which the kubeconfig includes. */
  readonly ca: string;
  /** The fields of the user, such as `token`. */
  readonly user: Readonly<Record<string, unknown>>;
}

export async function writeKubeconfig(path: string, { server, ca, user }: KubeconfigContent): Promise<void> {
  const authority = (await readFile(ca)).toString('base64');
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': authority } }],
    users: [{ name: 'test', user }],
  };
  await writeFile(path, JSON.stringify(kubeconfig, undefined, 2));
}
