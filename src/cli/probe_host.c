/* Questions to the rest of the host: programs, folders, space, memory, clock. */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/num.h"
#include "cli/probe.h"
#include "os/loop.h"
#include "os/paths.h"

#define MIB (1024ULL * 1024)

int probe_find_program(const char *name, char *ret_path, unsigned long size)
{
	const char *path = getenv("PATH");
	char at[PATHS_MAX];
	struct stat st;

	if (!path || !*path)
		path = "/usr/local/bin:/usr/bin:/bin";
	while (*path) {
		size_t len = strcspn(path, ":");
		int n = snprintf(at, sizeof(at), "%.*s/%s", (int)len, path, name);

		if (len > 0 && n > 0 && (size_t)n < sizeof(at) && stat(at, &st) == 0 && S_ISREG(st.st_mode) &&
		    access(at, X_OK) == 0) {
			if (ret_path)
				snprintf(ret_path, size, "%s", at);
			return 1;
		}
		path += len + (path[len] == ':');
	}
	/* Debian keeps mke2fs where an ordinary user's PATH does not look */
	snprintf(at, sizeof(at), "/usr/sbin/%s", name);
	if (access(at, X_OK) != 0)
		return 0;
	if (ret_path)
		snprintf(ret_path, size, "%s", at);
	return 1;
}

void probe_qemu(struct probe *ret)
{
#if defined(__aarch64__)
	static const char name[] = "qemu-system-aarch64", package[] = "qemu-system-arm";
#else
	static const char name[] = "qemu-system-x86_64", package[] = "qemu-system-x86";
#endif
	char path[1024];

	if (probe_find_program(name, path, sizeof(path))) {
		probe_set(ret, PROBE_OK, path, "");
		return;
	}
	ret->level = PROBE_FAIL;
	snprintf(ret->found, sizeof(ret->found), "%s is not in PATH", name);
	snprintf(ret->remedy, sizeof(ret->remedy), "apt-get install --no-install-recommends %s", package);
}

struct tool {
	const char *program;
	const char *package;
};

/* Lists what is missing of `tools`. */
static void tools(struct probe *ret, const struct tool *t, size_t n, const char *all_there, const char *what_for)
{
	int found = 0, remedy = 0;

	for (size_t i = 0; i < n; i++) {
		if (probe_find_program(t[i].program, NULL, 0))
			continue;
		found += snprintf(ret->found + found, sizeof(ret->found) - (size_t)found, "%s%s", found ? ", " : "missing: ",
				  t[i].program);
		remedy += snprintf(ret->remedy + remedy, sizeof(ret->remedy) - (size_t)remedy, "%s %s",
				   remedy ? "" : "apt-get install --no-install-recommends", t[i].package);
	}
	if (!found) {
		probe_set(ret, PROBE_OK, all_there, "");
		return;
	}
	snprintf(ret->found + found, sizeof(ret->found) - (size_t)found, " (for %s)", what_for);
	ret->level = PROBE_FAIL;
}

/* "USER:100000:65536". mmdebstrap looks for the name alone. */
static bool has_range(const char *file, const char *user)
{
	char line[512];
	size_t len = strlen(user);
	FILE *f = fopen(file, "re");
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = strncmp(line, user, len) == 0 && line[len] == ':';
	if (f)
		fclose(f);
	return found;
}

/* useradd writes both; users of a directory service and of some containers have none. */
static void ranges(struct probe *ret)
{
	const struct passwd *pw = getpwuid(geteuid());
	const char *user = pw ? pw->pw_name : "?";

	if (has_range("/etc/subuid", user) && has_range("/etc/subgid", user))
		return;
	ret->level = PROBE_FAIL;
	snprintf(ret->found, sizeof(ret->found), "no ids for %s in /etc/subuid and /etc/subgid (for `saw image build`)", user);
	snprintf(ret->remedy, sizeof(ret->remedy),
		 "as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s, with a range that nobody else has; "
		 "for a user that is not in /etc/passwd add the line %s:100000:65536 to both files", user, user);
}

void probe_image_tools(struct probe *ret)
{
	static const struct tool list[] = { { "mmdebstrap", "mmdebstrap" },
					    { "sqfstar", "squashfs-tools" },
					    { "mke2fs", "e2fsprogs" },
					    { "newuidmap", "uidmap" } };
	/* Only a build in a user namespace maps ids. */
	size_t n = sizeof(list) / sizeof(list[0]) - (geteuid() == 0);

	tools(ret, list, n, "mmdebstrap, sqfstar and mke2fs: images can be built", "`saw image build`");
	if (ret->level == PROBE_OK && geteuid() != 0)
		ranges(ret);
}

void probe_ssh(struct probe *ret)
{
	static const struct tool list[] = { { "ssh", "openssh-client" }, { "scp", "openssh-client" } };

	tools(ret, list, sizeof(list) / sizeof(list[0]), "OpenSSH's ssh and scp", "`saw ssh` and `saw cp`");
}

