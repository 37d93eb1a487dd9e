// What becomes of packets, and what shows it.
import { AGREEMENT, GRID, type Section, testsIn } from './statement.ts';

const chains = testsIn('unit/nftables/compile/static-chains.test.ts');
const fragment = testsIn('unit/nftables/compile/compile-service.test.ts');
const view = testsIn('unit/nftables/compile/node-view.test.ts');
const route = testsIn('unit/explain/services/resolve-flow.test.ts');
const agreement = testsIn('unit/explain/ruleset/agreement.test.ts');
const proxy = testsIn('integration/nft/proxy.test.ts');
const policies = testsIn('integration/nft/policies.test.ts');
const odd = testsIn('integration/nft/unusual-packets.test.ts');
const cases = route('route() says what becomes of a packet');
const marks = chains('staticChains() marks clients that are no pods');
const localPolicy = chains('staticChains() sends pods and this host past the Local policy, pods without a mark');
const nobodyIsPod = route('route() takes nobody for a pod where no block of pods is known');
const ranges = policies('a load balancer address lets in its source ranges');
const nodePorts = chains('staticChains() takes node ports where they belong');
const nodePortScope = testsIn('unit/services/model/node-port-addresses.test.ts');
const inBlocks = nodePortScope('resolveNodePorts() adds up keywords and blocks for each family');
const primary = nodePortScope('resolveNodePorts() uses the primary address, whether or not it is on an interface');
const detection = view('viewNode() tells pods by the first block of each family, or by their interface');
const clients = proxy('pods see pods as they are, and other clients as the node');
const hairpin = proxy('a pod reaches itself through its Service');

