// Tests of src/conntrack/conntrack-entry.ts.

import t from 'tap';
import { type ConntrackEntry, parseEntry } from '../../../src/conntrack/conntrack-entry.ts';

const ORIGINAL = 'src=10.0.0.1 dst=10.96.0.1 sport=1000 dport=53';
const REPLY = 'src=10.1.0.1 dst=10.0.0.1 sport=8053 dport=1001';
const FLOW = {
  family: 'ip',
  original: { source: '10.0.0.1', sourcePort: 1000, destination: '10.96.0.1', destinationPort: 53 },
  reply: { source: '10.1.0.1', sourcePort: 8053, destination: '10.0.0.1', destinationPort: 1001 },
} as const;
const ENTRY: ConntrackEntry = { ...FLOW, protocol: 'udp' };

t.test('parseEntry() reads UDP flows and attempts to open TCP connections, and nothing else', async (t) => {
  const cases: { line: string; expected: ConntrackEntry | undefined }[] = [
    { line: `udp      17 27 ${ORIGINAL} ${REPLY} [ASSURED] mark=0 use=1`, expected: ENTRY },
    { line: `udp      17 27 ${ORIGINAL} [UNREPLIED] ${REPLY} mark=16384 use=1`, expected: ENTRY },
    { line: `udp      17 27 ${ORIGINAL} packets=1 bytes=2 ${REPLY} packets=3 bytes=4 mark=0 use=1`, expected: ENTRY },
    { line: `udp      17 27 ${ORIGINAL} [UNREPLIED] ${REPLY}`, expected: ENTRY },
    {
      line: 'udp      17 29 src=fd00::1 dst=fd00:30::a sport=1000 dport=53 src=fd00:1::1 dst=fd00::1 sport=53 dport=1000 use=1',
      expected: {
        family: 'ip6',
        protocol: 'udp',
        original: { source: 'fd00::1', sourcePort: 1000, destination: 'fd00:30::a', destinationPort: 53 },
        reply: { source: 'fd00:1::1', sourcePort: 53, destination: 'fd00::1', destinationPort: 1000 },
      },
    },
    { line: `udp      17 27 ${ORIGINAL} ${REPLY} mark=0 zone=1 use=1`, expected: undefined },
    { line: `udp      17 27 ${ORIGINAL} zone-orig=1 ${REPLY} mark=0 use=1`, expected: undefined },
    { line: `udp      17 27 ${ORIGINAL} ${REPLY} zone-reply=1 mark=0 use=1`, expected: undefined },
    ...['ESTABLISHED', 'SYN_RECV', 'SYN_SENT2', 'CLOSE_WAIT', 'TIME_WAIT'].map((state) => ({
      line: `tcp      6 59 ${state} ${ORIGINAL} ${REPLY} mark=0 use=1`,
      expected: undefined,
    })),
    {
      line: `tcp      6 119 SYN_SENT ${ORIGINAL} [UNREPLIED] ${REPLY} mark=0 use=1`,
      expected: { ...FLOW, protocol: 'tcp', state: 'SYN_SENT' },
    },
    {
      line: `tcp      6 9 CLOSE ${ORIGINAL} ${REPLY} mark=0 use=1`,
      expected: { ...FLOW, protocol: 'tcp', state: 'CLOSE' },
    },
    { line: `udplite  136 27 ${ORIGINAL} ${REPLY} mark=0 use=1`, expected: undefined },
    { line: `udp      17 27 ${ORIGINAL}`, expected: undefined },
    { line: '', expected: undefined },
  ];
  for (const { line, expected } of cases) t.strictSame(parseEntry(line), expected, line);
});
