// Tests of src/cli/output/print.ts, and that no printer of a command lets a name control the terminal.

import t from 'tap';
import { statusOfDaemon } from '../../../../src/admin/command-status.ts';
import { print, printJson, printWithStatus } from '../../../../src/cli/output/print.ts';
import { printDrift } from '../../../../src/engine/drift.ts';
import { printExplanation } from '../../../../src/explain/print-explanation.ts';
import { printServices } from '../../../../src/inspect/print-services.ts';
import { printRuleset } from '../../../../src/inspect/ruleset-view.ts';
import { daemonStatus } from '../../../support/builders/daemon-status.ts';

/** Clears the screen, changes the direction of text, and fakes a line of its own. */
const EVIL = 'web\u001b[2J\u202e\r\n# node n1; all is well\u009b\u2028';
const UNSAFE = /(?!\t)[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;

function check(test: { notMatch: typeof t.notMatch }, text: string, about: string): void {
  for (const line of text.split('\n')) {
    test.notMatch(line, UNSAFE, about);
    test.notMatch(line, /^\s*# node n1; all is well/, `${about}: no line of its own`);
  }
}

t.test('no printer lets a name control the terminal or fake a line', async (t) => {
  const frontend = { kind: 'cluster-ip', address: EVIL, policy: EVIL, destination: EVIL, connections: 0 } as const;
  const endpoint = { endpoint: EVIL, node: EVIL, used: true, missing: false, reason: EVIL } as const;
  const port = { name: EVIL, family: 'IPv4', protocol: EVIL, port: 1, topology: EVIL } as const;
  const endpoints = [{ ...endpoint, entries: [EVIL], slots: [0], share: 1, connections: 0 }];
  const addresses = { sourceRanges: { [EVIL]: [EVIL] }, nodePortAddresses: [EVIL] };
  const details = { internalTrafficPolicy: EVIL, externalTrafficPolicy: EVIL, ...addresses };
  const services = [
    { service: EVIL, type: EVIL, refused: EVIL, details, ports: [{ ...port, frontends: [frontend], endpoints }] },
  ];
  check(t, printServices(services), 'inspect services');
  const element = { key: EVIL, data: EVIL, comment: EVIL, packets: 0 };
  const objects = [{ family: 'ip', kind: 'map', name: 'service-ips', elements: [element] }] as const;
  check(t, printRuleset({ tables: [], objects, chains: [] }), 'inspect ruleset');
  const drift = { family: 'ip', object: EVIL, key: EVIL, desired: EVIL, installed: EVIL, service: EVIL } as const;
  check(t, printDrift([drift]), 'diff');
  const flow = { source: EVIL, sourcePort: 1, destination: EVIL, destinationPort: 1, inInterface: EVIL };
  const steps = [{ hook: 'forward', chain: EVIL, rule: EVIL, element: EVIL }] as const;
  const used = { endpoint: EVIL, node: EVIL, share: 1, masquerade: false, reason: EVIL };
  const explanation = {
    packet: { family: 'ip', protocol: 'TCP', ...flow },
    ...{ outcome: 'forward', service: EVIL, reason: EVIL, steps: [EVIL], endpoints: [used], differences: [EVIL] },
    kernel: { outcome: 'forward', destinations: [], steps, concerns: [EVIL] },
  } as never;
  check(t, printExplanation(explanation), 'explain');
});

/** What a function writes to standard output, which is also that of the test. */
function outputOf(write: () => void): string {
  const texts: string[] = [];
  const original = process.stdout.write;
  process.stdout.write = (text: string | Uint8Array) => texts.push(String(text)) > 0;
  try {
    write();
  } finally {
    process.stdout.write = original;
  }
  return texts.join('');
}

t.test('print(), printWithStatus() and printJson() escape what is left', async (t) => {
  const expected = 'web\\u001b[2J\\u202e\\u000d\n# node n1; all is well\\u009b\\u2028\n';
  t.equal(
    outputOf(() => print(EVIL)),
    expected,
    'line feeds are ours',
  );
  const status = statusOfDaemon(daemonStatus({ node: EVIL, source: { name: EVIL, resources: [], problems: [] } }));
  const text = outputOf(() => printWithStatus(status, ''));
  t.equal(text.trimEnd().split('\n').length, 1);
  check(t, text, 'the first line');
  const json = outputOf(() => printJson({ name: EVIL }));
  check(t, json, 'JSON');
  t.strictSame(JSON.parse(json), { name: EVIL });
});
