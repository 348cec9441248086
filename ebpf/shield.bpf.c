// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * Drops, limits or watches packets by their source, as long as a lease says so.
 *
 * For each packet: protected source -> pass; exempt session -> pass; then the leases, longest prefix
 * first, at each length a service before a protocol before any. A lease that has run out is skipped,
 * so it never hides a live one, and blocks end by themselves when nobody renews them: a dead shield
 * closes nothing for ever.
 *
 * Failure bias: open. What cannot be parsed passes and is counted; a fragment that carries no ports
 * is judged by address (and protocol) alone.
 *
 * Needs a kernel of 6.1 or later, and CAP_PERFMON beside CAP_BPF, without which the verifier forbids arithmetic
 * on packet pointers. No header of the kernel or of libbpf is used.
 */
#include "shield.bpf.h"

#define SEC(name) __attribute__((section(name), used))
#define inline_always inline __attribute__((always_inline))
#define map_uint(name, value) int(*name)[value]
#define map_type(name, type) type *name

/* From the kernel's user interface (include/uapi/linux/bpf.h): numbers of map types, flags, helpers. */
#define MAP_TYPE_HASH 1
#define MAP_TYPE_ARRAY 2
#define MAP_TYPE_PERCPU_ARRAY 6
#define MAP_TYPE_LRU_HASH 9
#define MAP_TYPE_LPM_TRIE 11
#define MAP_NO_PREALLOC (1U << 0)
#define MAP_MMAPABLE (1U << 10)

enum xdp_verdict { XDP_DROP = 1, XDP_PASS = 2 };

struct xdp_md {
	u32 data;
	u32 data_end;
	u32 data_meta;
	u32 ingress_ifindex;
	u32 rx_queue_index;
	u32 egress_ifindex;
};

static void *(*map_lookup)(void *map, const void *key) = (void *)1;
static u64 (*ktime_get_ns)(void) = (void *)5;

const char licence[] SEC("license") = "Dual BSD/GPL";

struct {
	map_uint(type, MAP_TYPE_HASH);
	map_uint(max_entries, 65536);
	map_type(key, struct lease_key);
	map_type(value, struct lease);
} leases SEC(".maps");

struct {
	map_uint(type, MAP_TYPE_ARRAY);
	map_uint(map_flags, MAP_MMAPABLE);
	map_uint(max_entries, 65536);
	map_type(key, u32);
	map_type(value, struct slot);
} slots SEC(".maps");

struct {
	map_uint(type, MAP_TYPE_ARRAY);
	map_uint(map_flags, MAP_MMAPABLE);
	map_uint(max_entries, 1);
	map_type(key, u32);
	map_type(value, struct settings);
} settings SEC(".maps");

struct {
	map_uint(type, MAP_TYPE_LPM_TRIE);
	map_uint(map_flags, MAP_NO_PREALLOC);
	map_uint(max_entries, 4096);
	map_type(key, struct protected4_key);
	map_type(value, u32);
} protected4 SEC(".maps");

struct {
	map_uint(type, MAP_TYPE_LPM_TRIE);
	map_uint(map_flags, MAP_NO_PREALLOC);
	map_uint(max_entries, 4096);
	map_type(key, struct protected6_key);
	map_type(value, u32);
} protected6 SEC(".maps");

struct {
	map_uint(type, MAP_TYPE_LRU_HASH);
	map_uint(max_entries, 65536);
	map_type(key, struct session_key);
	map_type(value, u64);
} exempt SEC(".maps");

struct {
	map_uint(type, MAP_TYPE_PERCPU_ARRAY);
	map_uint(max_entries, CAUSES);
	map_type(key, u32);
	map_type(value, u64);
} counters SEC(".maps");

/* What the lookups need of a packet. */
struct packet {
	u64 source[2];
	u64 target[2];
	u16 source_port;
	u16 target_port;
	u8 family;
	u8 protocol; /* 0: unknown */
	u8 ports_known;
	u8 pad; /* named, so that it is zeroed: verifiers before 6.3 want every byte of an argument written */
};

/* ---- bytes ---- */

static inline_always u16 load16(const u8 *at) { return (u16)(at[0] << 8 | at[1]); }

