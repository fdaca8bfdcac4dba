#include "os/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fd.h"

/* A binary knows that it runs from a build tree by what lies around it: <top>/build.ninja and <top>/src/<folder>/<itself>. */

static const char *const build_folders[] = {
	"cli",		   "sawd",	       "sawd/launcher",	  "sawd/front",	     "sawd/core",
	"sawd/keeper",	   "sawd/compiler",    "workspace/front", "workspace/inlet", "workspace/dialer", "workspace/outlet",
	"workspace/supervisor", "workspace/machine", "workspace/try",	  "guest",
};

int paths_join(char ret[PATHS_MAX], const char *a, const char *b, struct err *e)
{
	int n = snprintf(ret, PATHS_MAX, "%s/%s", a, b);

	if (n < 0 || n >= PATHS_MAX)
		return err_set(e, ENAMETOOLONG, "path too long: %.80s.../%.80s", a, b);
	return 0;
}

static int own_path(char ret[PATHS_MAX], struct err *e)
{
	ssize_t n = readlink("/proc/self/exe", ret, PATHS_MAX - 1);

	if (n < 0)
		return err_sys(e, errno, "read /proc/self/exe");
	ret[n] = '\0';
	return 0;
}

/* Cuts `exe` to the top of its build tree. */
static bool build_top(char exe[PATHS_MAX])
{
	char *src = NULL;
	char mark[PATHS_MAX];

	for (char *at = exe; (at = strstr(at, "/src/")) != NULL; at++)
		src = at;
	if (!src)
		return false;
	*src = '\0';
	return paths_join(mark, exe, "build.ninja", NULL) == 0 && access(mark, F_OK) == 0;
}

static bool helper_in(char ret[PATHS_MAX], const char *folder, const char *name)
{
	return paths_join(ret, folder, name, NULL) == 0 && access(ret, X_OK) == 0;
}

int paths_helper(const char *name, char ret[PATHS_MAX], struct err *e)
{
	char exe[PATHS_MAX];
	char top[PATHS_MAX];
	int r = own_path(exe, e);

	if (r < 0)
		return r;
	memcpy(top, exe, sizeof(top));
	if (build_top(top)) {
		char folder[PATHS_MAX];

		for (size_t i = 0; i < sizeof(build_folders) / sizeof(build_folders[0]); i++) {
			int n = snprintf(folder, sizeof(folder), "%s/src/%s", top, build_folders[i]);

			if (n > 0 && n < PATHS_MAX && helper_in(ret, folder, name))
				return 0;
		}
		return err_set(e, ENOENT, "%s is not in the build tree %s: run ninja there", name, top);
	}
	*strrchr(exe, '/') = '\0';
	if (helper_in(ret, exe, name) || helper_in(ret, SAW_LIBEXEC, name))
		return 0;
	return err_set(e, ENOENT, "%s is neither beside this program nor in %s: install saw completely", name,
		       SAW_LIBEXEC);
}

static bool env_path(const char *key, char ret[PATHS_MAX])
{
	const char *v = getenv(key);
	int n;

	if (!v || v[0] != '/')
		return false;
	n = snprintf(ret, PATHS_MAX, "%s", v);
	return n > 0 && n < PATHS_MAX;
}

int paths_state(char ret[PATHS_MAX], struct err *e)
{
	char base[PATHS_MAX];

	if (env_path("SAW_STATE", ret))
		return 0;
	if (geteuid() == 0) {
		(void)snprintf(ret, PATHS_MAX, "/var/lib/saw");
		return 0;
	}
	if (env_path("XDG_STATE_HOME", base))
		return paths_join(ret, base, "saw", e);
	if (env_path("HOME", base))
		return paths_join(ret, base, ".local/state/saw", e);
	return err_set(e, ENOENT, "no state folder: set SAW_STATE or HOME to an absolute path");
}

int paths_run(char ret[PATHS_MAX], struct err *e)
{
	char base[PATHS_MAX];
	int r;

	if (env_path("SAW_RUN", ret))
		return 0;
	if (geteuid() == 0) {
		(void)snprintf(ret, PATHS_MAX, "/run/saw");
		return 0;
	}
	if (env_path("XDG_RUNTIME_DIR", base))
		return paths_join(ret, base, "saw", e);
	r = paths_state(base, e);
	return r < 0 ? r : paths_join(ret, base, "run", e);
}

int paths_check_dir(const char *path, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return err_sys(e, errno, "folder %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, "%s is not a folder", path);
	if (st.st_uid != geteuid())
		return err_set(e, EPERM, "folder %s belongs to user %u, not to user %u", path, st.st_uid, geteuid());
	if (st.st_mode & 022)
		return err_set(e, EPERM, "folder %s is writable by others: chmod go-w it", path);
	return 0;
}

int paths_make_dir(const char *path, struct err *e)
{
	char part[PATHS_MAX];
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(part) || path[0] != '/')
		return err_set(e, EINVAL, "folder %.200s: an absolute path is needed", path);
	memcpy(part, path, len + 1);
	for (size_t i = 1; i <= len; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		part[i] = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return err_sys(e, errno, "make folder %s", part);
		part[i] = path[i];
	}
	return paths_check_dir(path, e);
}
