#include "sawd/core/api.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/time_text.h"
#include "ipc/types.h"
#include "os/fd.h"
#include "os/log.h"
#include "sawd/core/secrets.h"
#include "store/images.h"

enum { PAGE_MAX = 1000, GRACE_MAX_MS = 600 * 1000 };

bool api_may_change(struct core *c, uint64_t req)
{
	struct err e = { 0 };

	if (c->draining) {
		api_problem(c, req, &(struct sawd_problem){ .status = 503, .exit_code = 1, .code = "busy",
							    .detail = "the control plane is going down",
							    .remedy = "`saw up` starts it again" });
		return false;
	}
	if (journal_ok(c, &e))
		return true;
	api_error(c, req, JOURNAL_FAULT, &e);
	return false;
}

void api_not_found(struct core *c, uint64_t req, struct bytes name)
{
	char detail[SAWD_CHANNEL_MAX + 64];

	(void)snprintf(detail, sizeof(detail), "there is no workspace %.*s", (int)name.len, (const char *)name.p);
	api_problem(c, req, &(struct sawd_problem){ .status = 404, .exit_code = 4, .code = "not_found",
						    .detail = detail, .field = "name",
						    .remedy = "`saw ls` lists them" });
}

void api_being_deleted(struct core *c, uint64_t req)
{
	api_problem(c, req, &(struct sawd_problem){ .status = 409, .exit_code = 1, .code = "conflict",
						    .detail = "the workspace is being deleted",
						    .remedy = "wait until it is gone, then create it again" });
}

bool api_record(struct core *c, uint64_t req, struct bytes name, struct workspace *ret)
{
	struct err e = { 0 };
	int r = sawd_id_ok(name, "ws-") ? workspaces_by_id(c->db, name, ret, &e) :
					  workspaces_by_name(c->db, c->owner, name, ret, &e);

	if (r == 1)
		return true;
	if (r == 0)
		api_not_found(c, req, name);
	else
		api_error(c, req, r, &e);
	return false;
}

static bool on_status(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	uint64_t req = msg_get_u64(in);
	struct err e = { 0 };

	if (!msg_end(in))
		return false;
	msg_start(&core_out, MSG_API_STATUS_DONE);
	msg_u64(&core_out, req);
	msg_u64(&core_out, journal_ok(c, &e) && c->audit_ok);
	core_send(c, SAWD_FRONT);
	return true;
}

static bool on_get(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	uint64_t req = msg_get_u64(in);
	struct bytes name = msg_get_bytes(in, SAWD_NAME_MAX);
	struct workspace row;

	if (!msg_end(in))
		return false;
	if (api_record(c, req, name, &row))
		api_row(c, req, &row);
	return true;
}

struct page {
	struct core *core;
	uint64_t req;
	uint64_t left;
	bool more;
	char last[SAWD_NAME_MAX + 1];
};

static bool on_page_row(void *ctx, const struct workspace *row)
{
	struct page *p = ctx;

	if (p->left == 0) {
		p->more = true;
		return false;
	}
	p->left--;
	(void)snprintf(p->last, sizeof(p->last), "%s", row->name);
	api_row(p->core, p->req, row);
	return true;
}

static void end(struct core *c, uint64_t req, const char *token)
{
	msg_start(&core_out, MSG_API_END);
	msg_u64(&core_out, req);
	msg_str(&core_out, token);
	core_send(c, SAWD_FRONT);
}

static bool on_list(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	struct page p = { .core = c, .req = msg_get_u64(in), .left = msg_get_max(in, PAGE_MAX) };
	struct bytes after = msg_get_bytes(in, SAWD_NAME_MAX);
	uint64_t state = msg_get_max(in, SAWD_STATE_END - 1);
	struct err e = { 0 };
	int r;

	if (!msg_end(in) || p.left == 0)
		return false;
	/* One more than asked for says whether there is a next page. */
	r = workspaces_page(c->db, c->owner, after, state ? sawd_state_text((enum sawd_state)state) : "", p.left + 1, on_page_row, &p,
			    &e);
	if (r < 0)
		api_error(c, p.req, r, &e);
	else
		end(c, p.req, p.more ? p.last : "");
	return true;
}

static const char *const operations[SAWD_VERB_END] = { "", "workspaces.start", "workspaces.stop", "workspaces.restart",
						       "workspaces.rebuild", "workspaces.delete" };

static void apply(struct ws *w, enum sawd_verb verb)
{
	switch (verb) {
	case SAWD_START:
		w->desired = SAWD_WANT_RUNNING;
		break;
	case SAWD_STOP:
		w->desired = SAWD_WANT_STOPPED;
		break;
	case SAWD_RESTART:
		w->desired = SAWD_WANT_RUNNING;
		w->row.pending |= WORKSPACE_RESTART;
		break;
	case SAWD_REBUILD:
		w->row.pending |= WORKSPACE_REBUILD;
		break;
	case SAWD_DELETE:
	case SAWD_VERB_END:
	default:
		w->desired = SAWD_WANT_DELETED;
		break;
	}
}

