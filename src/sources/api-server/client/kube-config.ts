// The only class used from the Kubernetes client. A separate file, so that the bundle omits the rest of the library.

export { KubeConfig } from '@kubernetes/client-node/dist/config.js';
