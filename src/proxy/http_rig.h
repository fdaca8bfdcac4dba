/* A rig for tests of flows that speak http: the test is guest and origin over socket pairs, and stands in for gate and policy. */
#ifndef SAW_PROXY_HTTP_RIG_H
#define SAW_PROXY_HTTP_RIG_H

#include "proxy/http_flow.h"

/* Origin's bytes are compared exactly: a denied request leaves none, an allowed one its canonical form and nothing else. */

enum { HTTP_RIG_DIALS_MAX = 8, HTTP_RIG_EVENTS_MAX = 64 };

struct gate {
	struct loop *loop;
	struct policy policy;
	uint64_t generation;
	struct flow *flow;

	struct gate_wait *event_wait;
	struct gate_wait *dial_wait;
	struct loop_later later;
	bool hold_events; /* the log is slow */
	bool log_full;
	enum reason dial_refusal;
	bool hold_dials;
	bool unlisted;
	bool shut; /* its rules allow nothing any more */
	bool moved; /* no policy allows the address that dialer connects any more */
	bool reads; /* a rule reads the body, as JSON, but below /ok/unread */
	bool guarded; /* the way leads through outlet */
	bool outlet; /* this is outlet */
	struct policy_entry entry; /* that owns good.example */
	const char *secret; /* behind credential 0; empty: none */
	const char *header; /* that carries it; NULL: Authorization */
	uint64_t rotations;

	char events[HTTP_RIG_EVENTS_MAX][512];
	unsigned n_events;
	int origin[HTTP_RIG_DIALS_MAX];
	struct buf origin_got[HTTP_RIG_DIALS_MAX];
	unsigned n_dials;
	int guest;
	struct buf got;
};

extern struct gate http_rig;

/* Begins a fresh flow. */
void http_rig_start(void (*flow_start)(const struct flow *));
void http_rig_start_outlet(void (*flow_start)(const struct flow *)); /* as outlet does */
void http_rig_start_entry(void (*flow_start)(const struct flow *), const struct policy_entry *entry);
/* The guest leaves, and another comes. */
void http_rig_next(void (*flow_start)(const struct flow *));
/* Turns the loop and reads both ends until nothing moves any more. */
void http_rig_settle(void);
/* The guest leaves; checks that nothing is left over. */
void http_rig_end(void);

/* One read of `fd` into `got`; false when nothing came. */
bool http_rig_drain(int fd, struct buf *got);
void http_rig_put(int fd, const char *text);
void http_rig_ask(const char *text); /* from the guest, then settles */
void http_rig_reply(unsigned i, const char *text); /* from the i-th connection's origin, then settles */
/* What came since the last look; valid until the next call. */
const char *http_rig_seen(struct buf *b);
bool http_rig_guest_at_end(void);
bool http_rig_origin_at_end(unsigned i);

/* Answers what the flow waits for; runs by itself unless held. */
void http_rig_from_loop(struct loop_later *l);
/* What waits is answered at the end of the next turn. */
void http_rig_answers_last(void);

void http_rig_policy_changes(bool unlisted);
/* The deadline that is set now passes. */
void http_rig_time_passes(void);

#define HOST "Host: good.example\r\n"
#define GET "GET /ok HTTP/1.1\r\n" HOST "\r\n"
#define ORIGIN_GET "GET /ok HTTP/1.1\r\nHost: good.example\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define POST "POST /ok HTTP/1.1\r\n" HOST
#define POST_TEXT POST "Content-Type: text/plain\r\n" /* no form, so that it goes on at once */
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

#endif
