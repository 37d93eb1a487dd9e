// The one class that is taken from the Kubernetes client: named here alone, so that a bundle leaves the rest of it out.
export { KubeConfig } from '@kubernetes/client-node/dist/config.js';
