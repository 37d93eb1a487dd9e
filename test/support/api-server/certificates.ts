// The CA and the server and client certificates of the test server.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const openssl = (args: readonly string[]) => run('openssl', args);

/** The paths of PEM files. */
export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly clientCert: string;
  readonly clientKey: string;
}

/** Creates them with openssl in an existing directory. `addresses` are the IP addresses of the server. */
export async function createCertificates(directory: string, addresses: readonly string[]): Promise<Certificates> {
  const file = (name: string) => join(directory, name);
  const ca = file('ca.crt');
  const caKey = file('ca.key');
  const names = ['DNS:localhost', ...addresses.map((address) => `IP:${address}`)].join(',');
  await openssl(
    selfSigned({ cert: ca, key: caKey, subject: '/CN=nftlane test CA', extension: 'keyUsage=keyCertSign' }),
  );
  const signed = ['-CA', ca, '-CAkey', caKey];
  const [cert, key] = [file('server.crt'), file('server.key')];
  const [clientCert, clientKey] = [file('client.crt'), file('client.key')];
  await Promise.all([
    openssl([...selfSigned({ cert, key, subject: '/CN=server', extension: `subjectAltName=${names}` }), ...signed]),
    openssl([
      ...selfSigned({
        cert: clientCert,
        key: clientKey,
        subject: '/CN=node',
        extension: 'extendedKeyUsage=clientAuth',
      }),
      ...signed,
    ]),
  ]);
  return { ca, cert, key, clientCert, clientKey };
}

interface Request {
  readonly cert: string;
  readonly key: string;
  readonly subject: string;
  readonly extension: string;
}

function selfSigned({ cert, key, subject, extension }: Request): string[] {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  return ['req', '-x509', ...curve, '-keyout', key, '-out', cert, '-subj', subject, '-days', '7', '-addext', extension];
}
