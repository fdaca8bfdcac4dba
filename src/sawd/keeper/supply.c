#include "sawd/keeper/supply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/fd.h"
#include "os/log.h"

struct supply {
	struct supplies *all;
	struct supply *next;
	char workspace[SAWD_ID_LEN + 1];
	char owner[SAFE_OWNER_MAX + 1];
	struct chan *chan;
	uint64_t n;
	char (*ids)[CREDENTIAL_ID_MAX + 1];
	struct loop_timer again;
	uint64_t said_ms;
	uint64_t retry_ms; /* after which what could not be read is said again; 0: all could be */
};

struct supplies {
	struct loop *loop;
	struct safe *safe;
	supply_end_fn on_end;
	void *owner;
	struct supply *first;
};

static struct msg out;

bool supply_ids_get(struct msg_in *in, struct supply_ids *ret)
{
	ret->n = msg_get_max(in, IPC_SECRETS_MAX);
	for (uint64_t i = 0; i < ret->n; i++) {
		struct bytes id = msg_get_bytes(in, CREDENTIAL_ID_MAX);

		if (in->bad || !credential_id_ok(id))
			return false;
		memcpy(ret->text[i], id.p, id.len);
		ret->text[i][id.len] = '\0';
	}
	return !in->bad;
}

static void supply_free(struct supply *s)
{
	for (struct supply **at = &s->all->first; *at; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			break;
		}
	loop_timer_disarm(&s->again);
	chan_free(s->chan);
	free(s->ids);
	free(s);
}

static struct supply *find(const struct supplies *all, struct bytes workspace)
{
	struct supply *s = all->first;

	while (s && !bytes_is(workspace, s->workspace))
		s = s->next;
	return s;
}

static void say_all(struct supply *s);

static void on_again(struct loop_timer *t)
{
	say_all(t->owner);
}

/* For want of memory or descriptors: nothing is wrong with the file, and no change of it will come to say it anew. */
static void retry(struct supply *s)
{
	s->retry_ms = s->retry_ms ? s->retry_ms * 2 : SUPPLY_RETRY_MS;
	s->retry_ms = s->retry_ms < SUPPLY_RETRY_MAX_MS ? s->retry_ms : SUPPLY_RETRY_MAX_MS;
	(void)loop_timer_arm(s->all->loop, &s->again, s->retry_ms, on_again, s);
}

/* A damaged secret is as good as none: the request that needs it fails closed, and the log says which file. */
static void say(struct supply *s, const char *id)
{
	struct secret *value SECRET_AUTO = NULL;
	struct safe_info info = { 0 };
	struct err e = { 0 };
	int r = safe_get(s->all->safe, bytes_str(s->owner), bytes_str(id), &info, &value, &e);

	if (r < 0)
		log_line("%s", e.text);
	if (r < 0 && r != -EBADMSG && !s->again.slot)
		retry(s);
	if (r == 1) {
		msg_start(&out, MSG_SECRET);
		msg_str(&out, id);
		msg_u64(&out, info.set_ms);
		msg_bytes(&out, secret_view(value));
	} else {
		msg_start(&out, MSG_SECRET_GONE);
		msg_str(&out, id);
	}
	chan_send(s->chan, &out);
	msg_wipe(&out);
}

static void say_all(struct supply *s)
{
	s->said_ms = loop_now_ms(s->all->loop);
	loop_timer_disarm(&s->again);
	for (uint64_t i = 0; i < s->n; i++)
		say(s, s->ids[i]);
	if (!s->again.slot)
		s->retry_ms = 0;
}

/* However often it asks: all workspaces share this process. */
static bool on_wanted(void *owner, struct msg_in *in)
{
	struct supply *s = owner;
	uint64_t since = loop_now_ms(s->all->loop) - s->said_ms;

	if (!msg_end(in))
		return false;
	if (since >= SUPPLY_GAP_MS)
		say_all(s);
	else if (!s->again.slot || s->retry_ms)
		return loop_timer_arm(s->all->loop, &s->again, SUPPLY_GAP_MS - since, on_again, s);
	return true;
}

static const struct chan_permit permits[] = { { MSG_KEEPER_WANTED, on_wanted } };

