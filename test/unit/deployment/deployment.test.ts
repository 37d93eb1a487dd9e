// Tests that the manifests grant exactly what the program needs and that each overlay fits its base.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadYaml } from '@kubernetes/client-node';
import t from 'tap';
import { stringify } from 'yaml';
import { parseAddressPort } from '../../../src/net/address-port.ts';
import { KINDS } from '../../../src/services/objects/kinds.ts';
import { configOf, findObject, OVERLAYS, podOf, renderOverlay } from '../../support/deployment/deployment.ts';
import { documents, nameOf } from '../../support/deployment/kustomize.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

t.test('the role allows watching the needed kinds and writing Events, and nothing else', async (t) => {
  const watched = Object.values(KINDS).map(({ path }) => {
    const [, , group = '', resource = ''] = /^\/(api|apis\/([^/]+))\/[^/]+\/([^/]+)$/.exec(path) ?? [];
    return `${group}/${resource}: list, watch`;
  });
  const rules = findObject(renderOverlay('base'), 'ClusterRole')['rules'] as Rule[];
  const granted = rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) => resources.map((resource) => `${group}/${resource}: ${verbs.join(', ')}`)),
  );
  t.strictSame(granted.sort(), [...watched, 'events.k8s.io/events: create, patch'].sort());
  const binding = findObject(renderOverlay('base'), 'ClusterRoleBinding');
  t.match(binding, { roleRef: { name: 'nftlane' }, subjects: [{ name: 'nftlane', namespace: 'kube-system' }] });
});

for (const overlay of OVERLAYS) {
  t.test(`${overlay}: every field exists in the Kubernetes API`, async (t) => {
    for (const object of renderOverlay(overlay)) {
      // The client drops fields that are not in the schema of the API.
      const known = JSON.parse(JSON.stringify(loadYaml(stringify(object, { aliasDuplicateObjects: false }))));
      t.strictSame(known, object, `${object['kind']} ${nameOf(object)}`);
    }
  });

  t.test(`${overlay}: all references resolve`, async (t) => {
    const objects = renderOverlay(overlay);
    const { serviceAccountName, initContainers, containers, volumes } = podOf(objects);
    t.ok(findObject(objects, 'ServiceAccount', serviceAccountName));
    const configMaps = volumes.flatMap(({ configMap }) => (configMap === undefined ? [] : [configMap.name]));
    // The migration uses kube-proxy's ConfigMap, which exists in the cluster.
    t.strictSame(configMaps, [overlay === 'migrate' ? 'kube-proxy' : 'nftlane']);
    const mounted = [...initContainers, ...containers].flatMap(({ volumeMounts }) => volumeMounts);
    const names = volumes.map(({ name }) => name);
    t.strictSame([...new Set(mounted.map(({ name }) => name))].sort(), [...names].sort(), 'volumes and mounts');
    for (const { env } of [...initContainers, ...containers]) {
      for (const { valueFrom } of env) t.ok((valueFrom?.configMapKeyRef?.name ?? 'nftlane') === 'nftlane');
    }
    const kinds = objects.map((object) => `${object['apiVersion']} ${object['kind']} ${nameOf(object)}`);
    t.equal(new Set(kinds).size, kinds.length, 'objects are unique');
  });

  t.test(`${overlay}: only the init container that sets sysctls is privileged`, async (t) => {
    const { initContainers, containers } = podOf(renderOverlay(overlay));
    t.equal(initContainers.length, 1);
    t.ok(initContainers[0]?.args.includes('--init-only'));
    t.match(initContainers, [{ securityContext: { privileged: true, readOnlyRootFilesystem: true } }]);
    const more = { base: [], kind: [], fastpath: ['BPF', 'PERFMON'], migrate: ['NET_RAW'] }[overlay] ?? [];
    t.strictSame(
      containers.map(({ securityContext }) => securityContext),
      [
        {
          privileged: false,
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'], add: ['NET_ADMIN', ...more] },
        },
      ],
    );
  });

  t.test(
    `${overlay}: probes use the port of the health server, and the image has the version of this project`,
    async (t) => {
      const objects = renderOverlay(overlay);
      const { initContainers, containers } = podOf(objects);
      const [kubeProxy] = documents(configOf(objects)['config.yaml'] ?? '');
      const port = parseAddressPort(String(kubeProxy?.['healthzBindAddress']), 0)?.port;
      t.match(containers, [{ livenessProbe: { httpGet: { port } }, readinessProbe: { httpGet: { port } } }]);
      const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8'));
      const images = new Set([...initContainers, ...containers].map(({ image }) => image));
      t.strictSame([...images], [`nftlane:${version}`]);
    },
  );
}

t.test('the configurations of the overlays differ only in their purpose', async (t) => {
  const [base, fastpath, kind] = ['base', 'fastpath', 'kind'].map((overlay) =>
    documents(configOf(renderOverlay(overlay))['config.yaml'] ?? ''),
  );
  t.strictSame(fastpath, [base?.[0], { ...base?.[1], fastPath: { mode: 'auto' } }]);
  const [cluster] = documents(readFileSync(`${ROOT}manifests/kind/cluster.yaml`, 'utf8'));
  const { podSubnet } = cluster?.['networking'] as { podSubnet: string };
  t.strictSame(kind, [{ ...base?.[0], clusterCIDR: podSubnet }]);
});

t.test('the migration runs either kube-proxy or nftlane on a node', async (t) => {
  const objects = renderOverlay('migrate');
  const [label, value] = ['nftlane.io/proxy', 'true'];
  t.match(findObject(objects, 'DaemonSet'), { spec: { template: { spec: { nodeSelector: { [label]: value } } } } });
  const { template } = findObject(objects, 'DaemonSet', 'kube-proxy')['spec'] as { template: ApiObject };
  const terms = [{ matchExpressions: [{ key: label, operator: 'NotIn', values: [value] }] }];
  const required = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } };
  t.strictSame(template, { spec: { affinity: { nodeAffinity: required } } });
});
