#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/log.h"
#include "sawd/core/ws.h"
#include "wire/bundle.h"

enum { SWEEP_AFTER = 64, TIDY_MS = 1000 };

/* Here bundles are runs of bytes and nothing is read in them: the compiler said what they hold when they came, and the supervisor that loads
 * one checks it again. A file is named after the release, so that a new one never takes the place of an old one. */

int bundles_put(const struct core *c, const char *release, struct bytes raw, struct err *e)
{
	char folder[PATHS_MAX];
	char name[80];
	int r = paths_join(folder, c->state, "policies", e);

	(void)snprintf(name, sizeof(name), "%.64s.bundle", release);
	return r < 0 ? r : files_put(folder, name, raw, e);
}

int bundles_store(const struct core *c, const char *release, int fd, struct err *e)
{
	const void *p = NULL;
	size_t len = 0;
	int r = fd_map_sealed(fd, BUNDLE_MAX, &p, &len, e);

	if (r < 0)
		return r;
	r = bundles_put(c, release, bytes_of(p, len), e);
	(void)munmap((void *)(uintptr_t)p, len);
	return r;
}

int bundles_open(const struct core *c, const char *release, struct err *e)
{
	char path[PATHS_MAX];
	FD_AUTO int fd = -1;
	struct stat st = { 0 };
	uint8_t *p;
	int r = snprintf(path, sizeof(path), "%s/policies/%s.bundle", c->state, release);

	if (r < 0 || r >= PATHS_MAX)
		return err_set(e, ENAMETOOLONG, "the state folder's path is too long");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "the policy is gone (%s): load it again", path);
	if (st.st_size <= 0 || st.st_size > BUNDLE_MAX)
		return err_set(e, EBADMSG, "the policy is damaged (%s): load it again", path);
	p = malloc((size_t)st.st_size);
	if (!p)
		return err_set(e, ENOMEM, "out of memory for a policy");
	r = fd_pread_all(fd, p, (size_t)st.st_size, 0);
	r = r < 0 ? err_sys(e, -r, "read %s", path) : fd_sealed("bundle", p, (size_t)st.st_size, e);
	free(p);
	return r;
}

int bundles_copy(const struct core *c, const char *release, const char *folder, struct err *e)
{
	FD_AUTO int fd = bundles_open(c, release, e);
	const void *p = NULL;
	size_t len = 0;
	int r = fd < 0 ? fd : fd_map_sealed(fd, BUNDLE_MAX, &p, &len, e);

	if (r < 0)
		return r;
	r = files_put(folder, "bundle", bytes_of(p, len), e);
	(void)munmap((void *)(uintptr_t)p, len);
	return r;
}

/* Some gateway judges by this compiled policy: it is read until the next one is in force. */
static bool is_in_force(const struct core *c, const char *sha256)
{
	for (size_t i = 0; i < CORE_BUCKETS; i++)
		for (const struct ws *w = c->buckets[i]; w; w = w->next)
			if (strcmp(w->bound_sha256, sha256) == 0)
				return true;
	return false;
}

/* A release that was pushed is kept for ever, and so is its compiled policy; those of a single workspace as long as it has them. */
static bool is_used(struct core *c, const char *name, const char *end)
{
	char hash[SAWD_RELEASE_LEN + 1] = { 0 };
	struct release found;
	struct err e = { 0 };

	if (strlen(name) != SAWD_RELEASE_LEN + strlen(end))
		return false;
	memcpy(hash, name, SAWD_RELEASE_LEN);
	if (strcmp(end, ".blob") == 0)
		return is_in_force(c, hash) || workspaces_policy_used(c->db, hash, &e) != 0 || releases_policy_used(c->db, hash, &e) != 0;
	return workspaces_release_used(c->db, hash, &e) != 0 || releases_find(c->db, bytes_str(hash), &found, &e) != 0;
}

void bundles_sweep(struct core *c)
{
	char path[PATHS_MAX];
	struct dirent *entry;
	struct err e = { 0 };
	DIR *d;

	if (paths_join(path, c->state, "policies", &e) < 0 || !(d = opendir(path)))
		return;
	while ((entry = readdir(d)) != NULL) {
		struct bytes name = bytes_str(entry->d_name);
		bool bundle = bytes_ends(name, bytes_str(".bundle"));

		if (entry->d_name[0] == '.')
			continue;
		if ((bundle || bytes_ends(name, bytes_str(".blob"))) && is_used(c, entry->d_name, bundle ? ".bundle" : ".blob"))
			continue;
		if (unlinkat(dirfd(d), entry->d_name, 0) < 0)
			log_line("remove policies/%s: %s", entry->d_name, strerror(errno));
	}
	(void)closedir(d);
}

static void on_tidy(struct loop_timer *t)
{
	struct core *c = t->owner;

	/* Each policy that comes waits for an answer of the compiler or of keeper once its first file is there. */
	if (c->asks) {
		(void)loop_timer_arm(c->loop, t, TIDY_MS, on_tidy, c);
		return;
	}
	c->n_stored = 0;
	bundles_sweep(c);
}

void bundles_stored(struct core *c)
{
	if (++c->n_stored >= SWEEP_AFTER && !c->tidy.slot)
		(void)loop_timer_arm(c->loop, &c->tidy, TIDY_MS, on_tidy, c);
}
