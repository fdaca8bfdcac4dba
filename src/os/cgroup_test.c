#include "os/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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
