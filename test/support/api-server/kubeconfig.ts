// The kubeconfig of a test server.
import { readFile, writeFile } from 'node:fs/promises';

export interface KubeconfigContent {
  readonly server: string;
  /** Path of the CA certificate, whose content goes into the file. */
  readonly ca: string;
  /** Fields of the user, e.g. `token`. */
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
