// Which endpoints are used on this node, and what shows it.
import { AGREEMENT, GRID, type Section, testsIn } from './statement.ts';

const select = testsIn('unit/services/model/select-backends.test.ts');
const read = testsIn('unit/services/objects/service.test.ts');
const engine = testsIn('unit/engine/engine.test.ts');
const ready = select('select() prefers ready backends, and falls back to draining ones');
const hints = select('select() narrows the choice by hints that are complete');
const local = select('select() never narrows the local list');
const answers = select('select() leaves nobody without an answer who could have one');

export const TOPOLOGY: Section = {
  name: 'topology',
  title: 'Which endpoints are used on this node',
  count: 14,
  statements: [
    {
      id: 'topology.1',
      text: 'Without endpoints there is nothing to choose, and nobody who could answer.',
      tests: [ready],
    },
    {
      id: 'topology.2',
      text: 'Hints for nodes go before hints for zones, and either counts only when every ready endpoint has one and one is for this place.',
      tests: [hints, select('select() narrows nothing without a zone')],
    },
    {
      id: 'topology.3',
      text: 'Clients that may use every endpoint get the ready ones that the hints admit, and never none because of hints.',
      tests: [hints, answers],
    },
    {
      id: 'topology.4',
      text: 'Where no endpoint is ready, those are used that still serve while they terminate, whatever their hints say.',
      tests: [ready, hints, GRID],
    },
    {
      id: 'topology.5',
      text: 'Endpoints of this node are listed by themselves only where a policy asks for that.',
      tests: [ready, testsIn('unit/services/model/frontends.test.ts')('wantsOf() follows policies and frontends')],
    },
    {
      id: 'topology.6',
      text: 'Somebody could answer when any endpoint anywhere is ready, or serves while it terminates.',
      tests: [answers],
    },
    {
      id: 'topology.7',
      text: 'The list of this node has its own fallback, and hints do not narrow it.',
      tests: [local, ready, GRID],
    },
    {
      id: 'topology.8',
      text: 'Where only endpoints of this node may be used and there are some elsewhere, clients are dropped and not refused.',
      tests: [
        testsIn('unit/nftables/compile/compile-service.test.ts')('compileService() gives the elements of a Service'),
        GRID,
      ],
    },
    {
      id: 'topology.9',
      text: 'An endpoint can be reached when either list has it.',
      tests: [select('whyBackend() says used of those that are, and only of those'), AGREEMENT],
    },
    {
      id: 'topology.10',
      text: 'An endpoint that is not ready and does not terminate is never used, though it may serve.',
      tests: [ready, select('whyBackend() says why a backend is used, or is not'), GRID],
    },
    {
      id: 'topology.11',
      text: '`trafficDistribution` and its like are not read: they act through hints.',
      tests: [read('readService() pays no heed to fields that others act on')],
    },
    { id: 'topology.12', text: 'The examples of hints for zones and nodes come out as they have to.', tests: [hints] },
    {
      id: 'topology.13',
      text: "Another zone of this node changes every Service's choice at once.",
      tests: [engine('Engine follows the zone and the addresses of its node')],
      improvements: [
        {
          kubeProxy:
            'Every sync evaluates all Services; here an event concerns its own Service, and another zone each Service once.',
          test: engine('Engine looks only at Services that an event concerns'),
        },
      ],
    },
    {
      id: 'topology.14',
      text: 'Hints for nodes are always heeded.',
      tests: [hints],
      untested: 'The switch that once turned this off is locked, so there is none here.',
    },
  ],
};