static void on_end(void *owner, const char *why)
{
	struct supply *s = owner;
	struct supplies *all = s->all;
	char workspace[SAWD_ID_LEN + 1];

	if (bytes_is(bytes_str(why), "closed"))
		log_line("%s: its outlet hung up", s->workspace);
	else
		log_line("%s: channel to its outlet: %s", s->workspace, why);
	memcpy(workspace, s->workspace, sizeof(workspace));
	supply_free(s);
	all->on_end(all->owner, bytes_str(workspace));
}

static bool take_ids(struct supply *s, const struct supply_ids *ids)
{
	char (*copy)[CREDENTIAL_ID_MAX + 1] = calloc(ids->n ? ids->n : 1, sizeof(*copy));

	if (!copy)
		return false;
	for (uint64_t i = 0; i < ids->n; i++)
		memcpy(copy[i], ids->text[i], sizeof(*copy));
	free(s->ids);
	s->ids = copy;
	s->n = ids->n;
	return true;
}

struct supplies *supplies_new(struct loop *l, struct safe *safe, supply_end_fn on_end_fn, void *owner)
{
	struct supplies *s = calloc(1, sizeof(*s));

	if (s)
		*s = (struct supplies){ .loop = l, .safe = safe, .on_end = on_end_fn, .owner = owner };
	return s;
}

struct supplies *supplies_free(struct supplies *s)
{
	if (!s)
		return NULL;
	for (struct supply *one = s->first, *next; one; one = next) {
		next = one->next;
		supply_free(one);
	}
	free(s);
	return NULL;
}

int supply_open(struct supplies *all, struct bytes workspace, struct bytes owner, const struct supply_ids *ids, int *ret_fd,
		struct err *e)
{
	struct supply *s = calloc(1, sizeof(*s));
	int fds[2] = { -1, -1 };
	int r;

	if (!s)
		return err_set(e, ENOMEM, "out of memory for a workspace's secrets");
	supply_end(all, workspace);
	*s = (struct supply){ .all = all, .next = all->first };
	all->first = s;
	(void)snprintf(s->workspace, sizeof(s->workspace), "%.*s", (int)workspace.len, (const char *)workspace.p);
	(void)snprintf(s->owner, sizeof(s->owner), "%.*s", (int)owner.len, (const char *)owner.p);
	r = take_ids(s, ids) ? chan_pair(fds, e) : err_set(e, ENOMEM, "out of memory for a workspace's secrets");
	if (r < 0) {
		supply_free(s);
		return r;
	}
	r = chan_new(&s->chan, all->loop, fds[0], permits, 1, on_end, s, e);
	if (r < 0) {
		(void)fd_close(fds[1]);
		supply_free(s);
		return r;
	}
	chan_wipe(s->chan);
	say_all(s);
	*ret_fd = fds[1];
	return 0;
}

static bool holds(const struct supply_ids *ids, const char *id)
{
	for (uint64_t i = 0; i < ids->n; i++)
		if (bytes_is(bytes_str(ids->text[i]), id))
			return true;
	return false;
}

static bool bound(const struct supply *s, const char *id)
{
	for (uint64_t i = 0; i < s->n; i++)
		if (bytes_is(bytes_str(s->ids[i]), id))
			return true;
	return false;
}

void supply_bind(struct supplies *all, struct bytes workspace, struct bytes owner, const struct supply_ids *ids)
{
	struct supply *s = find(all, workspace);

	if (!s || !bytes_is(owner, s->owner))
		return;
	for (uint64_t i = 0; i < s->n; i++)
		if (!holds(ids, s->ids[i])) {
			msg_start(&out, MSG_SECRET_GONE);
			msg_str(&out, s->ids[i]);
			chan_send(s->chan, &out);
		}
	for (uint64_t i = 0; i < ids->n; i++)
		if (!bound(s, ids->text[i]))
			say(s, ids->text[i]);
	/* Without memory for the list the channel ends, and is asked for anew. */
	if (!take_ids(s, ids))
		on_end(s, "out of memory");
}

void supply_changed(struct supplies *all, struct bytes owner, struct bytes id)
{
	for (struct supply *s = all->first; s; s = s->next)
		for (uint64_t i = 0; bytes_is(owner, s->owner) && i < s->n; i++)
			if (bytes_is(id, s->ids[i]))
				say(s, s->ids[i]);
}

void supply_end(struct supplies *all, struct bytes workspace)
{
	struct supply *s = find(all, workspace);

	if (s)
		supply_free(s);
}
