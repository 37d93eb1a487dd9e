// What a Service says, and what shows that it is heeded.
import { AGREEMENT, GRID, type Section, testsIn } from './statement.ts';

const read = testsIn('unit/services/objects/service.test.ts');
const frontends = testsIn('unit/services/model/frontends.test.ts');
const engine = testsIn('unit/engine/engine.test.ts');
const daemon = testsIn('unit/controller/sync-controller.test.ts');
const policies = testsIn('integration/nft/policies.test.ts');
const odd = testsIn('integration/nft/unusual-packets.test.ts');
const historied = testsIn('unit/engine/incremental.test.ts')(
  'Engine following changes ends where a new one would begin',
);

export const SERVICES: Section = {
  name: 'services',
  title: 'What a Service says',
  count: 21,
  statements: [
    {
      id: 'services.1',
      text: 'Each entry of the list of ports stands for itself, told from others by its name and protocol.',
      tests: [
        read('readService() reads ports'),
        testsIn('unit/services/model/service-port.test.ts')('modelService() models each port in each family'),
      ],
    },
    {
      id: 'services.2',
      text: 'A Service exists in a family when it has a cluster IP there, and in the other family nothing of it does.',
      tests: [
        read('readService() takes the cluster IP of each family'),
        frontends('frontendsOf() has nothing in a family without a cluster IP'),
        read('readService() goes on with the cluster IP that is well formed'),
      ],
    },
    {
      id: 'services.3',
      text: 'Addresses and blocks with leading zeros are read as decimal, and written in their canonical form.',
      tests: [
        testsIn('unit/net/address.test.ts')('parseAddress() gives the canonical form'),
        testsIn('unit/net/prefix.test.ts')('parsePrefix() clears host bits and gives the canonical form'),
      ],
    },
    {
      id: 'services.4',
      text: 'Only the fields that say how packets go are read, besides the age and our own annotations.',
      tests: [
        read('readService() pays no heed to fields that others act on'),
        engine('Engine does nothing for changes that mean nothing'),
      ],
    },
    {
      id: 'services.5',
      text: 'The type of a Service does not take away node ports or addresses that the object carries.',
      tests: [
        frontends('frontendsOf() lists addresses of the family and the node port'),
        frontends('frontendsOf() takes an address that is given twice once'),
        engine('Engine removes all of a Service that is no longer proxied, or loses its address'),
      ],
    },
    {
      id: 'services.6',
      text: 'External IPs of the family are dialled in the order given; empty ones are passed over, unusable ones reported.',
      tests: [read('readService() reads external IPs in order, once each'), GRID],
      untested:
        'There is no switch in the data plane that leaves external IPs out: admission decides who may set them.',
    },
    {
      id: 'services.7',
      text: 'Ingress addresses are proxied where ipMode is VIP or missing; with another mode the traffic leaves.',
      tests: [read('readService() reads ingress addresses whose traffic stays here'), GRID],
    },
    {
      id: 'services.8',
      text: 'Source ranges are trimmed and read one by one; a block of everything opens, and so does a list that is of no use in a family.',
      tests: [
        read('readService() reads source ranges'),
        read('rangesOf() says who may come in, family by family'),
        policies('a load balancer address lets in its source ranges'),
      ],
      improvements: [
        {
          kubeProxy:
            'A list with entries of the other family only leaves a family open; `--strict-source-ranges` closes it.',
          test: policies('strict source ranges close what cannot be read'),
        },
      ],
    },
    {
      id: 'services.9',
      text: 'Node port 0 is none.',
      tests: [read('readService() reads ports')],
      improvements: [
        {
          kubeProxy: 'Numbers that are no port are not checked.',
          test: read('readService() keeps a port whose node port cannot be used'),
        },
      ],
    },
    {
      id: 'services.10',
      text: 'TCP, UDP and SCTP are led alike; nothing listens on the ports of Services, and no kernel module is loaded for them.',
      tests: [odd('SCTP is led to endpoints, with the checksum put right, and no socket is opened for it'), AGREEMENT],
    },
    {
      id: 'services.11',
      text: 'Affinity is by client address, and lasts three hours unless the Service says how long.',
      tests: [policies('a client finds its endpoint again, however it dials')],
      improvements: [
        {
          kubeProxy: 'A Service that asks for affinity without its settings ends the process.',
          test: read('readService() reads session affinity'),
        },
      ],
    },
    {
      id: 'services.12',
      text: '`internalTrafficPolicy` is Local where exactly that is said, and otherwise Cluster.',
      tests: [read('readService() reads internalTrafficPolicy')],
    },
    {
      id: 'services.13',
      text: '`externalTrafficPolicy` counts for load balancers, node ports, and cluster IPs that have external addresses.',
      tests: [read('readService() heeds externalTrafficPolicy only where the type gives it a meaning')],
    },
    {
      id: 'services.14',
      text: 'A port can be dialled from outside when it has a node port, or an external or load balancer address in the family.',
      tests: [frontends('wantsOf() follows policies and frontends')],
    },
    {
      id: 'services.15',
      text: 'Which lists of endpoints a port needs follows from its policies and from whether it can be dialled from outside.',
      tests: [
        frontends('wantsOf() follows policies and frontends'),
        testsIn('unit/services/model/select-backends.test.ts')(
          'select() prefers ready backends, and falls back to draining ones',
        ),
      ],
    },
    {
      id: 'services.16',
      text: 'A port for health checks belongs to load balancers under externalTrafficPolicy Local; where it is missing, that is reported.',
      tests: [read('readService() reads the health check node port where it has a meaning')],
    },
    {
      id: 'services.17',
      text: 'A change that is taken back before it was carried out leaves nothing to do.',
      tests: [
        engine('Engine does nothing for changes that mean nothing'),
        testsIn('unit/nftables/plan/ledger.test.ts')('Ledger forgets a change that was taken back'),
      ],
    },
    {
      id: 'services.18',
      text: 'Every event leads to a look at what is to be done; when that is nothing, the kernel is not asked.',
      tests: [daemon('Daemon looks after every event, and asks nothing of the kernel when it meant nothing')],
    },
    {
      id: 'services.19',
      text: 'A changed Service leaves nothing of its former ports, addresses and policies behind.',
      tests: [
        historied,
        testsIn('integration/nft/ruleset.test.ts')('the kernel holds what the engine wants, after every history'),
      ],
    },
    {
      id: 'services.20',
      text: 'Of Services that claim the same frontend one has it, and the others are reported.',
      tests: [
        testsIn('unit/nftables/plan/frontend-claims.test.ts')(
          'Arbiter gives a frontend to the oldest, then to the first by name',
        ),
      ],
      improvements: [
        {
          kubeProxy:
            'Whoever is written last wins, and every sync may turn it round; here the oldest wins, and another takes over when it goes.',
          test: engine('Engine gives a frontend to the oldest Service, then to the first by name'),
        },
      ],
    },
    {
      id: 'services.21',
      text: 'The two families of a Service do not know of each other.',
      tests: [
        frontends('frontendsOf() has nothing in a family without a cluster IP'),
        testsIn('unit/nftables/compile/sets-and-maps.test.ts')('allObjects() has the same objects in both families'),
      ],
    },
  ],
};
