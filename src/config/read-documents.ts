// Parses a configuration file into its documents, at most one of each kind.

import { type Document, parseAllDocuments } from 'yaml';
import { errorMessage } from '../lib/error-message.ts';
import { asObject } from '../services/objects/read.ts';
import type { ConfigurationProblem } from './schema/configuration-error.ts';
import { formatValue } from './schema/decode.ts';
import { KUBE_PROXY_API_VERSION, KUBE_PROXY_KIND } from './schema/kube-proxy-schema.ts';
import { NFTLANE_API_VERSION, NFTLANE_KIND } from './schema/nftlane-schema.ts';

/** The parsed documents, not yet validated. */
interface ConfigurationDocuments {
  readonly kubeProxy: object | undefined;
  readonly nftlane: object | undefined;
  /** Duplicate keys, of which the last one applies. */
  readonly warnings: readonly ConfigurationProblem[];
  /** Errors that make the file unusable. */
  readonly problems: readonly ConfigurationProblem[];
}

const KINDS = [
  { kind: KUBE_PROXY_KIND, apiVersion: KUBE_PROXY_API_VERSION, name: 'kubeProxy' },
  { kind: NFTLANE_KIND, apiVersion: NFTLANE_API_VERSION, name: 'nftlane' },
] as const;

/** Parses YAML or JSON. Empty documents are ignored; at least one document must not be empty. */
export function readDocuments(text: string): ConfigurationDocuments {
  const warnings: ConfigurationProblem[] = [];
  const problems: ConfigurationProblem[] = [];
  const found: { kubeProxy?: object; nftlane?: object } = {};
  // The library would write warnings to standard error.
  const documents = parseAllDocuments(text, { logLevel: 'error' }) as readonly Document.Parsed[];
  for (const document of documents) {
    const errors = document.errors.filter(({ code }) => code !== 'DUPLICATE_KEY');
    problems.push(...errors.map(({ message }) => ({ path: '', reason: firstLine(message) })));
    warnings.push(...document.errors.filter((error) => !errors.includes(error)).map(duplicateKeyWarning));
    if (errors.length > 0) continue;
    let value: unknown;
    try {
      value = document.toJS();
    } catch (error) {
      // Aliases without an anchor, aliases that expand without limit, and merges of something else than a map.
      problems.push({ path: '', reason: firstLine(errorMessage(error)) });
      continue;
    }
    if (value === null || value === undefined) continue;
    const entry = documentKind(value);
    if (typeof entry === 'string') problems.push({ path: '', reason: entry });
    else if (found[entry.name] !== undefined) problems.push({ path: entry.kind, reason: 'duplicate document' });
    else found[entry.name] = value;
  }
  const isEmpty = Object.keys(found).length === 0 && problems.length === 0;
  if (isEmpty) problems.push({ path: '', reason: 'no configuration document' });
  return { kubeProxy: found.kubeProxy, nftlane: found.nftlane, warnings, problems };
}

function documentKind(value: unknown): (typeof KINDS)[number] | string {
  const { apiVersion, kind } = asObject(value);
  const known = KINDS.find((entry) => entry.kind === kind);
  const expected = KINDS.map((entry) => `${entry.kind} (${entry.apiVersion})`).join(' or ');
  if (kind === undefined) return `missing kind; must be ${expected}`;
  if (known === undefined) return `unknown kind ${formatValue(kind)}; must be ${expected}`;
  if (known.apiVersion !== apiVersion)
    return `unknown apiVersion ${formatValue(apiVersion)} of ${known.kind}; must be ${known.apiVersion}`;
  return known;
}

function duplicateKeyWarning({ message }: { message: string }): ConfigurationProblem {
  return { path: '', reason: `${firstLine(message)}; the last one applies` };
}

/** Without the source excerpt that the parser appends. */
function firstLine(message: string): string {
  return (message.split('\n')[0] ?? '').replace(/:$/, '');
}
