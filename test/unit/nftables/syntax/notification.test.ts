// Tests of src/nftables/syntax/notification.ts.

import t from 'tap';
import {
  isLossNotice,
  isOurs,
  parseElementOwner,
  parseGeneration,
  parseNotification,
} from '../../../../src/nftables/syntax/notification.ts';

const ip = (name: string) => ({ family: 'ip', name });

t.test('parseNotification() reads what nft monitor prints about our tables', async (t) => {
  const cases: Record<string, unknown> = {
    'add table ip nftlane': { kind: 'table', verb: 'add', family: 'ip' },
    'add table ip6 nftlane { flags dormant; }': { kind: 'table', verb: 'add', family: 'ip6' },
    'delete table ip nftlane': { kind: 'table', verb: 'delete', family: 'ip' },
    'add chain ip nftlane filter-input { type filter hook input priority filter; policy drop; }': {
      kind: 'chain',
      verb: 'add',
      object: ip('filter-input'),
    },
    'delete chain ip nftlane cluster-3': { kind: 'chain', verb: 'delete', object: ip('cluster-3') },
    'add rule ip nftlane services counter packets 0 bytes 0 drop': {
      kind: 'rule',
      verb: 'add',
      object: ip('services'),
    },
    'insert rule ip nftlane services tcp dport 99 drop': { kind: 'rule', verb: 'add', object: ip('services') },
    'delete rule ip nftlane services handle 8': { kind: 'rule', verb: 'delete', object: ip('services') },
    'add map ip nftlane endpoints { typeof ip daddr : ip daddr . ct original proto-dst; counter; } ': {
      kind: 'set',
      verb: 'add',
      object: ip('endpoints'),
    },
    'delete set ip6 nftlane endpoints': { kind: 'set', verb: 'delete', object: { family: 'ip6', name: 'endpoints' } },
    'add counter ip nftlane c { packets 0 bytes 0 } ': {
      kind: 'other',
      verb: 'add',
      object: ip('c'),
      type: 'counter',
    },
  };
  for (const [line, expected] of Object.entries(cases)) t.match(parseNotification(line), expected as object, line);
});

t.test('parseNotification() reads elements as a listing does', async (t) => {
  t.strictSame(
    parseNotification(
      'add element ip nftlane service-ips { 172.30.0.9 . tcp . 443 counter packets 0 bytes 0 comment "shop/web" : goto cluster-3 }',
    ),
    {
      kind: 'element',
      verb: 'add',
      object: ip('service-ips'),
      key: '172.30.0.9 . tcp . 443',
      installed: { data: 'goto cluster-3', comment: 'shop/web' },
    },
  );
  t.match(parseNotification('delete element ip6 nftlane source-ranges { fd00::9 . 17 . 53 . fd00:1::/64 }'), {
    verb: 'delete',
    key: 'fd00::9 . udp . 53 . fd00:1::/64',
    installed: { data: '', comment: '' },
  });
});

t.test('other tables and other lines are skipped', async (t) => {
  for (const line of [
    'add table inet nftlane',
    'add table ip nftlane2',
    'add rule ip other services drop',
    'delete element inet nftlane service-ips { 10.0.0.1 }',
    '# new generation 6 by process 7621 (nft)',
    '',
    'garbage',
  ]) {
    t.equal(parseNotification(line), undefined, line);
    t.notOk(isOurs(line), line);
  }
});

t.test('parseGeneration() reads the end of a transaction, with any name of a process', async (t) => {
  t.strictSame(parseGeneration('# new generation 6 by process 7621 (nft)'), {
    generation: 6,
    pid: 7621,
    program: 'nft',
  });
  t.match(parseGeneration('# new generation 6 by process 0 (a) b (c)'), { program: 'a) b (c' });
  t.match(parseGeneration('# new generation 6 by process 1 (a\u001b[31m\u202e)'), { program: 'a?[31m?' });
  t.equal(parseGeneration('add table ip nftlane'), undefined);
});

t.test('a loss of notifications is recognized', async (t) => {
  t.ok(isLossNotice('# ERROR: We lost some netlink events!'));
  t.notOk(isLossNotice('# new generation 6 by process 7621 (nft)'));
});

t.test('parseElementOwner() reads the set or map only', async (t) => {
  t.strictSame(parseElementOwner('delete element ip nftlane endpoints { 10.0.0.1 . tcp . 80 . 0 : 10.1.1.1 . 80 }'), {
    verb: 'delete',
    object: ip('endpoints'),
  });
  t.equal(parseElementOwner('delete set ip nftlane endpoints'), undefined);
});
