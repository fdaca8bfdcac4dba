/* What a peer may make us do without any use: points that useful work and time earn back. Pure.
 *
 * Each frame costs; content that moves, answers that are given and every tenth of a second bring points. A peer that does what HTTP/2 is for
 * never runs out; one that only sends control frames has BURST of them, then what time gives. nghttp2 does not tell of content for a stream
 * that is closed, nor of frames of an unknown type: it drops them as they come, so they cost the peer what they cost us, and no points.
 *
 * What never runs out, at any speed where no rate is named: content in frames of any size, however small; to answer each frame of
 * content that we send with a PING and two window updates, as clients of gRPC do to measure, and with two more for each 4 KiB of it, as
 * programs in Go do that read by so much; to cancel 10 streams a second for hours,
 * 200 at once, and one more for each that was answered. A stream that we reset of our own accord, because a policy changed or a host
 * failed, counts for nothing. */
#ifndef SAW_NET_H2_BUDGET_H
#define SAW_NET_H2_BUDGET_H

#include <stdint.h>

#include "net/h2.h"

enum {
	H2_BUDGET_BURST = 2000,
	H2_BUDGET_PER_100MS = 2,
	H2_COST_FRAME = 1,
	H2_COST_EMPTY = 4,
	H2_COST_PING = 4,
	H2_COST_SETTINGS = 20,
	H2_COST_MALFORMED = 10,
	H2_COST_REFUSED = 10, /* a stream over H2_STREAMS_MAX */
	H2_CONTENT_SMALL = 256, /* a frame with fewer bytes costs nothing, and brings nothing when the peer chose its size */
	H2_EARN_CONTENT = 4, /* a frame of content that came */
	H2_EARN_SENT = H2_COST_PING + 2 * H2_COST_FRAME, /* one that went ... */
	H2_EARN_RETURN = 2 * H2_COST_FRAME, /* ... and for each so many bytes in it: the peer opens the stream's and the connection's window */
	H2_RETURN_BYTES = 4096,
	H2_EARN_SERVED = 20,

	H2_RESETS_BURST = 200, /* streams given up by the peer before they were answered; of a guest also those that it spoilt */
	H2_RESETS_PER_100MS = 1,
};

struct h2_budget {
	int points;
	int resets;
	uint64_t at_ms;
};

void h2_budget_init(struct h2_budget *b);
void h2_budget_tick(struct h2_budget *b, uint64_t now_ms);
/* False: spent. */
bool h2_budget_pay(struct h2_budget *b, int cost);
void h2_budget_earn(struct h2_budget *b, int points);
bool h2_budget_reset(struct h2_budget *b); /* a stream was given up: false when spent */
void h2_budget_served(struct h2_budget *b); /* a stream was answered to its end */

#endif
