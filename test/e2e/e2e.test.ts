// Runs the suite in the cluster that E2E_CLUSTER names: `netns`, which is created here, or an existing real one.

import t from 'tap';
import { createKubernetesCluster } from './kubernetes-cluster.ts';
import { createNetnsCluster } from './netns-cluster.ts';
import { suite } from './suite.ts';

t.setTimeout(1_200_000);
const { E2E_CLUSTER = 'netns', E2E_IMAGE = '' } = process.env;
const cluster = await (E2E_CLUSTER === 'netns' ? createNetnsCluster() : createKubernetesCluster(E2E_IMAGE));
t.teardown(() => cluster.close());
await suite(t, cluster);
