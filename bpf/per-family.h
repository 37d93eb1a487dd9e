/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Templates for both families: included once with FAMILY 4 and once with FAMILY 6. FN(x) is x4 or x6, PACKET is
 * struct packet4 or struct packet6, and so on. The order of the includes is that of their use.
 */
#if FAMILY == 4
#define FN(name) name##4
#define ADDRESS(name) __be32 name
#define REF(address) (&(address))
#define FLOW struct fp_flow4
#define KEY struct fp_flow4_key
#define FRAGMENT struct fp_fragment4
#define FRAGMENT_KEY struct fp_fragment4_key
#define PACKET struct packet4
#define FLOWS fp_flows_v4
#define FRAGMENTS fp_fragments_v4
#else
#define FN(name) name##6
#define ADDRESS(name) __be32 name[4]
#define REF(address) (address)
#define FLOW struct fp_flow6
#define KEY struct fp_flow6_key
#define FRAGMENT struct fp_fragment6
#define FRAGMENT_KEY struct fp_fragment6_key
#define PACKET struct packet6
#define FLOWS fp_flows_v6
#define FRAGMENTS fp_fragments_v6
#endif

#include "flow/flow.h"
#include "flow/fragment.h"
#include "flow/flow-create.h"
#include "uplink.h"
#include "pod.h"

#undef FN
#undef ADDRESS
#undef REF
#undef FLOW
#undef KEY
#undef FRAGMENT
#undef FRAGMENT_KEY
#undef PACKET
#undef FLOWS
#undef FRAGMENTS
