/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The two tc programs: fp_uplink for packets that arrive on an uplink, fp_pod for packets that a pod sends. They
 * translate and redirect the packets of their flows. All others continue to the stack unchanged; none is dropped.
 *
 * A packet passes prefilter.h, parse.h, then uplink.h or pod.h, which look up or create its flow (flow/), and nat.h.
 */
#include "base.h"
#include "maps/counters.h"
#include "packet/prefilter.h"

#define FAMILY 4
#include "per-family.h"
#undef FAMILY
#define FAMILY 6
#include "per-family.h"
#undef FAMILY

SEC("tc")
int fp_uplink(struct __sk_buff *skb)
{
	if (skb->vlan_present)
		return pass(FP_OTHER);
	if (skb->pkt_type != 0 /* PACKET_HOST */)
		return pass(FP_OTHERHOST);
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return is_unrelated4(skb, FP_DIR_ORIGINAL) ? pass(FP_PORT) : uplink4(skb);
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		return is_unrelated6(skb, FP_DIR_ORIGINAL) ? pass(FP_PORT) : uplink6(skb);
	return pass(FP_OTHER);
}

SEC("tc")
int fp_pod(struct __sk_buff *skb)
{
	if (skb->vlan_present)
		return pass(FP_OTHER);
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return is_unrelated4(skb, FP_DIR_REPLY) ? pass(FP_PORT) : pod4(skb);
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		return is_unrelated6(skb, FP_DIR_REPLY) ? pass(FP_PORT) : pod6(skb);
	return pass(FP_OTHER);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
