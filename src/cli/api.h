/* Calls to this user's control plane (docs/openapi.yaml) over its unix socket. */
#ifndef SAW_CLI_API_H
#define SAW_CLI_API_H

#include "base/err.h"
#include "base/json_out.h"
#include "cli/verb.h"
#include "net/http_client.h"
#include "wire/json_scan.h"

enum { API_NODES_MAX = 32 * 1024, API_NAME_MAX = 40, API_WAIT_S = 30 };

/* An answer, scanned. Zero-initialise. */
struct api_doc {
	unsigned status;
	struct buf text;
	struct json_node *nodes; /* nodes[0] is the root; NULL when there is no body */
	uint32_t n_nodes;
};
void api_doc_deinit(struct api_doc *d);
#define API_DOC_AUTO __attribute__((cleanup(api_doc_deinit)))

/* The member `key` of the root as text, "" when it is not there; `out` is reset first. Borrows from `out`. */
const char *api_text(const struct api_doc *d, const char *key, struct buf *out);

/* The same for any object. */
const char *api_member(const struct api_doc *d, const struct json_node *of, const char *key, struct buf *out);
uint64_t api_number(const struct api_doc *d, const struct json_node *of, const char *key);

/* True for what may stand in a path: a workspace's name or id. */
bool api_name_ok(const char *name);

/* One call. `body` NULL: none. Returns CLI_DONE for 2xx with *ret filled; else the exit code, with the sentence (and the remedy)
 * in `e`: CLI_UNREACHABLE when nothing answers, or what the problem document asks for. */
int api_try(const char *method, const char *target, const struct buf *body, struct api_doc *ret, struct err *e);
/* The same with a body of another type than JSON. */
int api_send(const char *method, const char *target, const char *type, const struct buf *body, struct api_doc *ret, struct err *e);
/* As api_try(), and says the error on fd 2. */
int api_call(const char *method, const char *target, const struct buf *body, struct api_doc *ret);

/* GET whose body is then read piece by piece with http_client_read(). Says what goes wrong. `wait_s` 0: for ever. */
int api_stream(const char *target, unsigned wait_s, struct http_client *ret);

/* GET with Upgrade. On CLI_DONE gives the connected fd; bytes that came early are in `early`. *ret_status is the answer's status (0
 * when there was none), for callers that may try again. */
int api_upgrade(const char *target, const char *protocol, int *ret_fd, struct buf *early, unsigned *ret_status, struct err *e);

/* A connection to the socket: 0, or CLI_UNREACHABLE with a sentence. */
int api_connect(int *ret_fd, struct err *e);

/* Reads lines of a stream as they come. Zero-initialise all but `http`. */
struct api_lines {
	struct http_client *http;
	struct buf part;
	size_t given;
	bool ended;
};
/* 1: *ret is the next line without its end (good until the next call; a line over 1 MiB is an error). 0: the stream ended.
 * -EAGAIN: none yet (after the connection's wait_s). */
int api_next_line(struct api_lines *l, struct bytes *ret, struct err *e);
void api_lines_deinit(struct api_lines *l);

#endif