static inline_always u32 load32(const u8 *at)
{
	return (u32)at[0] << 24 | (u32)at[1] << 16 | (u32)at[2] << 8 | at[3];
}

static inline_always u64 load64(const u8 *at) { return (u64)load32(at) << 32 | load32(at + 4); }

static inline_always void count(u32 cause)
{
	u64 *counter = map_lookup(&counters, &cause);

	if (counter)
		(*counter)++;
}

static inline_always int verdict(u32 cause)
{
	count(cause);
	return cause == DROP_LEASE || cause == DROP_OVER_RATE ? XDP_DROP : XDP_PASS;
}

/* ---- decode ---- */

#define ETHERTYPE_IP4 0x0800
#define ETHERTYPE_IP6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8
#define ETHERTYPE_QINQ_OLD 0x9100
#define VLANS_MAX 2
#define IP6_EXTENSIONS_MAX 6

enum protocol {
	IP6_HOP_BY_HOP = 0,
	TCP = 6,
	UDP = 17,
	ICMP6 = 58,
	DCCP = 33,
	IP6_ROUTING = 43,
	IP6_FRAGMENT = 44,
	AUTHENTICATION = 51,
	IP6_OPTIONS = 60,
	SCTP = 132,
	UDP_LITE = 136,
};

static inline_always int has_ports(u8 protocol)
{
	return protocol == TCP || protocol == UDP || protocol == SCTP || protocol == UDP_LITE ||
	       protocol == DCCP;
}

static inline_always void decode_ports(struct packet *packet, const u8 *at, const u8 *end)
{
	if (!has_ports(packet->protocol)) {
		packet->ports_known = 1;
		return;
	}
	if (at + 4 > end)
		return;
	packet->source_port = load16(at);
	packet->target_port = load16(at + 2);
	packet->ports_known = 1;
}

/* Returns 0, or the cause for which the packet passes unjudged. */
static inline_always int decode_ip4(struct packet *packet, const u8 *at, const u8 *end)
{
	u32 header;

	if (at + 20 > end)
		return PASS_MALFORMED;
	header = (at[0] & 15) * 4;
	if (at[0] >> 4 != 4 || header < 20)
		return PASS_MALFORMED;
	packet->family = FAMILY_4;
	packet->protocol = at[9];
	packet->source[0] = (u64)load32(at + 12) << 32;
	packet->target[0] = (u64)load32(at + 16) << 32;
	if ((load16(at + 6) & 0x1fff) == 0)
		decode_ports(packet, at + header, end);
	return 0;
}

/* Walks the extension headers (RFC 8200, section 4); beyond the bound the protocol stays unknown. */
static inline_always void decode_ip6_payload(struct packet *packet, u8 next, const u8 *at, const u8 *end)
{
	for (int i = 0; i <= IP6_EXTENSIONS_MAX; i++) {
		u32 length;

		if (next != IP6_HOP_BY_HOP && next != IP6_ROUTING && next != IP6_OPTIONS &&
		    next != IP6_FRAGMENT && next != AUTHENTICATION) {
			packet->protocol = next;
			decode_ports(packet, at, end);
			return;
		}
		if (at + 8 > end)
			return;
		length = at[1] * 8 + 8;
		if (next == IP6_FRAGMENT)
			length = 8;
		else if (next == AUTHENTICATION)
			length = at[1] * 4 + 8;
		if (next == IP6_FRAGMENT && (load16(at + 2) & 0xfff8)) {
			packet->protocol = at[0];
			return;
		}
		next = at[0];
		at += length;
	}
}

/*
 * Neighbour discovery (RFC 4861: ICMPv6 types 133 to 137; the hop limit of 255 says that no router sent it on).
 * It passes as ARP does: without it not even an exempt session of a neighbour would work.
 */
static inline_always int is_neighbour_discovery(const u8 *at, const u8 *end)
{
	return at[6] == ICMP6 && at[7] == 255 && at + 41 <= end && at[40] >= 133 && at[40] <= 137;
}

