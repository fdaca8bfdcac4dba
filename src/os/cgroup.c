#include "os/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fd.h"

enum { TEXT_MAX = 16384 /* of /proc/self/cgroup: a line for each hierarchy */ };

static int read_text(const char *path, char ret[TEXT_MAX])
{
	FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (len < TEXT_MAX - 1 && (n = read(fd, ret + len, TEXT_MAX - 1 - len)) > 0)
		len += (size_t)n;
	ret[len] = '\0';
	return 0;
}

static int write_text(const char *folder, const char *name, const char *text)
{
	char path[PATHS_MAX];
	FD_AUTO int fd = -1;

	if (paths_join(path, folder, name, NULL) < 0)
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

/* The fifth field of a mountinfo line: proc(5). */
static bool mount_point(char *line, char ret[PATHS_MAX])
{
	const char *field = NULL;

	for (int i = 0; i < 5; i++)
		field = strsep(&line, " ");
	return field && snprintf(ret, PATHS_MAX, "%s", field) < PATHS_MAX;
}

static bool find_mount(char ret[PATHS_MAX])
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t cap = 0;
	bool found = false;

	/* However many mounts stand before it: a host of containers has hundreds. */
	while (f && !found && getline(&line, &cap, f) > 0)
		found = strstr(line, " - cgroup2 ") && mount_point(line, ret);
	free(line);
	if (f)
		(void)fclose(f);
	return found;
}

static bool find_own(char ret[PATHS_MAX])
{
	char text[TEXT_MAX];
	char mount[PATHS_MAX];
	char *at;

	if (!find_mount(mount) || read_text("/proc/self/cgroup", text) < 0)
		return false;
	at = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	if (!at)
		return false;
	at = strstr(at, "::") + 2;
	at[strcspn(at, "\n")] = '\0';
	return snprintf(ret, PATHS_MAX, "%s%s", mount, strcmp(at, "/") == 0 ? "" : at) < PATHS_MAX;
}

static int set_limits(const char *leaf, uint64_t memory_max, uint64_t pids_max)
{
	char memory[24];
	char pids[24];
	int r;

	(void)snprintf(memory, sizeof(memory), "%" PRIu64, memory_max);
	(void)snprintf(pids, sizeof(pids), "%" PRIu64, pids_max);
	r = write_text(leaf, "memory.max", memory);
	return r < 0 ? r : write_text(leaf, "pids.max", pids);
}

static int make_leaf(const char *leaf, uint64_t memory_max, uint64_t pids_max)
{
	char pid[16];
	int r;

	if (mkdir(leaf, 0755) < 0 && errno != EEXIST)
		return -errno;
	r = set_limits(leaf, memory_max, pids_max);
	(void)snprintf(pid, sizeof(pid), "%d", getpid());
	return r < 0 ? r : write_text(leaf, "cgroup.procs", pid);
}

int cgroup_enter(struct cgroup *ret, const char *name, uint64_t memory_max, uint64_t pids_max, struct err *e)
{
	static const char remedy[] = "no memory and process limits for this workspace: mount cgroup v2 and run sawd as a "
				     "service with delegated memory and pids controllers (systemd: Delegate=memory pids)";
	char own[PATHS_MAX];
	char leaf[PATHS_MAX];
	int r;

	ret->path[0] = '\0';
	if (!find_own(own))
		return err_set(e, ENOENT, "cgroup v2 is not mounted; %s", remedy);
	/* Fails where processes already live in it (the rule of no inner processes) or where we may not; then the limits are missing. */
	(void)write_text(own, "cgroup.subtree_control", "+memory +pids");
	if (paths_join(leaf, own, name, e) < 0)
		return -ENAMETOOLONG;
	r = make_leaf(leaf, memory_max, pids_max);
	/* Another control plane may have swept it between two steps, since it was empty. */
	if (r == -ENOENT)
		r = make_leaf(leaf, memory_max, pids_max);
	if (r < 0) {
		(void)rmdir(leaf);
		return err_sys(e, -r, "cgroup v2 has no usable controllers in %s; %s", own, remedy);
	}
	memcpy(ret->path, leaf, sizeof(leaf));
	return 0;
}

void cgroup_leave(struct cgroup *c)
{
	char above[PATHS_MAX];
	char pid[16];

	if (!c->path[0])
		return;
	memcpy(above, c->path, sizeof(above));
	*strrchr(above, '/') = '\0';
	(void)snprintf(pid, sizeof(pid), "%d", getpid());
	(void)write_text(above, "cgroup.procs", pid);
	(void)rmdir(c->path);
	c->path[0] = '\0';
}

unsigned cgroup_sweep(const char *prefix, cgroup_keep_fn keep, void *ctx)
{
	char own[PATHS_MAX];
	struct dirent *entry;
	unsigned n = 0;
	DIR *d = find_own(own) ? opendir(own) : NULL;

	if (!d)
		return 0;
	/* The kernel refuses to remove one that is in use. */
	while ((entry = readdir(d)) != NULL)
		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && (!keep || !keep(ctx, entry->d_name)) &&
		    unlinkat(dirfd(d), entry->d_name, AT_REMOVEDIR) == 0)
			n++;
	(void)closedir(d);
	return n;
}