export const PACKETS: Section = {
  name: 'packets',
  title: 'What becomes of packets',
  count: 70,
  statements: [
    {
      id: 'packets.1',
      text: 'Only the first packet of a flow is looked at; a flow goes on as it began, whatever changes.',
      tests: [
        odd('a connection outlives the endpoint, the ranges and the policy that it was made under'),
        proxy('no connection is lost while endpoints come and go'),
        testsIn('integration/nft/conntrack.test.ts')('TCP connections stay where they are'),
      ],
    },
    {
      id: 'packets.2',
      text: 'Every endpoint has the same chance with every new flow; UDP draws by the address and port of the client.',
      tests: [proxy('backends get equal shares, whatever their number, and whichever way it was reached')],
      improvements: [
        {
          kubeProxy: 'Two first datagrams at once from one socket may get different endpoints.',
          test: odd(
            'two first datagrams at the very same time reach the same endpoint, and would not with a choice at random',
          ),
        },
      ],
    },
    {
      id: 'packets.3',
      text: 'What is refused ends as a refused connection for TCP and UDP, from outside, from pods and from the node itself.',
      tests: [proxy('a Service without endpoints refuses at once'), GRID],
    },
    {
      id: 'packets.4',
      text: 'A refusal of TCP is a reset, so the limit that the kernel has for ICMP does not make clients hang.',
      tests: [proxy('a Service without endpoints refuses at once')],
      improvements: [
        {
          kubeProxy: 'TCP is refused by ICMP, of which the kernel sends six at once and then one a second.',
          test: odd('thirty connections at once are all refused, though the kernel limits ICMP'),
        },
      ],
    },
    {
      id: 'packets.5',
      text: 'What is dropped gets no answer.',
      tests: [proxy('an address that no Service has is silent'), GRID],
    },
    {
      id: 'packets.6',
      text: 'A masqueraded client gets the address of the interface that its packet leaves by, and a random port.',
      tests: [clients, testsIn('unit/nftables/syntax/statement.test.ts')('printRule() writes every statement')],
    },
    {
      id: 'packets.7',
      text: 'One bit of the mark says that a packet is to be masqueraded; it is taken off again, and other bits stay.',
      tests: [chains('staticChains() takes its own mark off, and no other, before the source is translated'), marks],
    },
    {
      id: 'packets.8',
      text: 'A frontend is an exact address, protocol and port, wherever that address is; one of the node itself goes before a node port.',
      tests: [
        route('route() prefers an address that is dialled to a node port, even when it is one of the node'),
        AGREEMENT,
      ],
    },
    {
      id: 'packets.9',
      text: 'Source ranges come first, then addresses, then node ports.',
      tests: [
        chains('staticChains() closes guarded addresses to all clients outside their ranges, before translation'),
        route('route() prefers an address that is dialled to a node port, even when it is one of the node'),
      ],
    },
    {
      id: 'packets.10',
      text: 'Packets of pods, of clients outside and of processes of the node are all led.',
      tests: [proxy('clients, pods and processes of nodes reach a Service wherever it can be dialled'), GRID],
    },
    {
      id: 'packets.11',
      text: 'Other ports of an external address or of a load balancer address are left alone.',
      tests: [GRID, cases],
    },
    {
      id: 'packets.12',
      text: 'Whatever else goes to a cluster IP is refused, pings too, unless the address is one of the node.',
      tests: [odd('a cluster IP that is pinged refuses, unless the address is one of the node itself'), GRID],
    },
    {
      id: 'packets.13',
      text: 'With ClusterCIDR a pod is whoever has an address of the block.',
      tests: [marks, detection, GRID],
    },
    {
      id: 'packets.14',
      text: "With NodeCIDR a pod is whoever has an address of the node's own block.",
      tests: [detection, GRID],
    },
    {
      id: 'packets.15',
      text: 'With BridgeInterface a pod is whoever comes in by that interface, and no process of the node is.',
      tests: [marks, GRID],
    },
    {
      id: 'packets.16',
      text: 'With InterfaceNamePrefix a pod is whoever comes in by an interface with such a name, and no process of the node is.',
      tests: [marks, GRID],
    },
    {
      id: 'packets.17',
      text: 'Where no block is known for a family, nobody can be told to be a pod.',
      tests: [nobodyIsPod, marks],
    },
    { id: 'packets.18', text: 'The first block of each family counts.', tests: [detection] },
    {
      id: 'packets.19',
      text: 'Where nobody can be told to be a pod, cluster IPs masquerade nobody, and the Local policy has no way round for pods.',
      tests: [nobodyIsPod, localPolicy, AGREEMENT],
    },
    { id: 'packets.20', text: 'A pod reaches a cluster IP with its own address.', tests: [clients, GRID] },
    { id: 'packets.21', text: 'A process of the node reaches a cluster IP masqueraded.', tests: [clients, GRID] },
    { id: 'packets.22', text: 'A client outside reaches a cluster IP masqueraded.', tests: [clients, GRID] },
    { id: 'packets.23', text: 'An endpoint that is led to itself is masqueraded.', tests: [hairpin, GRID] },
    {
      id: 'packets.24',
      text: 'A cluster IP for which nobody could answer refuses.',
      tests: [proxy('a Service without endpoints refuses at once'), GRID],
    },
    {
      id: 'packets.25',
      text: 'Under internalTrafficPolicy Local a cluster IP drops where only other nodes have endpoints.',
      tests: [GRID, cases],
    },
    {
      id: 'packets.26',
      text: 'Where all endpoints terminate, a cluster IP leads to those that still serve.',
      tests: [GRID],
    },
    { id: 'packets.27', text: '`externalTrafficPolicy` means nothing for a cluster IP.', tests: [GRID, AGREEMENT] },
    { id: 'packets.28', text: 'Source ranges mean nothing for a cluster IP.', tests: [ranges, GRID] },
    {
      id: 'packets.29',
      text: 'A port that no Service defines at a cluster IP is refused.',
      tests: [proxy('a port that a Service does not have is refused'), GRID],
    },
    {
      id: 'packets.30',
      text: 'A cluster IP that is an address of the node itself is left to the node.',
      tests: [odd('a cluster IP that is pinged refuses, unless the address is one of the node itself'), AGREEMENT],
    },
    {
      id: 'packets.31',
      text: 'An address of a ServiceCIDR that no Service has is silent.',
      tests: [proxy('an address that no Service has is silent'), GRID],
      improvements: [
        {
          kubeProxy:
            'A changed ServiceCIDR counts at the next full sync, and a block that two objects have goes with the first of them.',
          test: testsIn('unit/engine/engine.test.ts')(
            'Engine follows every ServiceCIDR at once, and a block as long as one of them has it',
          ),
        },
      ],
    },
    {
      id: 'packets.32',
      text: 'Where no ServiceCIDR is known, such an address is left alone.',
      tests: [route('route() leaves addresses alone that no ServiceCIDR has, while none is known')],
    },
    {
      id: 'packets.33',
      text: 'The cluster IP of a Service that another proxy has is like one that nobody has.',
      tests: [route('route() drops what goes to a cluster IP of a Service that another proxy has')],
    },
    {
      id: 'packets.34',
      text: 'Under externalTrafficPolicy Cluster every client gets every endpoint that the hints admit, masqueraded.',
      tests: [GRID, cases],
    },
    {
      id: 'packets.35',
      text: 'An external frontend for which nobody could answer refuses, under Cluster.',
      tests: [GRID],
    },
    {
      id: 'packets.36',
      text: 'Under externalTrafficPolicy Local a pod gets every endpoint, and is seen as it is.',
      tests: [GRID, cases, localPolicy],
    },
    {
      id: 'packets.37',
      text: 'Under externalTrafficPolicy Local a process of the node gets every endpoint, masqueraded.',
      tests: [GRID, cases, localPolicy],
    },
    {
      id: 'packets.38',
      text: 'Under externalTrafficPolicy Local a client outside gets the endpoints of this node, and is seen as it is.',
      tests: [GRID, cases],
    },
    {
      id: 'packets.39',
      text: 'Under externalTrafficPolicy Local it is dropped where only other nodes have endpoints.',
      tests: [GRID],
    },
    {
      id: 'packets.40',
      text: 'Under externalTrafficPolicy Local it is refused where nobody could answer.',
      tests: [GRID],
    },
    {
      id: 'packets.41',
      text: 'Where nobody can be told to be a pod, a pod is a client outside, under Local.',
      tests: [nobodyIsPod, AGREEMENT],
    },
    {
      id: 'packets.42',
      text: 'A pod of another node is a client outside when pods are told by the interface, or by the block of the node.',
      tests: [GRID],
    },
    {
      id: 'packets.43',
      text: 'A pod of another node may use every endpoint when pods are told by the block of the cluster, and the answer comes back this way.',
      tests: [GRID, chains('staticChains() drops invalid segments of pods, and catches replies that would pass by')],
      improvements: [
        {
          kubeProxy: 'The answer of an endpoint of another node bypasses this one, and the connection hangs.',
          test: policies("a pod of another node reaches its own node's endpoint by this node's port"),
        },
      ],
    },
    {
      id: 'packets.44',
      text: 'Under Local it is first asked whether the client is a pod, then whether it is the node itself.',
      tests: [localPolicy],
    },
    { id: 'packets.45', text: 'Either policy counts on its own side alone.', tests: [GRID, AGREEMENT] },
    {
      id: 'packets.46',
      text: 'A Service may be Local inside and Cluster outside, and then leads clients outside to other nodes.',
      tests: [GRID, cases],
    },
    {
      id: 'packets.47',
      text: 'Source ranges count for load balancer addresses that have some, whether there are endpoints or not.',
      tests: [fragment('compileService() closes load balancer addresses to all but the ranges'), ranges],
    },
    {
      id: 'packets.48',
      text: 'Whoever is in no range is dropped before anything else, be it a client outside, a pod or a process of the node.',
      tests: [ranges, GRID],
    },
    {
      id: 'packets.49',
      text: 'Where the node is in a range, it may also come from the load balancer address itself.',
      tests: [
        agreement('a process that dials a load balancer address from that very address is let in where the node is'),
      ],
    },
    {
      id: 'packets.50',
      text: 'Otherwise a process of the node is let in by its own address, or not.',
      tests: [GRID, ranges],
    },
    {
      id: 'packets.51',
      text: 'Node ports, external IPs and cluster IPs have no source ranges.',
      tests: [ranges, GRID],
    },
    {
      id: 'packets.52',
      text: 'Ranges may overlap, and change while clients come.',
      tests: [ranges, policies('source ranges become wider and narrower, and nobody notices who is in both')],
    },
    {
      id: 'packets.53',
      text: 'A client outside of the ranges is dropped and not refused, although there is no endpoint.',
      tests: [route('route() drops clients outside of the source ranges although there is no endpoint'), GRID],
    },
    {
      id: 'packets.54',
      text: 'Node ports are taken at every address of the node but loopback, where the blocks are everything.',
      tests: [nodePorts, GRID],
    },
    {
      id: 'packets.55',
      text: "With blocks, node ports are taken at the node's addresses inside them, and never at loopback.",
      tests: [inBlocks, GRID],
      improvements: [
        {
          kubeProxy: 'Addresses that come and go are noticed at the next full sync, up to an hour later.',
          test: testsIn('unit/engine/incremental.test.ts')('Engine follows addresses of the host'),
        },
      ],
    },
    {
      id: 'packets.56',
      text: "With `primary`, node ports are taken at the Node's own address of each family.",
      tests: [inBlocks, GRID],
    },
    { id: 'packets.57', text: 'A family without a block of its own takes node ports everywhere.', tests: [inBlocks] },
    {
      id: 'packets.58',
      text: 'The address of the Node need not be on an interface.',
      tests: [nodePorts],
      improvements: [
        {
          kubeProxy: 'Where the address of the Node is on no interface, node ports work nowhere.',
          test: primary,
        },
      ],
    },
    { id: 'packets.59', text: 'At other addresses of the node, the port is an ordinary one.', tests: [GRID, cases] },
    { id: 'packets.60', text: 'Node ports are not taken at loopback.', tests: [GRID, nodePorts] },
    {
      id: 'packets.61',
      text: 'A node port without endpoints is refused where the packet ends, at this node.',
      tests: [GRID, AGREEMENT],
    },
    { id: 'packets.62', text: "A process that dials another node's port is left alone here.", tests: [cases] },
    {
      id: 'packets.63',
      text: 'Every endpoint of this node that can be reached is known as one that may reach itself.',
      tests: [fragment('compileService() gives the elements of a Service'), hairpin, GRID],
    },
    {
      id: 'packets.64',
      text: 'If all connections to cluster IPs are masqueraded, that is so for pods too, and for nothing else.',
      tests: [marks, GRID],
    },
    {
      id: 'packets.65',
      text: 'A client with affinity finds its endpoint again by every frontend of the Service port, as long as it comes often enough.',
      tests: [
        policies('a client finds its endpoint again, however it dials'),
        policies('a memory ends when it is not used, and lives on when it is'),
        policies('an endpoint of another node is not remembered where only those of this node may be used'),
      ],
      improvements: [
        {
          kubeProxy:
            'Each endpoint has a rule and a set of its own; here a Service port has two memories, whatever the number of endpoints.',
          test: testsIn('unit/nftables/compile/endpoint-chains.test.ts')(
            'led() looks into the memory before a slot is chosen',
          ),
        },
      ],
    },
    {
      id: 'packets.66',
      text: 'A memory goes with its endpoint, follows a changed timeout, ends with the affinity, and outlives a restart.',
      tests: [
        policies('a client whose endpoint has gone gets another one, and keeps that'),
        policies('another timeout holds at once, and without affinity nothing is left'),
        policies('a client finds its endpoint again, however it dials'),
      ],
    },
    {
      id: 'packets.67',
      text: 'A memory has room for 262,144 clients of the Service port; past that, new ones are not remembered.',
      tests: [
        testsIn('integration/nft/ruleset.test.ts')(
          'a memory has room for more clients than the kernel would give it by itself',
        ),
      ],
    },
    {
      id: 'packets.68',
      text: 'A segment that conntrack takes for invalid does not reset the connection.',
      tests: [chains('staticChains() drops invalid segments of pods, and catches replies that would pass by')],
      improvements: [
        {
          kubeProxy: 'Such a segment reaches the client from the address of the endpoint, and the connection is reset.',
          test: policies('a segment outside of its window does not reset the connection'),
        },
      ],
    },
    {
      id: 'packets.69',
      text: 'Nothing is let past the firewalls of others.',
      tests: [chains('staticChains() lets nothing past the firewalls of others')],
    },
    {
      id: 'packets.70',
      text: 'ICMP errors of endpoints reach their clients.',
      tests: [odd('an ICMP error of an endpoint reaches its client')],
    },
  ],
};
