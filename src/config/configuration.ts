// Combines configuration file, flags and defaults, and validates the result.

import { familyOf } from '../net/address.ts';
import { readDocuments } from './read-documents.ts';
import { ConfigurationError, type ConfigurationProblem } from './schema/configuration-error.ts';
import { decode } from './schema/decode.ts';
import { ineffectiveGates } from './schema/feature-gates.ts';
import { fillDefaults } from './schema/field.ts';
import {
  KUBE_PROXY_API_VERSION,
  KUBE_PROXY_KIND,
  KUBE_PROXY_SCHEMA,
  type KubeProxyConfiguration,
  type KubeProxyDocument,
} from './schema/kube-proxy-schema.ts';
import {
  NFTLANE_API_VERSION,
  NFTLANE_KIND,
  NFTLANE_SCHEMA,
  type NftlaneConfiguration,
  type NftlaneDocument,
} from './schema/nftlane-schema.ts';
import { validateKubeProxy } from './schema/validate-kube-proxy.ts';
import { validateNftlane } from './schema/validate-nftlane.ts';

/** A field set by a flag. */
export interface FlagValue {
  /** With dashes: `--cluster-cidr`. */
  readonly flag: string;
  readonly kind: typeof KUBE_PROXY_KIND | typeof NFTLANE_KIND;
  /** Path of the field in its document. */
  readonly path: readonly string[];
  readonly value: unknown;
}

/** Both documents, complete and validated. */
export interface Configuration {
  readonly kubeProxy: KubeProxyConfiguration;
  readonly nftlane: NftlaneConfiguration;
  /** Unknown fields, duplicate keys and feature gates without effect. */
  readonly warnings: readonly ConfigurationProblem[];
  /** Flags that override a field of the file. */
  readonly overridingFlags: readonly string[];
}

interface ConfigurationInput {
  /** Text and path of the configuration file, if any. */
  readonly file?: { readonly path: string; readonly text: string } | undefined;
  readonly flags: readonly FlagValue[];
}

/** Combines file, flags and defaults. Throws a {@link ConfigurationError} that lists all problems. */
export function readConfiguration({ file, flags }: ConfigurationInput): Configuration {
  const documents = file === undefined ? NO_DOCUMENTS : readDocuments(file.text);
  const kubeProxy = applyFlags(documents.kubeProxy ?? EMPTY_DOCUMENTS[KUBE_PROXY_KIND], flags, KUBE_PROXY_KIND);
  const nftlane = applyFlags(documents.nftlane ?? EMPTY_DOCUMENTS[NFTLANE_KIND], flags, NFTLANE_KIND);
  const decodedKubeProxy = decode(KUBE_PROXY_SCHEMA, kubeProxy.document, KUBE_PROXY_KIND);
  const decodedNftlane = decode(NFTLANE_SCHEMA, nftlane.document, NFTLANE_KIND);
  const complete = {
    kubeProxy: withKubeProxyDefaults(decodedKubeProxy.value, flags),
    nftlane: withNftlaneDefaults(decodedNftlane.value),
  };
  const invalid = [...decodedKubeProxy.invalid, ...decodedNftlane.invalid];
  // An invalid field has been replaced by its default, which must not be reported again.
  const semanticProblems = [...validateKubeProxy(complete.kubeProxy), ...validateNftlane(complete)].filter(
    ({ path }) => !invalid.some((other) => other.path === path),
  );
  const problems = attributeToFlags([...documents.problems, ...invalid, ...semanticProblems], flags);
  if (problems.length > 0) throw configurationError(file?.path, problems, flags);
  const gates = ineffectiveGates(complete.kubeProxy.featureGates).map(([name, reason]) => ({
    path: `${KUBE_PROXY_KIND}.featureGates.${name}`,
    reason,
  }));
  const warnings = [...documents.warnings, ...decodedKubeProxy.unknown, ...decodedNftlane.unknown, ...gates];
  const overridden = file === undefined ? [] : [...kubeProxy.overridden, ...nftlane.overridden];
  return { ...complete, warnings, overridingFlags: overridden };
}

