#include "os/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/tap.h"

/* Our own folder in the unified hierarchy, where this host mounts it and lets us write. */
static bool own_folder(char ret[PATHS_MAX])
{
	static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	char line[512];
	char probe[PATHS_MAX];
	FILE *f = fopen("/proc/self/cgroup", "re");
	bool found = false;

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "0::", 3) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		for (size_t i = 0; i < 2 && !found; i++) {
			(void)snprintf(ret, PATHS_MAX, "%s%s", mounts[i], strcmp(line + 3, "/") == 0 ? "" : line + 3);
			found = snprintf(probe, sizeof(probe), "%s/cgroup.procs", ret) > 0 && access(probe, W_OK) == 0;
		}
	}
	if (f)
		(void)fclose(f);
	return found;
}

static bool keeps(void *ctx, const char *name)
{
	return strcmp(name, ctx) == 0;
}

TEST(a_sweep_removes_empty_leaves_of_its_prefix_and_nothing_else)
{
	char own[PATHS_MAX];
	char ours[PATHS_MAX];
	char other[PATHS_MAX];

	if (!own_folder(own)) {
		tap_skip("no writable cgroup v2 here");
		return;
	}
	(void)snprintf(ours, sizeof(ours), "%.3000s/sweep-test-%d-a", own, getpid());
	(void)snprintf(other, sizeof(other), "%.3000s/other-test-%d", own, getpid());
	if (mkdir(ours, 0755) < 0 || mkdir(other, 0755) < 0) {
		tap_skip("this user may make no cgroup");
		return;
	}
	CHECK_INT(cgroup_sweep("sweep-test-", keeps, strrchr(ours, '/') + 1), 0);
	CHECK(access(ours, F_OK) == 0);
	CHECK_INT(cgroup_sweep("sweep-test-", keeps, other), 1);
	CHECK(access(ours, F_OK) < 0 && access(other, F_OK) == 0);
	CHECK_INT(cgroup_sweep("sweep-test-", NULL, NULL), 0);
	CHECK(rmdir(other) == 0);
}

TEST(leaving_without_having_entered_is_harmless)
{
	struct cgroup c = { .path = "" };

	cgroup_leave(&c);
	CHECK_STR(c.path, "");
}

TEST(a_leaf_with_limits_comes_and_goes_or_the_host_is_told_what_it_lacks)
{
	struct cgroup c;
	struct err e = { 0 };
	char path[PATHS_MAX];

	if (cgroup_enter(&c, "saw-cgroup-test", 1ULL << 30, 64, &e) < 0) {
		CHECK(c.path[0] == '\0');
		CHECK(strstr(e.text, "no memory and process limits") != NULL);
		return;
	}
	memcpy(path, c.path, sizeof(path));
	CHECK(access(path, F_OK) == 0);
	cgroup_leave(&c);
	CHECK(access(path, F_OK) < 0 && c.path[0] == '\0');
	cgroup_leave(&c);
}

enum { FOUND = 0, NOT_FOUND = 1, NOT_ALLOWED = 2, OTHER_MOUNTS = 300 /* some 20 KiB of mountinfo */ };

/* In a mount namespace of its own, where the one cgroup v2 is mounted behind many others. */
static int find_behind_mounts(const char *folder)
{
	struct cgroup c;
	struct err e = { 0 };
	char place[64];
	bool ok = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;

	while (ok && umount2("/sys/fs/cgroup", MNT_DETACH) == 0)
		;
	ok = ok && mount("tmpfs", folder, "tmpfs", 0, NULL) == 0;
	for (unsigned i = 0; ok && i <= OTHER_MOUNTS; i++) {
		(void)snprintf(place, sizeof(place), "%.40s/%u", folder, i);
		ok = mkdir(place, 0700) == 0 && mount("none", place, i < OTHER_MOUNTS ? "tmpfs" : "cgroup2", 0, NULL) == 0;
	}
	if (!ok)
		return NOT_ALLOWED;
	(void)cgroup_enter(&c, "saw-cgroup-test-mounts", 1ULL << 30, 64, &e);
	cgroup_leave(&c);
	return strstr(e.text, "not mounted") ? NOT_FOUND : FOUND;
}

TEST(a_hierarchy_is_found_behind_any_number_of_mounts)
{
	char folder[] = "/tmp/saw-cgroup-XXXXXX";
	int status = 0;
	pid_t pid;

	CHECK(mkdtemp(folder) != NULL);
	pid = fork();
	if (pid == 0)
		_exit(find_behind_mounts(folder));
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	CHECK(rmdir(folder) == 0);
	if (WEXITSTATUS(status) == NOT_ALLOWED)
		tap_skip("this user may not mount a cgroup v2");
	else
		CHECK_INT(WEXITSTATUS(status), FOUND);
}