/* It changes nothing: no event, no write. */
static bool is_so_already(const struct ws *w, enum sawd_verb verb)
{
	return (verb == SAWD_START && w->desired == SAWD_WANT_RUNNING && !w->row.pending && w->state == SAWD_RUNNING) ||
	       (verb == SAWD_DELETE && w->desired == SAWD_WANT_DELETED) ||
	       (verb == SAWD_STOP && w->desired == SAWD_WANT_STOPPED && w->state == SAWD_STOPPED);
}

static void want(struct core *c, uint64_t req, struct ws *w, enum sawd_verb verb, uint64_t grace)
{
	const char *operation = operations[verb];
	enum sawd_desired before = w->desired;
	uint64_t pending = w->row.pending;
	struct err e = { 0 };
	int r = 0;

	if (!is_so_already(w, verb)) {
		r = journal_call(c, operation, w->row.id, w->row.name, "", &e);
		if (r == 0) {
			apply(w, verb);
			r = ws_save(w, &e);
			if (r < 0)
				journal_failed(c, REASON_CHANGE_FAILED, operation, w->row.id, e.text);
		}
	}
	if (r < 0) {
		w->desired = before;
		w->row.pending = pending;
		api_error(c, req, r, &e);
		ws_kick(w);
		return;
	}
	w->grace_ms = grace;
	w->grace_sent = false;
	w->not_before_ms = 0;
	w->retry_ms = WS_RETRY_MS;
	api_row(c, req, &w->row);
	ws_kick(w);
}

static bool on_want(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	uint64_t req = msg_get_u64(in);
	struct bytes name = msg_get_bytes(in, SAWD_NAME_MAX);
	enum sawd_verb verb = (enum sawd_verb)msg_get_max(in, SAWD_VERB_END - 1);
	uint64_t grace = msg_get_max(in, GRACE_MAX_MS);
	struct ws *w = NULL;
	struct err e = { 0 };
	int r;

	if (!msg_end(in) || !verb)
		return false;
	if (!api_may_change(c, req))
		return true;
	r = ws_wake(c, name, &w, &e);
	if (r < 0)
		api_error(c, req, r, &e);
	else if (r == 0)
		api_not_found(c, req, name);
	else if (w->desired == SAWD_WANT_DELETED && verb != SAWD_DELETE)
		api_being_deleted(c, req);
	else
		want(c, req, w, verb, grace);
	return true;
}

static int open_read(const char *path, int more)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | more, 0600);

	return fd < 0 ? -errno : fd;
}

/* A log that is not there yet is made, so that whoever follows it sees its first line. Not where it was kept already: its workspace is being
 * deleted, and the next try to do so would put the empty one in the kept one's place. -ENOENT: there is none. */
static int open_file(struct core *c, const char *id, enum sawd_file kind, bool exists, struct err *e)
{
	static const char *const names[SAWD_FILE_END] = { "", "console.log", "supervisor.log", "audit.jsonl" };
	char path[PATHS_MAX];
	char kept[PATHS_MAX];
	char part[64];
	int r = files_path(c, path, id, names[kind], e);

	(void)snprintf(part, sizeof(part), *id ? "audit/workspaces/%s.jsonl" : "audit/control%s.jsonl", id);
	r = r < 0 ? r : paths_join(kept, c->state, part, e);
	if (r < 0)
		return r;
	r = *id ? open_read(path, 0) : -ENOENT;
	if (r == -ENOENT && kind == SAWD_FILE_AUDIT)
		r = open_read(kept, 0);
	if (r == -ENOENT && *id && exists)
		r = open_read(path, O_CREAT);
	return r < 0 && r != -ENOENT ? err_sys(e, -r, "open %s", names[kind]) : r;
}

static void send_file(struct core *c, uint64_t req, const char *id, enum sawd_file kind, bool exists)
{
	struct err e = { 0 };
	FD_AUTO int fd = open_file(c, id, kind, exists, &e);

	if (fd == -ENOENT && !exists) {
		api_not_found(c, req, bytes_str(id));
		return;
	}
	if (fd == -ENOENT)
		fd = fd_sealed("empty", "", 0, &e);
	if (fd < 0) {
		api_error(c, req, fd, &e);
		return;
	}
	msg_start(&core_out, MSG_API_FILE_DONE);
	msg_u64(&core_out, req);
	msg_str(&core_out, id);
	msg_fd(&core_out, fd);
	core_send(c, SAWD_FRONT);
}

