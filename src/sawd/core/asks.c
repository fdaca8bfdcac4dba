#include <stdlib.h>

#include "base/must.h"
#include "sawd/core/core.h"

struct ask {
	struct ask *next;
	uint64_t req;
	enum sawd_role to;
	ask_fn fn;
	void *owner;
};

uint64_t ask_new(struct core *c, enum sawd_role to, ask_fn fn, void *owner)
{
	struct ask *a = calloc(1, sizeof(*a));

	must(a != NULL);
	*a = (struct ask){ .next = c->asks, .req = ++c->next_req, .to = to, .fn = fn, .owner = owner };
	c->asks = a;
	return a->req;
}

bool ask_on_answer(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	uint64_t req = msg_get_u64(in);

	for (struct ask **at = &c->asks; *at; at = &(*at)->next) {
		struct ask *a = *at;
		bool ok;

		if (a->req != req)
			continue;
		*at = a->next;
		ok = a->fn(a->owner, in);
		free(a);
		return ok;
	}
	/* Nobody waits for it any more. */
	in->left = bytes_of(NULL, 0);
	in->at_fd = in->n_fds;
	return !in->bad;
}

/* The handlers may ask anew; what they ask is at the front of the list, and `role` is away, so they fail at once elsewhere. */
void ask_role_gone(struct core *c, enum sawd_role role)
{
	struct ask *gone = NULL;

	for (struct ask **at = &c->asks; *at;) {
		struct ask *a = *at;

		if (a->to != role) {
			at = &a->next;
			continue;
		}
		*at = a->next;
		a->next = gone;
		gone = a;
	}
	while (gone) {
		struct ask *a = gone;

		gone = a->next;
		(void)a->fn(a->owner, NULL);
		free(a);
	}
}

void ask_forget(struct core *c, const void *owner)
{
	for (struct ask **at = &c->asks; *at;) {
		struct ask *a = *at;

		if (a->owner != owner) {
			at = &a->next;
			continue;
		}
		*at = a->next;
		free(a);
	}
}
