#include "sawd/keeper/change.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "os/fd.h"
#include "os/loop.h"

/* Sealed, so that it is the same at every look; read straight into guarded memory. */
static int read_value(int fd, struct secret **ret, struct err *e)
{
	const int want = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	int seals = fcntl(fd, F_GET_SEALS);
	struct secret *s SECRET_AUTO = NULL;
	struct stat st;

	if (seals < 0 || (seals & want) != want || fstat(fd, &st) < 0)
		return err_set(e, EINVAL, "the value came in something else than sealed memory");
	if (st.st_size > CREDENTIAL_MAX)
		return err_set(e, EINVAL, "the value %s", credential_fault_text(CREDENTIAL_TOO_LONG));
	s = secret_new_empty((size_t)st.st_size);
	if (!s)
		return err_set(e, ENOMEM, "out of guarded memory for a secret");
	if (fd_pread_all(fd, secret_room(s), (size_t)st.st_size, 0) < 0)
		return err_set(e, EIO, "the value could not be read");
	*ret = s;
	s = NULL;
	return 0;
}

static enum sawd_secret_answer refuse_value(int r, struct err *e, const struct secret *value)
{
	enum credential_fault f = r < 0 ? CREDENTIAL_OK : credential_check(secret_view(value));

	if (r < 0)
		return r == -EINVAL ? SAWD_SECRET_BAD : SAWD_SECRET_FAILED;
	if (f == CREDENTIAL_OK)
		return SAWD_SECRET_OK;
	(void)err_set(e, EINVAL, "the value %s", credential_fault_text(f));
	return SAWD_SECRET_BAD;
}

static void count_one(void *ctx, struct bytes id, const struct safe_info *info, const char *fault)
{
	(void)ctx;
	(void)id;
	(void)info;
	(void)fault;
}

/* What there is decides what may be asked. A damaged one may be replaced and removed. */
static enum sawd_secret_answer judge(struct changes *c, struct change *k, struct err *e)
{
	struct err damage = { 0 };
	struct safe_info had = { 0 };
	uint64_t now = clock_real_ms();
	int r = safe_get(c->safe, bytes_str(k->owner), bytes_str(k->id), &had, NULL, &damage);

	if (r != 0 && k->op == SAWD_SECRET_NEW)
		return SAWD_SECRET_EXISTS;
	if (r == 0 && (k->op == SAWD_SECRET_ROTATE || k->op == SAWD_SECRET_REMOVE))
		return SAWD_SECRET_MISSING;
	k->info = had;
	if (k->op == SAWD_SECRET_REMOVE)
		return SAWD_SECRET_OK;
	if (r == 0 && safe_list(c->safe, bytes_str(k->owner), count_one, NULL, e) >= SAFE_FILES_MAX) {
		(void)err_set(e, ENOSPC, "there are %d secrets already", SAFE_FILES_MAX);
		return SAWD_SECRET_FULL;
	}
	k->info.version = had.version + 1;
	k->info.created_ms = had.created_ms ? had.created_ms : now;
	k->info.set_ms = now > had.set_ms ? now : had.set_ms + 1;
	return SAWD_SECRET_OK;
}

enum sawd_secret_answer change_prepare(struct changes *c, uint64_t req, enum sawd_secret_op op, struct bytes owner, struct bytes id,
				       int fd, struct change **ret, struct err *e)
{
	struct change *k = c->slots;
	enum sawd_secret_answer a;
	int r = 0;

	if (!credential_id_ok(id) || owner.len == 0 || owner.len > SAFE_OWNER_MAX) {
		(void)err_set(e, EINVAL, "the id is 1 to %d of a-z, 0-9, '-', '_' and '.'", CREDENTIAL_ID_MAX);
		return SAWD_SECRET_BAD;
	}
	while (k < c->slots + CHANGES_MAX && k->used)
		k++;
	if (k == c->slots + CHANGES_MAX) {
		(void)err_set(e, EBUSY, "too many secrets are being changed at once");
		return SAWD_SECRET_FULL;
	}
	*k = (struct change){ .used = true, .req = req, .op = op };
	(void)snprintf(k->owner, sizeof(k->owner), "%.*s", (int)owner.len, (const char *)owner.p);
	(void)snprintf(k->id, sizeof(k->id), "%.*s", (int)id.len, (const char *)id.p);
	if (op != SAWD_SECRET_REMOVE)
		r = read_value(fd, &k->value, e);
	a = op == SAWD_SECRET_REMOVE ? SAWD_SECRET_OK : refuse_value(r, e, k->value);
	a = a == SAWD_SECRET_OK ? judge(c, k, e) : a;
	if (a == SAWD_SECRET_OK)
		*ret = k;
	else
		change_drop(k);
	return a;
}

struct change *change_find(struct changes *c, uint64_t req)
{
	for (size_t i = 0; i < CHANGES_MAX; i++)
		if (c->slots[i].used && c->slots[i].req == req)
			return &c->slots[i];
	return NULL;
}

int change_make(struct changes *c, struct change *k, struct err *e)
{
	struct err damage = { 0 };
	struct safe_info had = { 0 };
	struct bytes owner = bytes_str(k->owner);
	struct bytes id = bytes_str(k->id);
	int r = safe_get(c->safe, owner, id, &had, NULL, &damage);

	/* What is removed is what was seen: gone already, or damaged, is as well. */
	if (k->value ? r >= 0 && had.version + 1 != k->info.version : r == 1 && had.version != k->info.version)
		return err_set(e, EAGAIN, "it was changed by somebody else in the same moment");
	return k->value ? safe_put(c->safe, owner, id, &k->info, k->value, e) : safe_remove(c->safe, owner, id, e);
}

void change_drop(struct change *k)
{
	k->value = secret_free(k->value);
	*k = (struct change){ .used = false };
}

void changes_drop_all(struct changes *c)
{
	for (size_t i = 0; i < CHANGES_MAX; i++)
		change_drop(&c->slots[i]);
}
