// Checks manifests without a kernel.

import { Engine } from '../engine/engine.ts';
import type { ProxyOptions } from '../nftables/compile/node-view.ts';
import type { ValidationIssue } from '../services/objects/validation-issue.ts';
import { deliverManifests } from '../sources/manifests/deliver-manifests.ts';
import { loadManifests } from '../sources/manifests/load-manifests.ts';

export interface LintResult {
  /** How many Services are valid. */
  readonly services: number;
  readonly issues: readonly ValidationIssue[];
  readonly conflicts: ReturnType<Engine['conflicts']>;
  readonly limited: ReturnType<Engine['limited']>;
  /** Why files or documents cannot be read. */
  readonly unreadable: readonly string[];
}

/** Everything that is wrong with the manifests of a file or directory, on a node with these options. */
export async function lintManifests(file: string, options: ProxyOptions): Promise<LintResult> {
  const manifests = await loadManifests(file);
  const engine = new Engine({ ...options, seesAllServices: true });
  deliverManifests(manifests.objects, engine);
  engine.compile();
  return {
    services: engine.store.services.size,
    issues: [...manifests.issues, ...engine.issues()],
    conflicts: engine.conflicts(),
    limited: engine.limited(),
    unreadable: manifests.errors.map(({ message }) => message),
  };
}
