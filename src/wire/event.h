/* One audit event as a value: what a role reports and what wire/ocsf.h renders. All texts borrowed and bounded. */
#ifndef SAW_WIRE_EVENT_H
#define SAW_WIRE_EVENT_H

#include "wire/credential.h"
#include "wire/ip.h"

enum { EVENT_TEXT_MAX = 2048, EVENT_MODEL_MAX = 128 };

enum event_kind {
	EVENT_LIFECYCLE = 1, /* workspace created, started, ready, stopped ...: OCSF application_lifecycle 6002 */
	EVENT_SESSION, /* an SSH session was issued, opened, closed, cut: 4007 */
	EVENT_DNS, /* a question of the guest: 4003 */
	EVENT_FLOW, /* a TCP connection, or packets that no socket saw (count): 4001 */
	EVENT_HTTP, /* one request: 4002 */
	EVENT_POLICY, /* loaded, refused: 5019 device_config_state_change */
	EVENT_ROLE, /* a role process started, died, was restarted: 1007 process_activity */
	EVENT_API, /* a call that changes state in the control plane: 6003 */
	EVENT_MODEL, /* what the answer of a model said of itself, when it ended: 6003 with the profile ai_operation */
	EVENT_KIND_END
};

enum event_action {
	EVENT_ALLOWED = 1,
	EVENT_DENIED,
	EVENT_OBSERVED, /* would have been denied; the entry only observes */
	EVENT_CLOSED, /* the end of something allowed, with its counts */
	EVENT_FAILED, /* allowed, but did not work (connection refused) */
	EVENT_NOTE, /* neither: lifecycle, role */
	EVENT_ACTION_END
};

struct event {
	enum event_kind kind;
	enum event_action action;
	uint64_t at_ms; /* real time; the writer sets it when 0 */
	uint16_t reason; /* enum reason */
	uint64_t flow; /* 0: none; same id in inlet's and dialer's events */
	uint64_t generation; /* policy generation; 0: none */
	uint64_t count; /* aggregated packets; 1 otherwise */
	uint64_t bytes_in; /* towards the guest */
	uint64_t bytes_out; /* from the guest */
	uint64_t duration_ms;
	uint64_t tokens_in; /* as the host says; 0 also when it says nothing */
	uint64_t tokens_out;
	struct ip src;
	struct ip dst; /* what the guest dialled, or for dialer the literal */
	uint16_t src_port;
	uint16_t dst_port;
	uint8_t ip_proto; /* 6, 17, ...; 0 unknown */
	uint16_t status; /* HTTP status or DNS rcode */
	uint32_t pid;
	bool observing; /* the entry only observes, whatever this event says; EVENT_OBSERVED: it would have been denied */
	struct bytes name; /* host name, canonical where it is legal, else as sent */
	struct bytes rule;
	struct bytes verb; /* http method, DNS type, lifecycle word ("started"), API operation */
	struct bytes path; /* http path with query, or file */
	struct bytes actor; /* user, or role name */
	struct bytes model; /* as the host says, at most EVENT_MODEL_MAX */
	struct bytes credential; /* the id of the one that was spent, at most CREDENTIAL_ID_MAX; never its value */
	struct bytes change; /* EVENT_DENIED: what of the policy would have to change (rules/policy_change.h) */
	struct bytes detail; /* one sentence; what was stripped; line and column of a refused policy */
};

#endif
