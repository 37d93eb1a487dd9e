// Which flows are forgotten, and what shows it.
import { type Section, testsIn } from './statement.ts';

const cleaner = testsIn('unit/conntrack/flow-cleaner.test.ts');
const stale = testsIn('unit/conntrack/stale-flows.test.ts');
const targets = testsIn('unit/conntrack/udp-frontends.test.ts');
const program = testsIn('unit/conntrack/conntrack.test.ts');
const setting = testsIn('unit/host/sysctl/sysctl.test.ts');
const flows = testsIn('integration/nft/conntrack.test.ts');

export const CONNTRACK: Section = {
  name: 'conntrack',
  title: 'Which flows are forgotten',
  count: 18,
  statements: [
    {
      id: 'conntrack.1',
      text: 'Stale UDP flows are removed after a sync that succeeded; TCP is never touched, and a restart touches nothing.',
      tests: [
        cleaner('FlowCleaner waits for the sync that succeeds'),
        flows('TCP connections stay where they are'),
        flows('a restart of the daemon touches nothing'),
        flows('a flow to a node port does not turn round when its former server is slow'),
      ],
      improvements: [
        {
          kubeProxy: 'A frontend that appears leaves flows that are older than itself without an answer.',
          test: flows('a flow that is older than its Service begins to work'),
        },
        {
          kubeProxy: 'So does a node port.',
          test: flows('a flow to a node port that is not one yet begins to work'),
        },
      ],
    },
    {
      id: 'conntrack.2',
      text: 'The UDP flows of a family are listed; when that fails, it is tried again, and said once.',
      tests: [
        program('Conntrack lists the UDP flows of a family'),
        cleaner('FlowCleaner tries again after a failure, and tells it once'),
      ],
    },
    {
      id: 'conntrack.3',
      text: 'A flow may go to every endpoint that answers, whatever policies and hints say, by every frontend of the port.',
      tests: [
        targets('udpTargets() lists every frontend of a UDP port'),
        targets('udpTargets() takes every endpoint that answers, wherever it is'),
      ],
    },
    {
      id: 'conntrack.4',
      text: 'A flow is stale when its frontend is known and who answers is none of its endpoints, and also when it was never translated.',
      tests: [stale('whyStale() says why'), stale('whyStale() leaves healthy flows and those of others alone')],
    },
    {
      id: 'conntrack.5',
      text: 'An endpoint is an address and a port: another port makes the flow stale.',
      tests: [stale('whyStale() says why')],
    },
    {
      id: 'conntrack.6',
      text: 'What is deleted is told by the whole tuple, or by what several stale flows share; what is gone already counts.',
      tests: [
        program('Conntrack deletes a lone flow by its tuple, several by what they share, and counts'),
        program('Conntrack takes flows that are gone already for deleted'),
        stale('StaleFlows judges 50,000 lines in much less than a second'),
      ],
    },
    {
      id: 'conntrack.7',
      text: 'Each removal is told with its reason and its count.',
      tests: [cleaner('FlowCleaner removes the flows of a lost endpoint, and says so once')],
      untested: 'What is counted for scrapers is a matter of the metrics.',
    },
    {
      id: 'conntrack.8',
      text: 'A flow leaves an endpoint that was removed, within a second and on the same socket.',
      tests: [flows('a flow leaves an endpoint that was removed, on the same socket')],
      untested: 'Zones of conntrack are not looked at, as in kube-proxy.',
      improvements: [
        {
          kubeProxy: 'Flows to the number of a node port lose their entry wherever they go.',
          test: flows('a flow to a node port moves; others to the same port stay as they are'),
        },
        {
          kubeProxy: 'Endpoints that are ready by publishNotReadyAddresses alone count as gone.',
          test: targets('udpTargets() takes every endpoint that answers, wherever it is'),
        },
        {
          kubeProxy: 'A Service that lost its last endpoint keeps its flows, which go nowhere.',
          test: flows('a flow is refused when there is no endpoint, and answered when there is one again'),
        },
        {
          kubeProxy: 'A deleted Service keeps its flows.',
          test: flows('the entries of a deleted Service go with it'),
        },
        {
          kubeProxy: 'That flows need a look is forgotten with a failed sync.',
          test: cleaner('FlowCleaner waits for the sync that succeeds'),
        },
      ],
    },
    {
      id: 'conntrack.9',
      text: 'The table of flows gets so many entries for each processor, within a least and a largest number.',
      tests: [setting('the size of the table'), setting('defaults set what kube-proxy sets, and nothing else')],
    },
    {
      id: 'conntrack.10',
      text: 'It gets a bucket for every four entries, and keeps more where it has them.',
      tests: [
        setting('defaults set what kube-proxy sets, and nothing else'),
        setting('what is right already is not written, and a larger hash table stays'),
      ],
    },
    {
      id: 'conntrack.11',
      text: 'An idle TCP connection is known for a day, or as long as is wished.',
      tests: [
        setting('defaults set what kube-proxy sets, and nothing else'),
        setting('everything can be set; seconds are whole ones'),
      ],
    },
    {
      id: 'conntrack.12',
      text: 'A half closed TCP connection is known for an hour, or as long as is wished.',
      tests: [
        setting('defaults set what kube-proxy sets, and nothing else'),
        setting('everything can be set; seconds are whole ones'),
      ],
    },
    {
      id: 'conntrack.13',
      text: 'The kernel can be told to let segments outside of the window pass, and is never told to stop that.',
      tests: [
        setting('everything can be set; seconds are whole ones'),
        setting('defaults set what kube-proxy sets, and nothing else'),
      ],
    },
    {
      id: 'conntrack.14',
      text: 'How long a UDP flow is known is left to the kernel, unless it is said.',
      tests: [
        setting('defaults set what kube-proxy sets, and nothing else'),
        setting('everything can be set; seconds are whole ones'),
      ],
    },
    {
      id: 'conntrack.15',
      text: 'How long a UDP flow in both directions is known is left to the kernel, unless it is said.',
      tests: [
        setting('defaults set what kube-proxy sets, and nothing else'),
        setting('everything can be set; seconds are whole ones'),
      ],
    },
    {
      id: 'conntrack.16',
      text: 'Seconds are whole ones, rounded down.',
      tests: [setting('everything can be set; seconds are whole ones')],
      untested: 'How many processors there are is what the runtime counts.',
    },
    {
      id: 'conntrack.17',
      text: 'Without a number for each processor, the table stays as it is.',
      tests: [setting('the size of the table')],
    },
    {
      id: 'conntrack.18',
      text: 'No other setting of the kernel is touched: not forwarding, not loopback routing, not those of bridges or of IPVS.',
      tests: [setting('defaults set what kube-proxy sets, and nothing else')],
    },
  ],
};
