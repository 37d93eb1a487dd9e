// Tests of src/fastpath/node/conflicts.ts.

import t from 'tap';
import { deviceConflicts, nodeConflict } from '../../../../src/fastpath/node/conflicts.ts';

t.test('nodeConflict() recognizes network plugins by their devices and rules', async (t) => {
  const cases: readonly [devices: string[], rules: string[], plugin: RegExp | undefined][] = [
    [['lo', 'eth0', 'cni0', 'veth1234', 'flannel.1'], ['nat', 'KUBE-SERVICES', 'services'], undefined],
    [['lo', 'cilium_host'], [], /Cilium/],
    [['cali1234567'], [], /Calico/],
    [[], ['filter', 'cali-FORWARD'], /Calico/],
    [[], ['KUBE-POD-FW-ABC'], /kube-router/],
    [['antrea-gw0'], [], /Antrea/],
    [[], ['kindnet-network-policies'], /kindnet/],
  ];
  for (const [devices, rules, plugin] of cases) {
    const conflict = nodeConflict(devices, rules);
    if (plugin === undefined) t.equal(conflict, undefined);
    else t.match(conflict, plugin);
  }
});

t.test('deviceConflicts() reports foreign programs and qdiscs that shape', async (t) => {
  const own = 'filter ingress bpf priority=1 program=4 name=fp_pod own=yes';
  const foreign = own.replace('yes', 'no');
  const shaping = 'qdisc tbf handle=1 parent=ffffffff';
  const cases: readonly [role: 'uplink' | 'pod', lines: string[], reasons: RegExp[], isEgress?: boolean][] = [
    ['pod', ['qdisc noqueue handle=0 parent=ffffffff', 'qdisc clsact handle=1 parent=2', own], []],
    ['pod', ['tcx ingress program=4 own=yes'], []],
    ['pod', [shaping], [/qdisc tbf/], true],
    ['pod', ['qdisc fq_codel handle=0 parent=ffffffff'], [/qdisc fq_codel/], true],
    ['pod', ['qdisc ingress handle=1 parent=2'], [/qdisc ingress/], false],
    ['pod', ['tcx egress program=9 own=no'], [/tcx program is on its egress/], true],
    ['pod', [foreign], [/tc filter \(bpf\) is on its ingress/], false],
    ['pod', [shaping, foreign], [/on its ingress/, /qdisc tbf/], false],
    ['uplink', ['qdisc fq_codel handle=0 parent=ffffffff'], []],
    ['uplink', ['qdisc ingress handle=1 parent=2'], [/qdisc ingress/], false],
    ['uplink', [foreign], [/tc filter \(bpf\) is on its ingress/], false],
  ];
  for (const [role, lines, reasons, isEgress] of cases) {
    const found = deviceConflicts(role, lines);
    t.equal(found.length, reasons.length, lines.join('; '));
    for (const [i, reason] of reasons.entries()) t.match(found[i]?.reason, reason);
    t.equal(found[0]?.isEgress, isEgress, `${lines.join('; ')}: ingress conflicts come first`);
  }
});
