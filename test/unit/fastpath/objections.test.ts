// Tests of what keeps the fast path away from a node, or a device.
import t from 'tap';
import { deviceObjection, nodeObjection } from '../../../src/fastpath/objections.ts';

t.test('network plugins that enforce policies are known by their devices and rules', async (t) => {
  const cases: readonly [devices: string[], rules: string[], who: RegExp | undefined][] = [
    [['lo', 'eth0', 'cni0', 'veth1234', 'flannel.1'], ['nat', 'KUBE-SERVICES', 'services'], undefined],
    [['lo', 'cilium_host'], [], /Cilium/],
    [['cali1234567'], [], /Calico/],
    [[], ['filter', 'cali-FORWARD'], /Calico/],
    [[], ['KUBE-POD-FW-ABC'], /kube-router/],
    [['antrea-gw0'], [], /Antrea/],
    [[], ['kindnet-network-policies'], /kindnet/],
  ];
  for (const [devices, rules, who] of cases) {
    const objection = nodeObjection(devices, rules);
    if (who === undefined) t.equal(objection, undefined);
    else t.match(objection, who);
  }
});

t.test('devices with programs of others, or queues that shape, are left alone', async (t) => {
  const own = 'filter ingress bpf priority=1 program=4 name=fp_pod own=yes';
  t.equal(
    deviceObjection('pod', ['qdisc noqueue handle=0 parent=ffffffff', 'qdisc clsact handle=1 parent=2', own]),
    undefined,
  );
  t.equal(deviceObjection('pod', ['tcx ingress program=4 own=yes']), undefined);
  t.match(deviceObjection('pod', ['qdisc tbf handle=1 parent=ffffffff']), /queue tbf/);
  t.match(deviceObjection('pod', ['qdisc fq_codel handle=0 parent=ffffffff']), /queue fq_codel/);
  t.equal(deviceObjection('uplink', ['qdisc fq_codel handle=0 parent=ffffffff']), undefined);
  t.match(deviceObjection('uplink', ['qdisc ingress handle=1 parent=2']), /queue ingress/);
  t.match(deviceObjection('uplink', [own.replace('yes', 'no')]), /tc filter \(bpf\) is on its ingress/);
  t.match(deviceObjection('pod', ['tcx egress program=9 own=no']), /tcx program is on its egress/);
});