static bool on_file(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	uint64_t req = msg_get_u64(in);
	struct bytes name = msg_get_bytes(in, SAWD_NAME_MAX);
	enum sawd_file kind = (enum sawd_file)msg_get_max(in, SAWD_FILE_END - 1);
	char id[SAWD_ID_LEN + 1] = "";
	struct workspace row;
	struct err e = { 0 };
	int r;

	if (!msg_end(in) || !kind || (!name.len && kind != SAWD_FILE_AUDIT))
		return false;
	r = !name.len ? 0 :
	    sawd_id_ok(name, "ws-") ? workspaces_by_id(c->db, name, &row, &e) :
				      workspaces_by_name(c->db, c->owner, name, &row, &e);
	if (r < 0) {
		api_error(c, req, r, &e);
		return true;
	}
	if (r == 1)
		memcpy(id, row.id, sizeof(id));
	else if (sawd_id_ok(name, "ws-") && kind == SAWD_FILE_AUDIT)
		memcpy(id, name.p, name.len); /* of a deleted workspace */
	else if (name.len) {
		api_not_found(c, req, name);
		return true;
	}
	send_file(c, req, id, kind, r == 1 || !name.len);
	return true;
}

static void send_image(struct core *c, uint64_t req, const struct image *i)
{
	uint64_t created = 0;

	(void)time_text_parse(bytes_str(i->created), &created);
	msg_start(&core_out, MSG_API_IMAGE_ROW);
	msg_u64(&core_out, req);
	msg_str(&core_out, i->digest);
	msg_str(&core_out, i->name);
	msg_u64(&core_out, created);
	msg_u64(&core_out, i->bytes);
	core_send(c, SAWD_FRONT);
}

static bool on_images(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	uint64_t req = msg_get_u64(in);
	struct image *list = NULL;
	char dir[PATHS_MAX];
	struct err e = { 0 };
	size_t n = 0;
	int r;

	if (!msg_end(in))
		return false;
	r = files_images(c, dir, &e);
	r = r < 0 ? r : images_list(dir, &list, &n, &e);
	for (size_t i = 0; r == 0 && i < n; i++)
		send_image(c, req, &list[i]);
	free(list);
	if (r < 0)
		api_error(c, req, r, &e);
	else
		end(c, req, "");
	return true;
}

static size_t n_running(const struct core *c)
{
	size_t n = 0;

	for (size_t i = 0; i < CORE_BUCKETS; i++)
		for (const struct ws *w = c->buckets[i]; w; w = w->next)
			n += w->control != NULL || w->state == SAWD_STARTING;
	return n;
}

static bool on_shutdown(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	uint64_t req = msg_get_u64(in);
	uint64_t all = msg_get_max(in, 1);
	struct err e = { 0 };
	int r;

	if (!msg_end(in))
		return false;
	/* Going down without stopping anything changes no workspace: a log that cannot be written does not hold it up. */
	r = journal_call(c, "sawd.stop", "", "", all ? "with all workspaces" : "", &e);
	if (r < 0 && all) {
		api_error(c, req, r, &e);
		return true;
	}
	msg_start(&core_out, MSG_API_SHUTDOWN_DONE);
	msg_u64(&core_out, req);
	msg_u64(&core_out, all ? n_running(c) : 0);
	core_send(c, SAWD_FRONT);
	if (all) {
		c->draining = true;
		ws_each(c, ws_kick);
		reconcile_drained(c);
		return true;
	}
	msg_start(&core_out, MSG_SAWD_DOWN);
	chan_send(c->parent, &core_out);
	return true;
}

const struct chan_permit api_permits[] = {
	{ MSG_API_STATUS, on_status },
	{ MSG_API_CREATE, create_on_create },
	{ MSG_API_GET, on_get },
	{ MSG_API_LIST, on_list },
	{ MSG_API_WANT, on_want },
	{ MSG_API_POLICY, create_on_policy },
	{ MSG_API_FILE, on_file },
	{ MSG_API_SESSION, sessions_on_issue },
	{ MSG_API_SESSIONS, sessions_on_list },
	{ MSG_API_SESSION_END, sessions_on_end },
	{ MSG_API_TUNNEL, sessions_on_tunnel },
	{ MSG_API_IMAGES, on_images },
	{ MSG_API_SECRET_SET, secrets_on_set },
	{ MSG_API_SECRET_RM, secrets_on_rm },
	{ MSG_API_SECRETS, secrets_on_list },
	{ MSG_API_SHUTDOWN, on_shutdown },
	{ MSG_API_PUSH, channels_on_push },
	{ MSG_API_CHANNELS, channels_on_list },
	{ MSG_API_CHANNEL_SET, channels_on_set },
	{ MSG_API_CHANNEL_ROLLBACK, channels_on_rollback },
	{ MSG_API_KEY, channels_on_key },
	{ MSG_API_TUNNEL_CLOSED, sessions_on_tunnel_closed },
};
const size_t n_api_permits = sizeof(api_permits) / sizeof(api_permits[0]);
