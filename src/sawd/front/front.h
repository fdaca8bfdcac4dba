/* sawd-front: HTTP and JSON of the CLI on one side, typed messages to core on the other. It decides nothing. */
#ifndef SAW_SAWD_FRONT_H
#define SAW_SAWD_FRONT_H

#include "base/json_out.h"
#include "ipc/chan.h"
#include "ipc/sawd_row.h"
#include "net/http_server.h"

enum {
	FRONT_CONNS_MAX = 512,
	FRONT_ACCEPT_AGAIN_MS = 100, /* when there was no descriptor for the next one */
	FRONT_TUNNELS_MAX = 512,
	FRONT_PAGE = 100, /* records asked of core at a time */
	FRONT_ANSWER_MAX = 16 * 1024 * 1024,
	FRONT_POLL_MS = 200, /* a followed file is looked at this often */
	FRONT_STREAM_HIGH = 512 * 1024, /* bytes that wait for a slow reader before a file is read on */
};

struct tunnel;
struct conn;

struct front {
	struct loop *loop;
	struct chan *parent;
	struct chan *core; /* NULL while it is away */
	int listen_fd;
	struct loop_io listen_io;
	struct loop_timer accept_again;
	uint64_t uid; /* whose calls are taken, besides root's */
	uint64_t launcher_pid;
	uint64_t lab;
	uint64_t idle_ms; /* a tunnel without a byte is cut then */
	char state[4096];
	char run[4096];
	struct conn *conns;
	size_t n_conns;
	struct tunnel *tunnels;
	size_t n_tunnels;
	uint64_t next_req;
};

/* What a connection waits for from core. */
enum await {
	AWAIT_NOTHING,
	AWAIT_STATUS,
	AWAIT_WORKSPACE, /* one record, answered with ok_status */
	AWAIT_LIST,
	AWAIT_FILE,
	AWAIT_SESSION,
	AWAIT_SESSIONS,
	AWAIT_END, /* 204 */
	AWAIT_TUNNEL,
	AWAIT_IMAGES,
	AWAIT_SECRETS,
	AWAIT_CHANNELS,
	AWAIT_CHANNEL, /* one record */
	AWAIT_SECRET, /* one record, then the end */
	AWAIT_SHUTDOWN,
	AWAIT_EVENTS, /* the snapshot before the stream */
	AWAIT_EVENTS_ONE, /* the same for one workspace */
};

struct conn {
	struct front *front;
	struct conn *next;
	struct http_server *http;
	bool denied; /* the peer is not our user */
	uint64_t req; /* of the call that core owes us an answer to */
	enum await await;
	unsigned ok_status;

	/* an answer being put together */
	struct buf body;
	struct json_out json;
	uint64_t left; /* records still wanted */
	uint64_t state_filter;

	/* a stream */
	bool streaming;
	bool follow;
	bool events; /* gets every change */
	char only[SAWD_NAME_MAX + 1]; /* name or id whose changes it wants; "" all */
	int file_fd; /* a log; -1 */
	uint64_t file_at;
	uint64_t file_before; /* what was read last */
	char file_id[SAWD_ID_LEN + 1]; /* workspace of the log; "" the control plane's */
	bool json_lines; /* an audit log */
	struct loop_timer poll;

	/* a tunnel between its grant and the 101 */
	int guest_fd;
	uint64_t tunnel_id;
	uint64_t tunnel_ms;
	char session[SAWD_ID_LEN + 1];
	char workspace[SAWD_ID_LEN + 1];
};

extern struct msg front_out;

/* conn.c */
void conn_accept(struct loop_io *io, uint32_t events);
struct conn *conn_of(struct front *f, uint64_t req);
void conn_free(struct conn *c);
/* Starts a message of this type to core with a fresh request number that the answer will carry. */
void conn_ask(struct conn *c, enum sawd_type type, enum await await, unsigned ok_status);
/* Sends it; while core is away the call is answered 503. */
void conn_send(struct conn *c);
void conn_problem(struct conn *c, const struct sawd_problem *p);
void conn_answer(struct conn *c, unsigned status, const struct buf *json);
/* Core is gone: what it owed is answered, what it guarded is cut. */
void conn_core_gone(struct front *f);

/* route.c */
void route_request(struct conn *c, const struct http_server_request *r);
/* The value of `key` in the query; false when it is not there. Values are taken as they are. */
bool route_query(const struct http_server_request *r, const char *key, struct bytes *ret);

/* calls.c: one function a route. `arg` is the {name} or {id} of the path. */
typedef void (*call_fn)(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_version(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_list(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_create(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_get(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_delete(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_start(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_stop(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_restart(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_rebuild(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_policy(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_log(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_audit(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_session(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_sessions(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_session_end(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_tunnel(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_images(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_events(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_secrets(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_secret_set(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_secret_rm(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_shutdown(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_list_page(struct conn *c, struct bytes after);

/* secrets.c: the answer to them. */
bool secret_on_row(void *owner, struct msg_in *in);

/* channels.c */
void call_push(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_channels(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_channel_set(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_channel_rollback(struct conn *c, const struct http_server_request *r, struct bytes arg);
void call_key(struct conn *c, const struct http_server_request *r, struct bytes arg);
bool channel_on_row(void *owner, struct msg_in *in);

/* answers.c: what core sends. */
extern const struct chan_permit answer_permits[];
extern const size_t n_answer_permits;

/* render.c */
void render_workspace(struct json_out *j, const struct sawd_row *r);
void render_event(struct buf *out, const struct sawd_row *r);
/* Opens the object and leaves it open, for more members. */
void render_problem(struct json_out *j, const struct sawd_problem *p);
void render_time(struct json_out *j, const char *key, uint64_t ms);

/* stream.c */
void stream_begin(struct conn *c, const char *content_type);
void stream_event(struct conn *c, const struct sawd_row *r);
/* Takes `fd`. */
void stream_file(struct conn *c, int fd, struct bytes id);
void stream_file_on(struct conn *c);
/* A change of a workspace, for those who follow. */
void stream_change(struct front *f, const struct sawd_row *r);

/* tunnel.c */
/* Takes both descriptors. `rest`: what the client sent already. */
void tunnel_new(struct front *f, struct conn *grant, int client_fd, int guest_fd, struct bytes rest);
void tunnel_closed(struct front *f, uint64_t id, uint64_t in, uint64_t out, uint64_t ms, const char *why);
/* Those of this session or workspace; NULL for both: all. */
void tunnel_cut(struct front *f, const char *session, const char *workspace, const char *why);

#endif
