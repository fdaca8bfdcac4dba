/* One DNS question of the guest, judged: the answer's bytes and the event that must be on disk
 * before they leave. */
#ifndef SAW_INLET_QUESTION_H
#define SAW_INLET_QUESTION_H

#include "wire/dns.h"
#include "wire/event.h"
#include "workspace/inlet/pool.h"

enum {
	QUESTION_TTL =
		60 /* seconds; the address stays the name's own as long as the workspace runs */
};

struct question {
	struct event
		ev; /* its texts lie in this struct: src and ip_proto are the caller's to fill */
	size_t reply_len; /* 0: say nothing */
	uint8_t reply[DNS_REPLY_MAX];
	size_t failed_len; /* the leading bytes of `reply` that question_failed() keeps */
	char name[DNS_NAME_TEXT_MAX];
	char type[DNS_TYPE_TEXT_MAX];
	struct name canonical;
};

/* Asks nobody: policy and pool decide. Gives the name its address when it has none. */
void question_judge(struct bytes msg, const struct policy *p, struct pool *pool,
		    struct question *ret);
/* The event could not be written: `reply` becomes SERVFAIL without an answer. */
void question_failed(uint8_t *reply, size_t *reply_len, size_t failed_len);

#endif
