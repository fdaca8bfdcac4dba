/* A flow of http or intercept mode: requests of the guest, judged one by one, relayed over a connection that dialer made. Shared by the
 * http_*.c files only; the door for everybody else is flow.h.
 *
 *   HEAD -> (HOLD) -> (DIAL) -> EVENT -> RELAY -> HEAD ...
 *                                                 \-> SOCKET -> CLOSING
 *     \________\_________\________\_______\____-> REFUSE -> (DRAIN) -> CLOSING -> LINGER -> gone
 *
 * HEAD reads a request head, makes it canonical and judges it. HOLD waits for the first of a chunked body, or for a short form:
 * malformed framing or a hidden method is then refused before anybody hears of the request. DIAL asks dialer for a connection
 * when there is none. EVENT waits until the request is on disk. RELAY moves both bodies, SOCKET the frames of a WebSocket. REFUSE waits
 * until the denial is on disk, then answers it; DRAIN first takes the rest of a body whose sender reads no answer before. LINGER lets
 * the guest read the last answer before its unread bytes would reset the connection. */
#ifndef SAW_PROXY_HTTP_FLOW_H
#define SAW_PROXY_HTTP_FLOW_H

#include "rules/http_reason.h"
#include "wire/credential.h"
#include "rules/policy_change.h"
#include "wire/http1_form.h"
#include "wire/http1_request.h"
#include "proxy/flow.h"
#include "proxy/h2_host.h"
#include "proxy/host.h"
#include "proxy/http_reading.h"
#include "proxy/http_side.h"
#include "proxy/http_socket.h"
#include "proxy/http_watch.h"

enum {
	HTTP_FLOW_HEAD_MS = 10000, /* from the first byte of a request to the end of its head */
	HTTP_FLOW_IDLE_MS = 75000, /* a kept connection without a request */
	HTTP_FLOW_STALL_MS = 60000, /* a request body that does not go on, or an answer whose head has begun and is not whole */
	HTTP_FLOW_ANSWER_MS = 15 * 60 * 1000, /* an answer that does not begin: models think for minutes before they say anything */
	HTTP_FLOW_LEFT_MS = 60000, /* the same where the guest has ended its side and may be gone, and any standstill of an answer to it */
	HTTP_FLOW_HOLD_MS = 5 * 60 * 1000, /* all of a body that is held until it was judged, however steadily it comes: 7 kB a second fill the room for it */
	HTTP_FLOW_DIAL_MS = 70000, /* the gate gives up on a dialer that hangs sooner than this */
	HTTP_FLOW_EVENT_MS = 10000, /* the same for the supervisor */
	HTTP_FLOW_STREAM_MS = 15 * 60 * 1000, /* an answer that does not go on, on either side */
	HTTP_FLOW_LEAVE_MS = 60000, /* a request under way that the policy would not allow any more, or whose credential is no more */
	HTTP_FLOW_LINGER_MS = 2000, HTTP_FLOW_LINGER_MAX = 256 * 1024, /* bytes of the guest thrown away meanwhile */
	HTTP_FLOW_DRAIN_MS = 60000, HTTP_FLOW_DRAIN_MAX = 256 * 1024 * 1024, /* where a body is under way: many clients read when all of it is sent */
	HTTP_FLOW_HOLD_MAX = 16 * 1024, /* body bytes held back at most */
	HTTP_FLOW_INTERIM_MAX = 16, /* 1xx answers before the final one */
	HTTP_FLOW_BRIEF_MS = 1000, HTTP_FLOW_BRIEF_BYTES = 1024 * 1024, /* a stream that was no longer and no larger ends with its connection, in the log */
};

enum http_phase {
	HTTP_HEAD,
	HTTP_HOLD,
	HTTP_DIAL,
	HTTP_EVENT,
	HTTP_RELAY,
	HTTP_SOCKET,
	HTTP_REFUSE,
	HTTP_DRAIN,
	HTTP_CLOSING,
	HTTP_LINGER,
	HTTP_GONE, /* memory goes at the end of the turn */
};

