#include <stdlib.h>

#include "base/must.h"
#include "os/fd.h"
#include "sawd/core/core.h"

struct ask {
	struct ask *next;
	uint64_t req;
	const struct ask_kind *kind;
	void *owner;
};

uint64_t ask_new(struct core *c, const struct ask_kind *kind, void *owner)
{
	struct ask *a = calloc(1, sizeof(*a));

	must(a != NULL);
	*a = (struct ask){ .next = c->asks, .req = ++c->next_req, .kind = kind, .owner = owner };
	c->asks = a;
	return a->req;
}

static bool may_answer(const struct ask_kind *kind, unsigned from, uint16_t type)
{
	for (size_t i = 0; kind->to == from && i < ASK_ANSWERS_MAX && kind->answers[i]; i++)
		if (kind->answers[i] == type)
			return true;
	return false;
}

/* A role is trusted with the answers to what it was asked, and with nothing else. The question stays when its answer is refused: it is
 * still its role's to answer, or fails with that role's channel. */
static bool on_answer(struct core *c, unsigned from, struct msg_in *in)
{
	uint64_t req = msg_get_u64(in);
	struct ask **at = &c->asks;
	struct ask *a;

	while (*at && (*at)->req != req)
		at = &(*at)->next;
	a = *at;
	if (!a) {
		/* Nobody waits for it any more; whoever is at the other end of what came along is to see that. */
		in->left = bytes_of(NULL, 0);
		while (in->at_fd < in->n_fds)
			(void)fd_close(msg_take_fd(in));
		in->lost = false;
		return !in->bad;
	}
	if (!may_answer(a->kind, from, in->type))
		return false;
	*at = a->next;
	if (a->kind->fn(a->owner, in)) {
		free(a);
		return true;
	}
	a->next = c->asks;
	c->asks = a;
	return false;
}

bool ask_on_launcher(void *owner, struct msg_in *in)
{
	return on_answer(owner, ASK_LAUNCHER, in);
}

bool ask_on_keeper(void *owner, struct msg_in *in)
{
	return on_answer(owner, SAWD_KEEPER, in);
}

bool ask_on_compiler(void *owner, struct msg_in *in)
{
	return on_answer(owner, SAWD_COMPILER, in);
}

/* The handlers may ask anew; what they ask is at the front of the list, and `role` is away, so they fail at once elsewhere. */
void ask_role_gone(struct core *c, enum sawd_role role)
{
	struct ask *gone = NULL;

	for (struct ask **at = &c->asks; *at;) {
		struct ask *a = *at;

		if (a->kind->to != (unsigned)role) {
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
		(void)a->kind->fn(a->owner, NULL);
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