void probe_helpers(struct probe *ret)
{
	static const char *const names[] = { "sawd",	    "sawd-front", "sawd-core",	"sawd-keeper", "sawd-compiler",
					     "saw-workspace", "saw-front",  "saw-inlet", "saw-dialer",	"saw-outlet", "saw-machine",
					     "saw-try" };
	char path[PATHS_MAX];
	struct err e = { "" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (paths_helper(names[i], path, &e) < 0) {
			probe_set(ret, PROBE_FAIL, e.text, "build or install saw again");
			return;
		}
	probe_set(ret, PROBE_OK, "all of saw's own programs are there", "");
}

static int may_write(const char *folder, struct err *e)
{
	return access(folder, W_OK | X_OK) < 0 ? err_sys(e, errno, "write in folder %.500s", folder) : 0;
}

void probe_folders(struct probe *ret)
{
	char state[PATHS_MAX];
	char run[PATHS_MAX];
	struct err e = { "" };

	if (paths_state(state, &e) < 0 || paths_run(run, &e) < 0 || paths_make_dir(state, &e) < 0 ||
	    paths_make_dir(run, &e) < 0)
		probe_set(ret, PROBE_FAIL, e.text, "give the folder to your user (mode 0700), or set SAW_STATE and SAW_RUN");
	else if (may_write(state, &e) < 0 || may_write(run, &e) < 0)
		probe_set(ret, PROBE_FAIL, e.text, "chmod u+rwx it, or set SAW_STATE and SAW_RUN to folders that can be written");
	else
		snprintf(ret->found, sizeof(ret->found), "state in %.500s, sockets in %.500s", state, run);
}

/* systemd-logind takes /run/user/UID away when the user's last session ends, unless the user lingers; sawd and its workspaces go on, and nobody finds
 * their sockets any more (file-hierarchy(7), loginctl(1)). */
void probe_logout(struct probe *ret)
{
	const struct passwd *pw = getpwuid(geteuid());
	char run[PATHS_MAX], of_logind[64], mark[PATHS_MAX];
	struct err e = { "" };

	(void)snprintf(of_logind, sizeof(of_logind), "/run/user/%u/", geteuid());
	if (paths_run(run, &e) < 0 || strncmp(run, of_logind, strlen(of_logind)) != 0) {
		probe_set(ret, PROBE_OK, "the folder of sockets stays at logout", "");
		return;
	}
	if (pw && paths_join(mark, "/var/lib/systemd/linger", pw->pw_name, &e) == 0 && access(mark, F_OK) == 0) {
		probe_set(ret, PROBE_OK, "the folder of sockets stays at logout: this user lingers", "");
		return;
	}
	ret->level = PROBE_WARN;
	snprintf(ret->found, sizeof(ret->found), "%.500s goes at your last logout, and what runs then goes on out of reach", run);
	snprintf(ret->remedy, sizeof(ret->remedy), "`loginctl enable-linger` keeps it, or set SAW_RUN to a folder that stays, in each session alike, and start again");
}

void probe_disk(struct probe *ret)
{
	char state[PATHS_MAX];
	struct err e = { "" };
	struct statvfs fs;
	uint64_t mib;

	if (paths_state(state, &e) < 0 || statvfs(state, &fs) != 0) {
		probe_set(ret, PROBE_WARN, "the state folder's disk could not be asked", "");
		return;
	}
	mib = fs.f_bavail * fs.f_frsize / MIB;
	snprintf(ret->found, sizeof(ret->found), "%" PRIu64 " MiB free for images and disks", mib);
	ret->level = mib < 1024 ? PROBE_FAIL : mib < 8192 ? PROBE_WARN : PROBE_OK;
	if (ret->level != PROBE_OK)
		snprintf(ret->remedy, sizeof(ret->remedy),
			 "an image takes about 2 GiB, and a workspace what its disks hold: free space or move SAW_STATE");
}

void probe_memory(struct probe *ret)
{
	char line[256];
	uint64_t kib = 0;
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && fgets(line, sizeof(line), f)) {
		char *p = line + strlen("MemAvailable:");

		if (strncmp(line, "MemAvailable:", strlen("MemAvailable:")) != 0)
			continue;
		p += strspn(p, " ");
		if (!num_u64(bytes_of(p, strspn(p, "0123456789")), UINT64_MAX, &kib))
			kib = 0;
	}
	if (f)
		fclose(f);
	snprintf(ret->found, sizeof(ret->found), "%" PRIu64 " MiB of memory available", kib / 1024);
	ret->level = kib / 1024 < 2048 ? PROBE_WARN : PROBE_OK;
	if (ret->level != PROBE_OK)
		snprintf(ret->remedy, sizeof(ret->remedy), "create workspaces with a smaller --memory, or stop others");
}

/* Certificates live five minutes: a clock that is far off locks everyone out. */
void probe_clock(struct probe *ret)
{
	const uint64_t year_2026 = 1767225600000ULL;
	struct timex t = { .modes = 0 };
	int state = adjtimex(&t);

	if (clock_real_ms() < year_2026)
		probe_set(ret, PROBE_FAIL, "the clock is before 2026: certificates would not be valid", "set the clock: date -s, or run an NTP client");
	else if (state == TIME_ERROR || (state >= 0 && (t.status & STA_UNSYNC)))
		probe_set(ret, PROBE_WARN, "the clock is not known to be synchronised", "run an NTP client (systemd-timesyncd, chrony)");
	else
		probe_set(ret, PROBE_OK, "the clock is synchronised", "");
}
