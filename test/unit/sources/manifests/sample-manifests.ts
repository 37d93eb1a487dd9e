// Minimal manifests for tests.

/** A Service as one line of YAML that is JSON as well. */
export function service(name: string, port = 80): string {
  const spec = { clusterIP: '10.96.0.1', ports: [{ port }] };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec });
}

/** The same for an EndpointSlice of a Service. */
export function slice(name: string, of: string): string {
  const metadata = { name, labels: { 'kubernetes.io/service-name': of } };
  const endpoints = [{ addresses: ['10.1.0.1'] }];
  const body = { metadata, addressType: 'IPv4', ports: [{ port: 8080 }], endpoints };
  return JSON.stringify({ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', ...body });
}

/** Several documents as one YAML file. */
export function yaml(...documents: readonly string[]): string {
  return documents.map((document) => `---\n${document}\n`).join('');
}

/** Truncated YAML. */
export const BROKEN = 'apiVersion: v1\nkind: "Serv';
