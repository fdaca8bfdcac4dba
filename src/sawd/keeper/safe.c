/* What is sealed: u64 created, u64 set (real ms, big-endian), then the value. The version stands in the seal's head and is part of what
 * is authenticated, as are owner and id. A file is written beside, synced, and renamed: after a crash the old value is there or the
 * new one. */
#include "sawd/keeper/safe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sort.h"
#include "crypt/seal.h"
#include "os/fd.h"
#include "os/log.h"
#include "sawd/keeper/seal_file.h"
#include "wire/credential.h"

enum { TIMES_LEN = 16, OWNER_NAME_MAX = 3 * SAFE_OWNER_MAX + 1 };

struct safe {
	struct secret *key;
	int dir_fd; /* secrets/ */
};

/* Letters, digits, '-' and '_' stand for themselves, every other byte is %XX: no two owners share a folder, and none leaves it. */
static bool owner_name(struct bytes owner, char ret[OWNER_NAME_MAX])
{
	char *at = ret;

	if (owner.len == 0 || owner.len > SAFE_OWNER_MAX)
		return false;
	for (size_t i = 0; i < owner.len; i++) {
		uint8_t c = owner.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_')
			*at++ = (char)c;
		else
			at += snprintf(at, 4, "%%%02X", c);
	}
	*at = '\0';
	return true;
}

static struct seal_label label(struct bytes owner, struct bytes id, uint64_t version)
{
	return (struct seal_label){ .kind = "secret", .owner = owner, .id = id, .version = version };
}

/* The owner's folder; -ENOENT without a sentence when it is not there and shall not be made. */
static int owner_folder(const struct safe *s, struct bytes owner, bool make, struct err *e)
{
	char name[OWNER_NAME_MAX];
	int fd;

	if (!owner_name(owner, name))
		return err_set(e, EINVAL, "secrets: no owner has such a name");
	if (make && mkdirat(s->dir_fd, name, 0700) == 0 && fsync(s->dir_fd) < 0)
		return err_sys(e, errno, "secrets/%s", name);
	fd = openat(s->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT && !make)
		return -ENOENT;
	return fd < 0 ? err_sys(e, errno, "secrets/%s", name) : fd;
}

static bool name_of(struct bytes id, char ret[CREDENTIAL_ID_MAX + 1])
{
	if (!credential_id_ok(id))
		return false;
	memcpy(ret, id.p, id.len);
	ret[id.len] = '\0';
	return true;
}

