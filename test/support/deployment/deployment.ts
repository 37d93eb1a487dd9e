// The objects that manifests/ deploys, for tests.

import { fileURLToPath } from 'node:url';
import { kustomize, nameOf } from './kustomize.ts';
import type { ApiObject } from './merge.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Every directory with a kustomization. */
export const OVERLAYS = ['base', 'fastpath', 'kind', 'migrate'];

export interface Container {
  readonly image: string;
  readonly args: readonly string[];
  readonly name: string;
  readonly securityContext: {
    readonly privileged: boolean;
    readonly allowPrivilegeEscalation?: boolean;
    readonly readOnlyRootFilesystem: boolean;
    readonly capabilities?: { readonly add: readonly string[]; readonly drop: readonly string[] };
  };
  readonly env: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: { readonly configMapKeyRef?: { readonly name: string } };
  }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
  readonly livenessProbe: { readonly httpGet: { readonly port: number } };
  readonly readinessProbe: { readonly httpGet: { readonly port: number } };
}

export interface Pod {
  readonly serviceAccountName: string;
  readonly initContainers: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes: readonly {
    readonly name: string;
    readonly configMap?: { readonly name: string };
    readonly hostPath?: { readonly path: string };
  }[];
}

/** The objects of a directory of manifests/. */
export function renderOverlay(overlay: string): ApiObject[] {
  return kustomize(`${ROOT}manifests/${overlay}`);
}

/** The object of this kind and name. Throws if there is none. */
export function findObject(objects: readonly ApiObject[], kind: string, name = 'nftlane'): ApiObject {
  const found = objects.find((object) => object['kind'] === kind && nameOf(object) === name);
  if (found === undefined) throw new Error(`Cannot find ${kind} "${name}"`);
  return found;
}

/** The pod template of the DaemonSet. */
export function podOf(objects: readonly ApiObject[]): Pod {
  const { template } = findObject(objects, 'DaemonSet')['spec'] as { template: { spec: Pod } };
  return template.spec;
}

/** The data of the ConfigMap. */
export function configOf(objects: readonly ApiObject[]): Record<string, string> {
  return findObject(objects, 'ConfigMap')['data'] as Record<string, string>;
}
