/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What the program and its loader agree on: map keys and values, counters and the layout version.
 * The loader's twin of this file is crates/datapath/src/enforce/xdp/layout.rs; a test holds the
 * sizes of both against each other. Change the layout version with any change of a key or a value.
 *
 * Addresses are kept as two 64-bit numbers in host order, an IPv4 address in the upper half of the
 * first, so that one mask serves both families.
 */
#ifndef SHIELD_BPF_H
#define SHIELD_BPF_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define LAYOUT 1

/* Most prefix lengths that one family may have in use: the bound of the search per packet. */
#define LENGTHS_MAX 16

/* Which packets a lease is about: one service, one protocol, or all of a source. */
enum kind { KIND_SERVICE, KIND_PROTOCOL, KIND_ANY, KINDS };

enum family { FAMILY_4, FAMILY_6, FAMILIES };

enum action { ACTION_MONITOR = 1, ACTION_RATE_LIMIT = 2, ACTION_DROP = 3 };

/* Why a packet passed or not; one of these is counted for each packet, and EXPIRED_SKIPPED beside. */
enum cause {
	PASS_NO_LEASE,    /* nothing known of the source */
	PASS_PROTECTED,   /* a protected source */
	PASS_EXEMPT,      /* an exempt session */
	PASS_MONITOR,     /* a lease that only watches */
	PASS_WITHIN_RATE, /* a rate limit that is not reached */
	PASS_NO_PORTS,    /* no lease by address; ports unknown (fragment, odd header), so no service looked up */
	PASS_NOT_IP,      /* ARP and the like */
	PASS_NEIGHBOUR,   /* IPv6 neighbour discovery on the link */
	PASS_MALFORMED,   /* cut short before the addresses */
	DROP_LEASE,
	DROP_OVER_RATE,
	EXPIRED_SKIPPED,  /* leases met that had run out */
	CAUSES
};

struct lease_key {
	u64 address[2];
	u16 port;     /* host order; 0 unless the lease names a port */
	u8 protocol;  /* 0: any */
	u8 length;    /* prefix length, 1..32 or 1..128 */
	u8 family;
	u8 pad[3];
};

struct lease {
	u64 expires_ns;   /* CLOCK_MONOTONIC */
	u64 interval_ns;  /* rate limit: time that one packet costs */
	u64 tolerance_ns; /* rate limit: how far ahead of its time a packet may come */
	u32 slot;         /* where its counters are */
	u32 reason;
	u32 packets_per_s;
	u32 burst;
	u8 action;
	u8 pad[7];
};

/* Counters of a lease, apart from it so that extending a lease, which replaces the map's value, keeps them. */
struct slot {
	u64 hits;
	u64 drops;
	u64 first_hit_ns;
	u64 first_drop_ns;
	u64 due_ns; /* rate limit: theoretical arrival time of the next packet (GCRA) */
	u64 pad[3]; /* one cache line */
};

struct session_key {
	u64 source[2];
	u64 target[2];
	u16 source_port;
	u16 target_port;
	u8 protocol;
	u8 family;
	u8 pad[2];
};

struct protected4_key {
	u32 length;
	u32 address; /* network order */
};

struct protected6_key {
	u32 length;
	u32 address[4]; /* network order */
};

/* One element, written by the loader through shared memory, a word at a time. */
struct settings {
	u64 object;           /* first 8 bytes of the SHA-256 of the running object */
	u64 exempt_until_ns;  /* no exempt session lives longer */
	u64 protected[FAMILIES]; /* how many networks are protected */
	/*
	 * Prefix lengths in use. Word 0 holds 128 (bit 0) to 65 (bit 63), word 1 holds 64 (bit 0) to
	 * 1 (bit 63): the lowest bit is the longest prefix.
	 */
	u64 lengths[FAMILIES][KINDS][2];
};

#endif