static uint64_t get_u64(const uint8_t *p)
{
	uint64_t v = 0;

	for (size_t i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

/* The opened record: times off the front, the rest is the value and must be one. */
static int take_apart(struct secret *s, struct safe_info *ret, const char *file, struct err *e)
{
	struct bytes v = secret_view(s);
	enum credential_fault f;

	if (v.len < TIMES_LEN)
		return err_set(e, EBADMSG, "%s: holds no value: set it again", file);
	ret->created_ms = get_u64(v.p);
	ret->set_ms = get_u64(v.p + 8);
	secret_cut(s, TIMES_LEN, 0);
	f = credential_check(secret_view(s));
	return f == CREDENTIAL_OK ? 0 : err_set(e, EBADMSG, "%s: the value %s: set it again", file, credential_fault_text(f));
}

static int get_in(struct safe *s, int dir_fd, struct bytes owner, struct bytes id, struct safe_info *ret, struct secret **ret_value,
		  struct err *e)
{
	struct secret *value SECRET_AUTO = NULL;
	struct safe_info info = { 0 };
	char owner_text[OWNER_NAME_MAX];
	char name[CREDENTIAL_ID_MAX + 1];
	char file[OWNER_NAME_MAX + CREDENTIAL_ID_MAX + 16];
	struct seal_label l;
	int r;

	if (!owner_name(owner, owner_text) || !name_of(id, name))
		return err_set(e, EINVAL, "secrets: there can be none with such an id");
	(void)snprintf(file, sizeof(file), "secrets/%s/%s", owner_text, name);
	l = label(owner, id, 0);
	r = seal_file_get(dir_fd, name, file, s->key, &l, &value, e);
	if (r != 1)
		return r;
	info.version = l.version;
	r = take_apart(value, &info, file, e);
	if (r < 0)
		return r;
	*ret = info;
	if (ret_value) {
		*ret_value = value;
		value = NULL;
	}
	return 1;
}

int safe_get(struct safe *s, struct bytes owner, struct bytes id, struct safe_info *ret, struct secret **ret_value, struct err *e)
{
	FD_AUTO int dir_fd = owner_folder(s, owner, false, e);

	if (dir_fd < 0)
		return dir_fd == -ENOENT ? 0 : dir_fd;
	return get_in(s, dir_fd, owner, id, ret, ret_value, e);
}

int safe_put(struct safe *s, struct bytes owner, struct bytes id, const struct safe_info *info, const struct secret *value,
	     struct err *e)
{
	struct bytes v = secret_view(value);
	struct secret *record SECRET_AUTO = secret_new_empty(TIMES_LEN + v.len);
	struct seal_label l = label(owner, id, info->version);
	FD_AUTO int dir_fd = -1;
	char name[CREDENTIAL_ID_MAX + 1];
	uint8_t *p;

	if (!record)
		return err_set(e, ENOMEM, "out of guarded memory for a secret");
	if (!name_of(id, name))
		return err_set(e, EINVAL, "secrets: there can be none with such an id");
	p = secret_room(record);
	for (size_t i = 0; i < 8; i++) {
		p[i] = (uint8_t)(info->created_ms >> (56 - 8 * i));
		p[8 + i] = (uint8_t)(info->set_ms >> (56 - 8 * i));
	}
	memcpy(p + TIMES_LEN, v.p, v.len);
	dir_fd = owner_folder(s, owner, true, e);
	return dir_fd < 0 ? dir_fd : seal_file_put(dir_fd, name, s->key, &l, secret_view(record), e);
}

int safe_remove(struct safe *s, struct bytes owner, struct bytes id, struct err *e)
{
	char name[CREDENTIAL_ID_MAX + 1];
	FD_AUTO int dir_fd = owner_folder(s, owner, false, e);

	if (dir_fd < 0)
		return dir_fd == -ENOENT ? 0 : dir_fd;
	if (!name_of(id, name))
		return 0;
	if ((unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT) || fsync(dir_fd) < 0)
		return err_sys(e, errno, "remove secret %s", name);
	return 0;
}

static DIR *folder_of(int dir_fd)
{
	int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		(void)fd_close(fd);
	else
		rewinddir(d);
	return d;
}

struct ids {
	char text[SAFE_FILES_MAX][CREDENTIAL_ID_MAX + 1];
	const char *sorted[SAFE_FILES_MAX];
};

static int by_text(const void *a, const void *b, const void *context)
{
	(void)context;
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t read_ids(DIR *d, struct ids *ret)
{
	struct dirent *entry;
	size_t n = 0;

	while (n < SAFE_FILES_MAX && (entry = readdir(d)) != NULL) {
		struct bytes id = bytes_str(entry->d_name);

		if (!credential_id_ok(id))
			continue;
		memcpy(ret->text[n], id.p, id.len);
		ret->text[n][id.len] = '\0';
		ret->sorted[n] = ret->text[n];
		n++;
	}
	sort(ret->sorted, n, sizeof(ret->sorted[0]), by_text, NULL);
	return n;
}

int safe_list(struct safe *s, struct bytes owner, safe_fn fn, void *ctx, struct err *e)
{
	FD_AUTO int dir_fd = owner_folder(s, owner, false, e);
	struct ids ids;
	size_t n;
	DIR *d;

	if (dir_fd < 0)
		return dir_fd == -ENOENT ? 0 : dir_fd;
	d = folder_of(dir_fd);
	if (!d)
		return err_sys(e, errno, "read the folder of secrets");
	n = read_ids(d, &ids);
	(void)closedir(d);
	for (size_t i = 0; i < n; i++) {
		struct bytes id = bytes_str(ids.sorted[i]);
		struct safe_info info = { 0 };
		struct err fault = { 0 };

		(void)get_in(s, dir_fd, owner, id, &info, NULL, &fault);
		fn(ctx, id, &info, fault.text);
	}
	return (int)n;
}

/* A write that was cut short left a file whose name is no id. */
static void sweep(int dir_fd)
{
	DIR *d = folder_of(dir_fd);
	struct dirent *entry;

	while (d && (entry = readdir(d)) != NULL) {
		FD_AUTO int owner_fd = -1;
		struct dirent *file;
		DIR *below;

		if (entry->d_name[0] == '.')
			continue;
		owner_fd = openat(dir_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		below = owner_fd < 0 ? NULL : folder_of(owner_fd);
		while (below && (file = readdir(below)) != NULL)
			if (seal_file_is_leftover(file->d_name))
				(void)unlinkat(owner_fd, file->d_name, 0);
		if (below)
			(void)closedir(below);
	}
	if (d)
		(void)closedir(d);
}

int safe_open(struct safe **ret, const char *folder, const char *credential, struct err *e)
{
	FD_AUTO int key_dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct safe *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(e, ENOMEM, "out of memory");
	s->dir_fd = -1;
	r = key_dir_fd < 0 ? err_sys(e, errno, "open") : seal_file_key(key_dir_fd, credential, &s->key, e);
	if (r == 0 && mkdirat(key_dir_fd, "secrets", 0700) < 0 && errno != EEXIST)
		r = err_sys(e, errno, "make secrets");
	if (r == 0) {
		s->dir_fd = openat(key_dir_fd, "secrets", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		r = s->dir_fd < 0 ? err_sys(e, errno, "open secrets") : 0;
	}
	if (r < 0) {
		safe_free(s);
		return err_in(e, r, "key folder %s", folder);
	}
	sweep(s->dir_fd);
	*ret = s;
	return 0;
}

struct safe *safe_free(struct safe *s)
{
	if (!s)
		return NULL;
	s->key = secret_free(s->key);
	(void)fd_close(s->dir_fd);
	free(s);
	return NULL;
}

const struct secret *safe_key(const struct safe *s)
{
	return s->key;
}