const NO_DOCUMENTS = { kubeProxy: undefined, nftlane: undefined, warnings: [], problems: [] };

const EMPTY_DOCUMENTS = {
  [KUBE_PROXY_KIND]: { apiVersion: KUBE_PROXY_API_VERSION, kind: KUBE_PROXY_KIND },
  [NFTLANE_KIND]: { apiVersion: NFTLANE_API_VERSION, kind: NFTLANE_KIND },
};

type Json = Record<string, unknown>;

/** A document with the fields set by flags, and the flags that override a different value. */
function applyFlags(document: object, flags: readonly FlagValue[], kind: FlagValue['kind']) {
  const copy = structuredClone(document) as Json;
  const overridden: string[] = [];
  for (const { flag, path, value } of flags.filter((entry) => entry.kind === kind)) {
    const previous = setField(copy, path, value);
    if (previous !== undefined && JSON.stringify(previous) !== JSON.stringify(value)) overridden.push(flag);
  }
  return { document: copy, overridden };
}

/** Sets a field and returns its previous value. */
function setField(document: Json, path: readonly string[], value: unknown): unknown {
  let parent = document;
  for (const key of path.slice(0, -1)) {
    const next = parent[key];
    const inner = typeof next === 'object' && next !== null ? (next as Json) : {};
    parent[key] = inner;
    parent = inner;
  }
  const last = path.at(-1) ?? '';
  const previous = parent[last];
  parent[last] = value;
  return previous ?? undefined;
}

/** Unlike a zero in the file, a zero from a flag is kept. */
function withKubeProxyDefaults(file: KubeProxyDocument, flags: readonly FlagValue[]): KubeProxyConfiguration {
  const filled = fillDefaults(KUBE_PROXY_SCHEMA, file, { zeroIsAbsent: true });
  const zeros = flags.filter(
    ({ kind, value }) => kind === KUBE_PROXY_KIND && /^0(?:ns|us|ms|s|m|h)?$/.test(String(value)),
  );
  for (const { path, value } of zeros) setField(filled, path, value);
  const complete = { ...EMPTY_DOCUMENTS[KUBE_PROXY_KIND], ...filled } as unknown as KubeProxyConfiguration;
  return withServerAddresses(complete, file);
}

/** The family of `bindAddress` selects the default address of the servers. */
function withServerAddresses(complete: KubeProxyConfiguration, file: KubeProxyDocument): KubeProxyConfiguration {
  if (familyOf(complete.bindAddress) === 'ip') return complete;
  return {
    ...complete,
    healthzBindAddress: file.healthzBindAddress || '[::]:10256',
    metricsBindAddress: file.metricsBindAddress || '[::1]:10249',
  };
}

function withNftlaneDefaults(file: NftlaneDocument): NftlaneConfiguration {
  const filled = fillDefaults(NFTLANE_SCHEMA, file, { zeroIsAbsent: false });
  return { ...EMPTY_DOCUMENTS[NFTLANE_KIND], ...filled } as unknown as NftlaneConfiguration;
}

/** Replaces the path of a field that a flag set with the name of the flag. */
function attributeToFlags(
  problems: readonly ConfigurationProblem[],
  flags: readonly FlagValue[],
): ConfigurationProblem[] {
  return problems.map((problem) => {
    const flag = flags.find(({ kind, path }) => {
      const text = [kind, ...path].join('.');
      return problem.path === text || problem.path.startsWith(`${text}[`) || problem.path.startsWith(`${text}.`);
    });
    return flag === undefined ? problem : { path: flag.flag, reason: problem.reason };
  });
}

function configurationError(
  path: string | undefined,
  problems: readonly ConfigurationProblem[],
  flags: readonly FlagValue[],
) {
  const names = new Set(flags.map(({ flag }) => flag));
  const byFlags = path === undefined || problems.every((problem) => names.has(problem.path));
  return new ConfigurationError(byFlags ? 'the command line' : `configuration "${path}"`, problems, {
    kind: byFlags ? 'usage' : 'input',
  });
}