struct http_flow {
	struct flow flow;
	struct loop_timer timer;
	struct loop_timer leave; /* armed: the request under way is cut when it fires */
	struct loop_later later;
	struct gate_wait wait;
	struct host host; /* being connected */
	struct h2_host_ask ask; /* waiting for, or making, a connection that others may share */
	enum http_phase phase;
	struct http_side guest;
	struct http_side upstream;
	uint64_t n_requests; /* sent */
	uint64_t bytes_in, bytes_out;
	uint64_t moved, patience_ms; /* as the sides count when the deadline was last set, and that, while an answer is waited for or relayed */
	uint64_t answer_by_ms, left_by_ms; /* it begins by then, in the loop's time (the second: since the guest has ended its side); 0: not all was asked yet */
	size_t lingered;
	bool on_stream; /* the guest speaks HTTP/2 */
	size_t charged; /* this itself; net/held.h */
	bool unlisted; /* the policy in force no longer has this flow: no further request */

	/* the present request */
	struct http1_scan scan;
	bool head_begun; /* its deadline runs */
	struct buf canon; /* its canonical head */
	struct buf held; /* body pieces, framed for upstream, while nothing may be sent */
	struct http1_request request;
	struct http1_body body;
	struct http1_form form;
	uint64_t hold_ends_ms;
	struct http_reading *reading; /* a rule reads the body; NULL: none does */
	bool body_begun; /* some of it was decoded */
	bool host_first; /* a call in which the host may speak before the guest does */
	bool body_done, to_head;
	uint8_t minor;
	enum reason verdict; /* REASON_OK, or what is only observed */
	bool judged; /* there was a verdict, perhaps by its body */
	bool observed;
	bool websocket; /* it would open one */
	bool reflective; /* the answer is scanned for the live secret */
	uint64_t generation; /* of the policy that judged it */
	char stripped[HTTP1_STRIPPED_MAX + 1];

	/* its answer */
	struct http1_scan answer_scan;
	struct http1_body answer_body;
	struct buf trailers, body_trailers; /* of its body and of the request's, in canonical text (wire/http1_trailer.h) */
	enum http1_framing answer_framing; /* towards the guest */
	bool answering; /* its head went to the guest */
	uint16_t answer_status;
	struct http_socket *socket; /* NULL: it is none */
	struct http_watch *watch; /* NULL: nothing to look for in it */
	bool cookies_stripped;
	bool answer_done;
	bool answer_more; /* the last turn stopped for the sake of other flows: what lies in upstream.in can go on */
	bool upstream_keep;
	struct ip upstream_ip;
	bool upstream_judged; /* some policy since allowed this address: no upstream proxy stands between */
	bool upstream_vetted; /* the policy in force would connect it in the same way */
	bool upstream_idle; /* between two requests */
	bool disallowed; /* the policy in force would not allow what is under way */
	bool upstream_stale; /* authenticated with a credential that is no more */
	struct buf wire; /* the head that goes to the host (proxy/dress.h); empty when it is the canonical one */
	uint64_t secret_version; /* of the credential in it; 0: none */
	char secret_id[CREDENTIAL_ID_MAX + 1];
	bool wears; /* the present request is the one that wears it */
	bool through_outlet; /* upstream is outlet, which records and judges for itself */
	bool reused; /* the connection carried a request before */
	bool recorded; /* its event is on disk */
	bool promised; /* the log was told that it goes, and neither did it since nor has another event said why not */
	bool retried;
	bool keep; /* the guest's connection */
	unsigned n_interim;

	/* a refusal */
	enum reason refusal;
	unsigned status;
	struct buf change; /* of the policy, that would allow it; empty while the request is allowed */
	bool drains; /* its client may send the rest of the body before it reads the answer */
	char rule[256];
};

