#include "os/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tap.h"

TEST(state_and_runtime_folders_follow_the_environment)
{
	char p[PATHS_MAX];
	struct err e = { 0 };

	CHECK(setenv("SAW_STATE", "/x/state", 1) == 0 && setenv("SAW_RUN", "/x/run", 1) == 0);
	CHECK(paths_state(p, &e) == 0);
	CHECK_STR(p, "/x/state");
	CHECK(paths_run(p, &e) == 0);
	CHECK_STR(p, "/x/run");
	CHECK(setenv("SAW_STATE", "relative", 1) == 0 && setenv("HOME", "/home/u", 1) == 0);
	CHECK(unsetenv("XDG_STATE_HOME") == 0);
	CHECK(paths_state(p, &e) == 0);
	CHECK_STR(p, geteuid() == 0 ? "/var/lib/saw" : "/home/u/.local/state/saw");
}

TEST(folders_are_made_private_and_foreign_or_open_ones_are_refused)
{
	char top[] = "/tmp/saw-paths-XXXXXX";
	char p[PATHS_MAX];
	char cmd[PATHS_MAX];
	struct stat st;
	struct err e = { 0 };

	CHECK(mkdtemp(top) != NULL);
	CHECK(paths_join(p, top, "a/b", &e) == 0);
	CHECK_INT(paths_make_dir(p, &e), 0);
	CHECK_INT(paths_make_dir(p, &e), 0);
	CHECK(stat(p, &st) == 0 && (st.st_mode & 07777) == 0700);
	CHECK(chmod(p, 0770) == 0);
	CHECK_INT(paths_check_dir(p, &e), -EPERM);
	CHECK(strstr(e.text, "chmod go-w") != NULL);
	CHECK(paths_join(cmd, top, "link", &e) == 0 && symlink(p, cmd) == 0);
	CHECK_INT(paths_check_dir(cmd, &e), -ENOTDIR);
	CHECK_INT(paths_make_dir("relative", &e), -EINVAL);
	CHECK(unlink(cmd) == 0 && rmdir(p) == 0);
	*strrchr(p, '/') = '\0';
	CHECK(rmdir(p) == 0 && rmdir(top) == 0);
}

TEST(a_missing_helper_is_named_with_the_place_that_was_searched)
{
	char p[PATHS_MAX];
	struct err e = { 0 };

	CHECK_INT(paths_helper("saw-nothing", p, &e), -ENOENT);
	CHECK(strstr(e.text, "saw-nothing is not in the build tree") != NULL);
}
