/* A request's JSON body, field by field: each wrong one is answered by name. */
#ifndef SAW_SAWD_FRONT_BODY_H
#define SAW_SAWD_FRONT_BODY_H

#include "sawd/front/front.h"
#include "wire/json_scan.h"

enum { BODY_NODES_MAX = 128 };

struct body {
	struct conn *conn;
	struct json_node nodes[BODY_NODES_MAX];
	bool empty; /* no body at all: every field has its default */
	bool failed; /* the call is answered already: nothing more is read */
};

/* One object with no keys but these (NULL at the end). A body may be missing when `optional`. */
void body_open(struct body *b, struct conn *c, const struct http_server_request *r, const char *const *keys, bool optional);
/* The object in `key`; required. */
const struct json_node *body_object(struct body *b, const char *key, const char *const *keys);

/* `of` NULL: the body itself. `fallback` NULL: required. `out` is emptied first; its ceiling is the longest text. */
void body_text(struct body *b, const struct json_node *of, const char *key, const char *fallback, struct buf *out);
uint64_t body_u64(struct body *b, const char *key, uint64_t min, uint64_t max, uint64_t fallback);
bool body_bool(struct body *b, const char *key, bool fallback);
/* "2GiB" */
uint64_t body_size(struct body *b, const char *key, const char *fallback);
/* Index of the text in `words` (NULL at the end); the first is the default. */
unsigned body_word(struct body *b, const char *key, const char *const *words);

void body_bad(struct body *b, const char *field, const char *detail, const char *remedy);

#endif