/* http_flow.c */
void http_flow_deadline(struct http_flow *f, uint64_t ms);
/* Does what can be done now, then asks the loop for what is needed to go on. */
void http_flow_pump(struct http_flow *f);
/* Descriptors go at once, memory at the end of the turn. `reset`: the guest must not take what it has for a whole answer. */
void http_flow_finish(struct http_flow *f, bool reset);
/* Ready for another request. */
void http_flow_next(struct http_flow *f);
void http_flow_on_upstream(void *owner, uint32_t events);

/* http_ask.c: each gives true when the phase changed. */
bool http_ask_head(struct http_flow *f);
bool http_ask_hold(struct http_flow *f);
/* Decodes what of the body lies in guest.in into `out`, up to `full` bytes there. A fault has been refused: false. */
bool http_ask_body(struct http_flow *f, struct buf *out, size_t full);
/* A content coding hides what is in the body. */
bool http_ask_coded(const struct http1_head *h);

/* Adds names to what the event says was taken out; none twice. */
void http_note_stripped(struct http_flow *f, struct bytes names);
/* http_dress.c: fills f->wire. REASON_OK; REASON_CREDENTIAL_MISSING. */
enum reason http_dress(struct http_flow *f);
/* Outlet: takes inlet's word about what it took out off the end of a parsed head, into the event; how many bytes of `head` that is. */
size_t http_dress_told(struct http_flow *f, struct http1_head *h, struct bytes head);
/* The body is over: a trailer that may be taken for the credential goes. */
void http_dress_trailers(struct http_flow *f);
/* Since then the credential was replaced. */
bool http_dress_stale(const struct http_flow *f);

/* http_connect.c */
/* Finds or makes a connection, then goes on with http_forward_go(), at once or later; or the request was refused. */
void http_connect(struct http_flow *f);
/* The verdict stands by the policy in force now, not by the one when the request came; so do what it wears and its record. False: it was
 * refused. */
bool http_connect_judge(struct http_flow *f);

/* http_forward.c */
/* There is a connection: the request is put on record, unless it is, and sent. */
void http_forward_go(struct http_flow *f);
/* The request may go: dial when there is no connection, event, send. */
void http_forward(struct http_flow *f);
/* Moves both bodies; true when the phase changed. */
bool http_forward_relay(struct http_flow *f);
/* A request that may be sent twice (RFC 9110 9.2.1), and whole again: it has no body. */
bool http_forward_safe(const struct http_flow *f);
/* The connection ended before its answer: the request is sent once more, or that is its failure. */
void http_forward_ended(struct http_flow *f);

/* http_answer.c */
/* A request goes: its answer is awaited. False: it cannot be watched as its rule wants, so the request must not go. */
bool http_answer_begin(struct http_flow *f);
/* Everything of the answer that is here and that the guest has room for. */
void http_answer_relay(struct http_flow *f);
/* What only the answer told goes on record: the exchange is over. */
void http_answer_note(struct http_flow *f);
/* 502, or 504 when it is late; the end when some of the answer went. */
void http_answer_failed(struct http_flow *f, enum reason reason);

/* http_refuse.c */
/* One event and one answer, then the end; or only the event and the end when an answer has begun. `action`: EVENT_DENIED, or
 * EVENT_FAILED for what was allowed before. */
void http_refuse(struct http_flow *f, unsigned status, enum event_action action, enum reason reason);
void http_refuse_fault(struct http_flow *f, enum http1_fault fault);
/* The guest is gone before its request was whole, or what it sent found no memory. */
void http_refuse_left(struct http_flow *f);
/* There is no memory for this request (net/held.h). */
void http_refuse_memory(struct http_flow *f, enum event_action action);
/* As http_refuse, for what another role has put on record already. */
void http_refuse_silently(struct http_flow *f, unsigned status, enum reason reason);
/* The drained body is over, or its time: now the answer. */
void http_refuse_drained(struct http_flow *f);
/* An event of the present request: method and path as canonical as they are known, rule, what was stripped, which credential was spent. */
struct event http_request_event(const struct http_flow *f, enum event_action action, enum reason reason);

#endif
