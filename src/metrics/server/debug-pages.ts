// The pages that kube-proxy serves on its metrics port.

import type { Metrics } from '../metrics.ts';
import { type PageHandler, type Pages, TEXT_PLAIN } from './debug-server.ts';
import { SharedPage } from './shared-page.ts';
import { type Program, statuszPage } from './statusz.ts';

interface PageOptions {
  readonly metrics: Pick<Metrics, 'print' | 'contentType'>;
  readonly program: Program;
  /** The effective configuration, as an object with `apiVersion` and `kind`. */
  readonly configuration: () => unknown;
}

/** `/healthz` only shows that the process responds; the health of the proxy is served on another port. */
export function debugPages({ metrics, program, configuration }: PageOptions): Pages {
  const printed = new SharedPage(() => metrics.print());
  const pages: Record<string, PageHandler> = {
    '/metrics': async () => ({ body: await printed.get(), type: metrics.contentType }),
    '/proxyMode': () => ({ type: TEXT_PLAIN, body: 'nftables' }),
    '/configz': () => ({
      type: 'application/json',
      body: JSON.stringify({ 'kubeproxy.config.k8s.io': configuration() }),
    }),
    '/healthz': ({ query }) => ({ type: TEXT_PLAIN, body: healthz(query) }),
    '/healthz/ping': () => ({ type: TEXT_PLAIN, body: 'ok' }),
  };
  const paths = [...Object.keys(pages), '/statusz'].sort();
  return { ...pages, '/statusz': statuszPage(program, paths) };
}

/** There is one check, `ping`. `?verbose` lists it, `?exclude=ping` excludes it. */
function healthz(query: URLSearchParams): string {
  if (!query.has('verbose')) return 'ok';
  const excluded = query.getAll('exclude');
  const unmatched = excluded.filter((name) => name !== 'ping').map((name) => JSON.stringify(name));
  const warning =
    unmatched.length === 0
      ? ''
      : `warn: some health checks cannot be excluded: no matches for ${unmatched.join(',')}\n`;
  return `[+]ping ${excluded.includes('ping') ? 'excluded: ' : ''}ok\n${warning}healthz check passed\n`;
}
