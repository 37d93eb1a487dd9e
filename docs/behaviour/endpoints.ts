// What EndpointSlices say, and what shows that it is heeded.
import { type Section, testsIn } from './statement.ts';

const read = testsIn('unit/services/objects/endpoint-slice.test.ts');
const backends = testsIn('unit/services/model/backends.test.ts');
const engine = testsIn('unit/engine/engine.test.ts');
const store = testsIn('unit/engine/store.test.ts');
const health = testsIn('unit/health/local-endpoints.test.ts');
const cleaner = testsIn('unit/conntrack/flow-cleaner.test.ts');

export const ENDPOINTS: Section = {
  name: 'endpoints',
  title: 'What EndpointSlices say',
  count: 17,
  statements: [
    {
      id: 'endpoints.1',
      text: 'The slices of a Service are taken together; a port without a number is left out and reported.',
      tests: [
        backends('backendsOf() takes slice ports of the same name and protocol'),
        read('readEndpointSlice() leaves out ports that cannot be used, and no others'),
      ],
    },
    {
      id: 'endpoints.2',
      text: 'A port without a protocol is TCP.',
      tests: [read('readEndpointSlice() reads ports, TCP where no protocol is said')],
      improvements: [
        {
          kubeProxy: 'A port without a protocol ends the process.',
          test: read('readEndpointSlice() reads ports, TCP where no protocol is said'),
        },
      ],
    },
    {
      id: 'endpoints.3',
      text: 'A port of a slice belongs to the port of the Service with the same name and protocol, and to no other.',
      tests: [backends('backendsOf() takes slice ports of the same name and protocol')],
    },
    {
      id: 'endpoints.4',
      text: 'The first address of an endpoint counts, in its canonical form.',
      tests: [testsIn('integration/nft/proxy.test.ts')('an invalid object does not stop the others')],
      improvements: [
        {
          kubeProxy:
            'An address that is none makes the kernel refuse all Services of the family; here the endpoint is left out.',
          test: read('readEndpointSlice() uses the first address, and only one of its family'),
        },
      ],
    },
    {
      id: 'endpoints.5',
      text: 'An endpoint is ready and serving unless it says otherwise, and terminating only if it says so, each by itself.',
      tests: [read('readEndpointSlice() reads conditions: what is not said counts as ready and serving')],
    },
    {
      id: 'endpoints.6',
      text: "An endpoint is of this node when its node's name is exactly that of this node.",
      tests: [backends('backendsOf() knows which run on this node')],
    },
    {
      id: 'endpoints.7',
      text: 'Hints are names of zones and nodes; empty ones are none.',
      tests: [read('readEndpointSlice() reads the node and the hints')],
    },
    {
      id: 'endpoints.8',
      text: 'Of endpoints with the same address and port, one that does not terminate counts.',
      tests: [backends('backendsOf() does not depend on the order of slices, and names nobody twice')],
      improvements: [
        {
          kubeProxy: 'Which of two that are alike counts depends on the order of arrival.',
          test: backends('backendsOf() prefers what is not terminating, then the slice that sorts last'),
        },
      ],
    },
    {
      id: 'endpoints.9',
      text: 'One address with two ports is two endpoints.',
      tests: [backends('backendsOf() keeps one address with several ports apart')],
    },
    {
      id: 'endpoints.10',
      text: 'Endpoints are in the order of their text.',
      tests: [backends('backendsOf() takes slices of its family, and sorts by name as text')],
    },
    {
      id: 'endpoints.11',
      text: 'What changes nothing for packets sends nothing to the kernel.',
      tests: [testsIn('unit/engine/incremental.test.ts')('Engine does nothing when objects come again as they are')],
      improvements: [
        {
          kubeProxy: 'A change of the metadata alone writes the rules of the Service again.',
          test: engine('Engine does nothing when a slice changes in nothing but its metadata'),
        },
      ],
    },
    {
      id: 'endpoints.12',
      text: 'A slice that is unknown and goes, or comes again as it was, leads to no work.',
      tests: [
        store('Store remembers whom a change concerns, until it is asked'),
        testsIn('unit/controller/sync-controller.test.ts')(
          'Daemon looks after every event, and asks nothing of the kernel when it meant nothing',
        ),
      ],
    },
    {
      id: 'endpoints.13',
      text: 'Changes of several slices of a Service are taken together, so an endpoint that moves between them stays where it is.',
      tests: [
        engine('Engine leaves an endpoint where it is while it moves to another slice'),
        store('Store forgets whatever a complete list does not have'),
      ],
    },
    {
      id: 'endpoints.14',
      text: 'A slice belongs to the Service that its label names now.',
      tests: [store('Store drops a slice that is not for us any more')],
      improvements: [
        {
          kubeProxy: 'A slice whose label changes leaves its endpoints with the former Service until a restart.',
          test: store('Store moves a slice that now names another Service'),
        },
      ],
    },
    {
      id: 'endpoints.15',
      text: 'The time at which a change was triggered is read from its annotation.',
      tests: [read('readEndpointSlice() reads when the change was triggered')],
      untested: 'What is counted from it is a matter of the metrics.',
    },
    {
      id: 'endpoints.16',
      text: 'Load balancers are told how many addresses of this node have a ready endpoint, whatever is used for traffic.',
      tests: [
        health('localEndpoints() counts ready addresses of this node once'),
        health('localEndpoints() leaves out what terminates or is not ready'),
      ],
    },
    {
      id: 'endpoints.17',
      text: 'UDP flows are looked through only after a change of a Service that has UDP ports.',
      tests: [cleaner('FlowCleaner does nothing when no UDP Service changed')],
      improvements: [
        {
          kubeProxy: 'That flows need a look is forgotten when the sync fails.',
          test: testsIn('unit/conntrack/udp-frontend-tracker.test.ts')(
            'FlowBook remembers what only a failed sync wanted',
          ),
        },
      ],
    },
  ],
};