static inline_always int decode_ip6(struct packet *packet, const u8 *at, const u8 *end)
{
	if (at + 40 > end || at[0] >> 4 != 6)
		return PASS_MALFORMED;
	if (is_neighbour_discovery(at, end))
		return PASS_NEIGHBOUR;
	packet->family = FAMILY_6;
	packet->source[0] = load64(at + 8);
	packet->source[1] = load64(at + 16);
	packet->target[0] = load64(at + 24);
	packet->target[1] = load64(at + 32);
	decode_ip6_payload(packet, at[6], at + 40, end);
	return 0;
}

static inline_always int decode(struct packet *packet, const u8 *at, const u8 *end)
{
	u16 type;

	if (at + 14 > end)
		return PASS_MALFORMED;
	type = load16(at + 12);
	at += 14;
	for (int i = 0; i < VLANS_MAX; i++) {
		if (type != ETHERTYPE_VLAN && type != ETHERTYPE_QINQ && type != ETHERTYPE_QINQ_OLD)
			break;
		if (at + 4 > end)
			return PASS_MALFORMED;
		type = load16(at + 2);
		at += 4;
	}
	if (type == ETHERTYPE_IP4)
		return decode_ip4(packet, at, end);
	if (type == ETHERTYPE_IP6)
		return decode_ip6(packet, at, end);
	return PASS_NOT_IP;
}

/* ---- lookups ---- */

static inline_always int is_protected(const struct packet *packet, const struct settings *set)
{
	if (packet->family == FAMILY_4) {
		struct protected4_key key = { .length = 32 };

		if (!set->protected[FAMILY_4])
			return 0;
		key.address = __builtin_bswap32((u32)(packet->source[0] >> 32));
		return map_lookup(&protected4, &key) != 0;
	}
	if (set->protected[FAMILY_6]) {
		struct protected6_key key = { .length = 128 };

		key.address[0] = __builtin_bswap32((u32)(packet->source[0] >> 32));
		key.address[1] = __builtin_bswap32((u32)packet->source[0]);
		key.address[2] = __builtin_bswap32((u32)(packet->source[1] >> 32));
		key.address[3] = __builtin_bswap32((u32)packet->source[1]);
		return map_lookup(&protected6, &key) != 0;
	}
	return 0;
}

static inline_always int is_exempt(const struct packet *packet, const struct settings *set, u64 now)
{
	struct session_key key = {};
	u64 *until;

	if (now >= set->exempt_until_ns || !packet->ports_known)
		return 0;
	key.source[0] = packet->source[0];
	key.source[1] = packet->source[1];
	key.target[0] = packet->target[0];
	key.target[1] = packet->target[1];
	key.source_port = packet->source_port;
	key.target_port = packet->target_port;
	key.protocol = packet->protocol;
	key.family = packet->family;
	until = map_lookup(&exempt, &key);
	return until && now < *until;
}

static inline_always struct lease *live_lease(struct lease_key *key, u8 protocol, u16 port, u64 now)
{
	struct lease *lease;

	key->protocol = protocol;
	key->port = port;
	lease = map_lookup(&leases, key);
	if (!lease)
		return 0;
	if (now >= lease->expires_ns) {
		count(EXPIRED_SKIPPED);
		return 0;
	}
	return lease;
}

