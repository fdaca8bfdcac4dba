#include "guest/apply.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "guest/host.h"
#include "guest/trust.h"

/* The guest's root user may have put links in the way of any of these paths. That reaches nothing but this same machine, so they
 * are followed; what the workspace needs from outside is not decided by files in here. */

enum { PATH_LEN = 512, PASSWD_MAX = 256 * 1024 };

static bool put(const char *root, const char *path, struct bytes data, mode_t mode)
{
	char full[PATH_LEN];
	bool changed = false;

	(void)snprintf(full, sizeof(full), "%s%s", root, path);
	if (!file_keep(full, data, mode, &changed))
		say("write %s: %s", path, strerror(errno));
	return changed;
}

static void put_line(const char *root, const char *path, struct bytes text, mode_t mode)
{
	BUF_AUTO struct buf b;

	buf_init(&b, SEED_KEY_MAX);
	if (buf_bytes(&b, text) && buf_byte(&b, '\n'))
		(void)put(root, path, buf_view(&b), mode);
}

static void set_host_name(const char *root, struct bytes name)
{
	BUF_AUTO struct buf hosts;

	buf_init(&hosts, 1024);
	if (sethostname((const char *)name.p, name.len) < 0)
		say("host name: %s", strerror(errno));
	put_line(root, "/etc/hostname", name, 0644);
	if (buf_fmt(&hosts, "127.0.0.1\tlocalhost\n127.0.1.1\t%.*s\n", (int)name.len, (const char *)name.p))
		(void)put(root, "/etc/hosts", buf_view(&hosts), 0644);
}

/* A fresh random machine id, once: systemd would otherwise treat every start as the first. */
static void set_machine_id(const char *root)
{
	BUF_AUTO struct buf b;
	char path[PATH_LEN];
	uint8_t id[16];

	buf_init(&b, 64);
	(void)snprintf(path, sizeof(path), "%s/etc/machine-id", root);
	if (file_read(path, &b) && b.len == 33)
		return;
	buf_reset(&b);
	if (getrandom(id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return;
	for (size_t i = 0; i < sizeof(id); i++)
		(void)buf_fmt(&b, "%02x", id[i]);
	if (buf_byte(&b, '\n') && !file_write(path, buf_view(&b), 0444))
		say("write /etc/machine-id: %s", strerror(errno));
}

/* Chromium has roots of its own and reads no bundle; it takes more by its enterprise policy CACertificates, as base64 of DER. */
static void trust_in_chromium(const char *root, struct bytes ca)
{
	static const char *const folders[] = { "/etc/chromium", "/etc/chromium/policies", "/etc/chromium/policies/managed" };
	const char *quote = "\"";
	BUF_AUTO struct buf text;

	buf_init(&text, SEED_CA_MAX + 64);
	(void)buf_str(&text, "{\"CACertificates\":[");
	while (ca.len) {
		struct bytes line = bytes_of(ca.p, bytes_find(ca, '\n'));

		if (bytes_starts(line, bytes_str("-----BEGIN"))) {
			(void)buf_str(&text, quote);
			quote = "\",\"";
		} else if (line.len && line.p[0] != '-') {
			(void)buf_bytes(&text, line);
		}
		ca = bytes_skip(ca, line.len < ca.len ? line.len + 1 : line.len);
	}
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char path[PATH_LEN];

		(void)snprintf(path, sizeof(path), "%s%s", root, folders[i]);
		(void)mkdir(path, 0755);
	}
	if (buf_str(&text, "\"]}\n"))
		(void)put(root, "/etc/chromium/policies/managed/saw-workspace.json", buf_view(&text), 0644);
}

struct account {
	uid_t uid;
	gid_t gid;
};

/* "name:x:1000:1000:..." */
static bool find_account(const char *root, struct bytes user, struct account *ret)
{
	BUF_AUTO struct buf passwd;
	char path[PATH_LEN];
	struct bytes left;

	buf_init(&passwd, PASSWD_MAX);
	(void)snprintf(path, sizeof(path), "%s/etc/passwd", root);
	if (!file_read(path, &passwd))
		return false;
	for (left = buf_view(&passwd); left.len;) {
		size_t end = bytes_find(left, '\n');
		struct bytes field[4], line = bytes_of(left.p, end);
		uint64_t uid, gid;

		for (size_t i = 0; i < 4; i++) {
			size_t colon = bytes_find(line, ':');

			field[i] = bytes_of(line.p, colon);
			line = bytes_skip(line, colon < line.len ? colon + 1 : colon);
		}
		if (bytes_eq(field[0], user) && num_u64(field[2], UINT32_MAX - 1, &uid) &&
		    num_u64(field[3], UINT32_MAX - 1, &gid)) {
			*ret = (struct account){ (uid_t)uid, (gid_t)gid };
			return true;
		}
		left = bytes_skip(left, end < left.len ? end + 1 : end);
	}
	return false;
}

static void copy_skeleton(const char *root, const char *home, struct account a)
{
	char from[PATH_LEN];
	DIR *d;
	const struct dirent *entry;

	(void)snprintf(from, sizeof(from), "%s/etc/skel", root);
	d = opendir(from);
	while (d && (entry = readdir(d))) {
		BUF_AUTO struct buf b;
		char path[PATH_LEN * 2];

		buf_init(&b, PASSWD_MAX);
		(void)snprintf(path, sizeof(path), "%s/%.200s", from, entry->d_name);
		if (entry->d_type != DT_REG || !file_read(path, &b))
			continue;
		(void)snprintf(path, sizeof(path), "%s/%.200s", home, entry->d_name);
		if (!file_write(path, buf_view(&b), 0644) || chown(path, a.uid, a.gid) < 0)
			say("write %s: %s", path, strerror(errno));
	}
	if (d)
		(void)closedir(d);
}

/* On a new home disk: the user's folder, from the image's skeleton. Owned last: a half-made one is made again. */
static void make_home(const char *root, struct bytes user, struct account a)
{
	char home[PATH_LEN];
	struct stat st;

	(void)snprintf(home, sizeof(home), "%s/home/%.*s", root, (int)user.len, (const char *)user.p);
	if (stat(home, &st) == 0 && st.st_uid == a.uid)
		return;
	if (mkdir(home, 0700) < 0 && errno != EEXIST) {
		say("make the home of %.*s: %s", (int)user.len, (const char *)user.p, strerror(errno));
		return;
	}
	copy_skeleton(root, home, a);
	if (chown(home, a.uid, a.gid) < 0)
		say("give %s to its user: %s", home, strerror(errno));
}

void apply_seed(const char *root, const struct seed *s)
{
	struct account a;

	set_host_name(root, s->hostname);
	set_machine_id(root);
	put_line(root, "/etc/ssh/saw_user_ca", s->user_ca, 0644);
	put_line(root, "/etc/ssh/saw_principals", s->principal, 0644);
	put_line(root, "/etc/ssh/ssh_host_ed25519_key.pub", s->host_key_public, 0644);
	(void)put(root, "/etc/ssh/ssh_host_ed25519_key", s->host_key, 0600);
	trust_ca(root, s->workspace_ca);
	if (s->workspace_ca.len)
		trust_in_chromium(root, s->workspace_ca);
	if (find_account(root, s->user, &a))
		make_home(root, s->user, a);
	else
		say("the image has no user \"%.*s\": nobody can log in", (int)s->user.len, (const char *)s->user.p);
}
