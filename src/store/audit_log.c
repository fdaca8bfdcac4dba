/* Lines gather in memory with their places and hashes already final; a commit writes them all at once and makes them durable
 * (store/audit_file.h). When that fails the file is cut back and places and hashes return to those of the last commit, so that the chain
 * on disk never has a gap or a line of which its sender was told that it was not written. What was written and waits for its sync
 * keeps its text here. */
#include "store/audit_log.h"

#include <errno.h>
#include <stdlib.h>

#include "os/loop.h"
#include "store/audit_file.h"

enum { KEEP_MAX = 256 * 1024 /* memory kept between commits */ };

struct audit_log {
	struct audit_file file;
	struct ocsf_source src;
	char *texts[6]; /* what src borrows */
	struct buf writer, device; /* and what is said alike in each line */
	struct buf pending;
	size_t n_pending;
	size_t written; /* of pending: lies in the file */
	size_t n_written;
	struct audit_log_head done; /* committed */
	struct audit_log_head put; /* with what is written */
	struct audit_log_head next; /* with what is pending */
};

struct audit_log *audit_log_free(struct audit_log *l)
{
	if (!l)
		return NULL;
	audit_file_close(&l->file);
	for (size_t i = 0; i < sizeof(l->texts) / sizeof(l->texts[0]); i++)
		free(l->texts[i]);
	buf_deinit(&l->writer);
	buf_deinit(&l->device);
	buf_deinit(&l->pending);
	free(l);
	return NULL;
}

static bool own_text(char **keep, struct bytes *text)
{
	char *copy = malloc(text->len + 1);

	if (!copy)
		return false;
	if (text->len)
		memcpy(copy, text->p, text->len);
	free(*keep);
	*keep = copy;
	text->p = (uint8_t *)copy;
	return true;
}

static int own_source(struct audit_log *l, const struct ocsf_source *src, struct err *e)
{
	struct bytes *const texts[] = { &l->src.version, &l->src.writer, &l->src.workspace_id, &l->src.workspace_name,
					&l->src.owner,	 &l->src.policy };

	l->src = *src;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!own_text(&l->texts[i], texts[i]))
			return err_sys(e, ENOMEM, "audit log");
	buf_init(&l->writer, OCSF_LINE_MAX);
	buf_init(&l->device, OCSF_LINE_MAX);
	return ocsf_source_fix(&l->src, &l->writer, &l->device) ? 0 : err_sys(e, ENOMEM, "audit log");
}

int audit_log_policy(struct audit_log *l, struct bytes label, bool lab, struct err *e)
{
	if (!own_text(&l->texts[5], &label))
		return err_sys(e, ENOMEM, "audit log");
	l->src.policy = label;
	l->src.lab = lab;
	return 0;
}

int audit_log_open(struct audit_log **ret, const char *path, const struct ocsf_source *src, struct err *e)
{
	struct audit_log *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_sys(e, ENOMEM, "audit log");
	buf_init(&l->pending, AUDIT_LOG_PENDING_MAX + OCSF_LINE_MAX);
	/* Behind what is on disk is at most what waits here. */
	r = audit_file_open(&l->file, path, AUDIT_LOG_PENDING_MAX, &l->done, e);
	l->put = l->done;
	l->next = l->done;
	if (r == 0)
		r = own_source(l, src, e);
	if (r) {
		audit_log_free(l);
		return err_in(e, r, "audit log");
	}
	*ret = l;
	return 0;
}

uint64_t audit_log_torn(const struct audit_log *l)
{
	return l->file.torn;
}

size_t audit_log_pending(const struct audit_log *l)
{
	return l->n_pending;
}

void audit_log_last(const struct audit_log *l, struct audit_log_head *ret)
{
	*ret = l->done;
}

bool audit_log_add(struct audit_log *l, const struct event *ev, const char *code, const char *sentence)
{
	struct ocsf_place at = { .sequence = l->next.sequence + 1 };
	size_t was = l->pending.len;
	struct event stamped = *ev;

	if (was > AUDIT_LOG_PENDING_MAX)
		return false;
	if (!stamped.at_ms)
		stamped.at_ms = clock_real_ms();
	memcpy(at.prev, l->next.sha256, OCSF_HEX_MAX);
	ocsf_render(&l->pending, &stamped, code, sentence, &l->src, &at);
	if (!buf_byte(&l->pending, '\n')) {
		l->pending.failed = false;
		l->pending.len = was;
		return false;
	}
	audit_chain_hash(bytes_of(l->pending.p + was, l->pending.len - was - 1), l->next.sha256);
	l->next.sequence = at.sequence;
	l->n_pending++;
	return true;
}

static void forget_unwritten(struct audit_log *l)
{
	l->pending.len = l->written;
	l->n_pending = l->n_written;
	l->next = l->put;
	audit_file_cut(&l->file);
}

static void forget_pending(struct audit_log *l)
{
	l->n_pending = 0;
	l->n_written = 0;
	l->written = 0;
	l->put = l->done;
	l->next = l->done;
	if (l->pending.cap > KEEP_MAX)
		buf_deinit(&l->pending);
	else
		buf_reset(&l->pending);
	audit_file_cut(&l->file);
}

static int write_pending(struct audit_log *l, struct err *e)
{
	int r = audit_file_put(&l->file, bytes_skip(buf_view(&l->pending), l->written), e);

	if (r) {
		forget_unwritten(l);
		return r;
	}
	l->written = l->pending.len;
	l->n_written = l->n_pending;
	l->put = l->next;
	return 0;
}

int audit_log_write(struct audit_log *l, struct err *e)
{
	int r = l->n_pending > l->n_written ? write_pending(l, e) : 0;

	return err_in(r ? e : NULL, r, "audit log");
}

int audit_log_commit(struct audit_log *l, struct err *e)
{
	int r;

	if (!l->n_pending)
		return 0;
	r = write_pending(l, e);
	if (r)
		return err_in(e, r, "audit log");
	r = audit_file_sync(&l->file, buf_view(&l->pending), &l->next, e);
	if (r == 0)
		l->done = l->next;
	forget_pending(l);
	return err_in(r ? e : NULL, r, "audit log");
}