/* How many zero bits lie below the only bit of a power of two; without branches, which spares the verifier. */
static inline_always u32 position(u64 bit)
{
	u64 below = bit - 1;

	below -= below >> 1 & 0x5555555555555555ULL;
	below = (below & 0x3333333333333333ULL) + (below >> 2 & 0x3333333333333333ULL);
	below = (below + (below >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (u32)(below * 0x0101010101010101ULL >> 56);
}

/* The lease to obey among the lengths of one word (0: 128..65, 1: 64..1), or null. */
static inline_always struct lease *find_in_word(const struct packet *packet, const struct settings *set,
						u32 family, u32 word, u64 now)
{
	u64 service = packet->ports_known && packet->target_port ? set->lengths[family][KIND_SERVICE][word] : 0;
	u64 protocol = packet->protocol ? set->lengths[family][KIND_PROTOCOL][word] : 0;
	u64 any = set->lengths[family][KIND_ANY][word];
	u64 left = service | protocol | any;

	for (int i = 0; i < LENGTHS_MAX && left; i++) {
		u64 bit = left & -left;
		u32 below = position(bit) & 63;
		struct lease_key key = {};
		struct lease *lease;

		left ^= bit;
		key.family = packet->family;
		if (word == 0) {
			key.length = (u8)(128 - below);
			key.address[0] = packet->source[0];
			key.address[1] = packet->source[1] & (~0ULL << below);
		} else {
			key.length = (u8)(64 - below);
			key.address[0] = packet->source[0] & (~0ULL << below);
		}
		if (service & bit) {
			lease = live_lease(&key, packet->protocol, packet->target_port, now);
			if (lease)
				return lease;
		}
		if (protocol & bit) {
			lease = live_lease(&key, packet->protocol, 0, now);
			if (lease)
				return lease;
		}
		if (any & bit) {
			lease = live_lease(&key, 0, 0, now);
			if (lease)
				return lease;
		}
	}
	return 0;
}

static inline_always struct lease *find_lease(const struct packet *packet, const struct settings *set, u64 now)
{
	struct lease *lease;

	if (packet->family == FAMILY_4)
		return find_in_word(packet, set, FAMILY_4, 1, now);
	lease = find_in_word(packet, set, FAMILY_6, 0, now);
	return lease ? lease : find_in_word(packet, set, FAMILY_6, 1, now);
}

/* ---- obey ---- */

/* A moment is written once, by the first packet, whichever CPU sees it. */
static inline_always void first_time(u64 *moment, u64 now)
{
	if (!*moment)
		__sync_val_compare_and_swap(moment, 0, now);
}

static inline_always int drop(struct slot *slot, u64 now, u32 cause)
{
	__sync_fetch_and_add(&slot->drops, 1);
	first_time(&slot->first_drop_ns, now);
	return verdict(cause);
}

/*
 * Generic cell rate algorithm (ITU-T I.371): a token bucket whose whole state is the time at which the
 * next packet would be due. Failure bias: closed; whoever loses the race for the state this often is
 * far above any rate.
 */
#define RATE_TRIES_MAX 4

static inline_always int within_rate(const struct lease *lease, struct slot *slot, u64 now)
{
	for (int i = 0; i < RATE_TRIES_MAX; i++) {
		u64 due = *(volatile u64 *)&slot->due_ns;
		u64 from = due > now ? due : now;

		if (from - now > lease->tolerance_ns)
			return 0;
		if (__sync_val_compare_and_swap(&slot->due_ns, due, from + lease->interval_ns) == due)
			return 1;
	}
	return 0;
}

static inline_always int obey(const struct lease *lease, u64 now)
{
	u32 at = lease->slot;
	struct slot *slot = map_lookup(&slots, &at);

	if (!slot)
		return verdict(PASS_NO_LEASE);
	__sync_fetch_and_add(&slot->hits, 1);
	first_time(&slot->first_hit_ns, now);
	if (lease->action == ACTION_DROP)
		return drop(slot, now, DROP_LEASE);
	if (lease->action != ACTION_RATE_LIMIT)
		return verdict(PASS_MONITOR);
	if (within_rate(lease, slot, now))
		return verdict(PASS_WITHIN_RATE);
	return drop(slot, now, DROP_OVER_RATE);
}

/*
 * A function of its own, and global, so that the verifier judges it once and not once for each way
 * through the decoder.
 */
__attribute__((noinline)) int judge(const struct packet *packet)
{
	struct settings *set;
	struct lease *lease;
	u32 zero = 0;
	u64 now;

	set = map_lookup(&settings, &zero);
	if (!set || !packet)
		return XDP_PASS;
	if (is_protected(packet, set))
		return verdict(PASS_PROTECTED);
	now = ktime_get_ns();
	if (is_exempt(packet, set, now))
		return verdict(PASS_EXEMPT);
	lease = find_lease(packet, set, now);
	if (lease)
		return obey(lease, now);
	return verdict(packet->ports_known ? PASS_NO_LEASE : PASS_NO_PORTS);
}

SEC("xdp.frags")
int shield(struct xdp_md *context)
{
	const u8 *end = (const u8 *)(long)context->data_end;
	const u8 *at = (const u8 *)(long)context->data;
	struct packet packet = {};
	int unjudged = decode(&packet, at, end);

	return unjudged ? verdict(unjudged) : judge(&packet);
}
