#include "cli/image_host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/image_run.h"
#include "os/fd.h"
#include "os/paths.h"

enum { LINES_MAX = 64 * 1024, FIELD = 256 };

/* One apt index: where, which release, which component. */
struct source {
	char uri[FIELD], release[FIELD], component[FIELD];
};

/* Nothing that could be read as more than one word of a sources list, and no credentials. */
static bool uri_ok(struct bytes u)
{
	bool http = bytes_starts(u, bytes_str("http://")) || bytes_starts(u, bytes_str("https://"));

	for (size_t i = 0; i < u.len; i++)
		if (u.p[i] <= ' ' || u.p[i] >= 0x7f || strchr("@\"'[]\\", u.p[i]))
			return false;
	return http && u.len < FIELD;
}

static bool read_source(struct bytes line, struct source *ret)
{
	char *const to[] = { ret->uri, ret->release, ret->component };

	for (int i = 0; i < 3; i++) {
		size_t n = bytes_find(line, '|');

		if (n == 0 || n >= FIELD || (i < 2 && n == line.len))
			return false;
		(void)snprintf(to[i], FIELD, "%.*s", (int)n, (const char *)line.p);
		line = bytes_skip(line, n < line.len ? n + 1 : n);
	}
	return true;
}

/* VERSION_CODENAME of this machine when it is a Debian: its mirrors carry the other suites too. */
static void own_suite(char ret[FIELD])
{
	char line[FIELD];
	bool debian = false;
	FILE *f = fopen("/etc/os-release", "re");

	ret[0] = '\0';
	while (f && fgets(line, sizeof(line), f)) {
		size_t n = strcspn(line, "\n");

		line[n] = '\0';
		if (strcmp(line, "ID=debian") == 0)
			debian = true;
		if (strncmp(line, "VERSION_CODENAME=", 17) == 0)
			(void)snprintf(ret, FIELD, "%s", line + 17);
	}
	if (f)
		(void)fclose(f);
	if (!debian)
		ret[0] = '\0';
}

/* "-updates" of "bookworm-updates" where `suite` is "bookworm"; NULL when it is of another suite. */
static const char *pocket(const char *release, const char *suite)
{
	static const char *const known[] = { "", "-updates", "-security" };
	size_t n = strlen(suite);

	if (n == 0 || strncmp(release, suite, n) != 0)
		return NULL;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(release + n, known[i]) == 0)
			return known[i];
	return NULL;
}

static bool has_line(const struct buf *out, struct bytes line)
{
	for (struct bytes left = buf_view(out); left.len;) {
		size_t end = bytes_find(left, '\n');

		if (bytes_eq(bytes_of(left.p, end), line))
			return true;
		left = bytes_skip(left, end < left.len ? end + 1 : end);
	}
	return false;
}

static int add_source(const struct source *s, const char *suite, const char *own, struct buf *out, struct err *e)
{
	const char *rest = pocket(s->release, suite);
	BUF_AUTO struct buf line = { 0 };

	if (!rest)
		rest = pocket(s->release, own);
	if (!rest)
		return 0;
	if (!uri_ok(bytes_str(s->uri)))
		return err_set(e, EINVAL,
			       "the apt source for %s is no plain http(s) address without a password: give another with --mirror",
			       s->release);
	buf_init(&line, 4 * FIELD);
	(void)buf_fmt(&line, "deb %s %s%s %s", s->uri, suite, rest, s->component);
	if (!has_line(out, buf_view(&line)))
		(void)buf_fmt(out, "%s\n", buf_cstr(&line));
	return 0;
}

int image_host_mirror(const char *mirror, struct err *e)
{
	return uri_ok(bytes_str(mirror)) ? 0 : err_set(e, EINVAL, "--mirror %.100s: give an http or https address without a password", mirror);
}

int image_host_sources(const char *suite, const char *mirror, struct buf *out, struct err *e)
{
	static const char *const ask[] = { "apt-get", "indextargets", "--format", "$(REPO_URI)|$(RELEASE)|$(COMPONENT)",
					   "Identifier: Packages", NULL };
	BUF_AUTO struct buf lines;
	char own[FIELD];
	int r;

	buf_init(&lines, LINES_MAX);
	if (mirror)
		return buf_fmt(out, "deb %s %s main\n", mirror, suite) ? 0 : err_set(e, ENOMEM, "out of memory for the list of mirrors");
	own_suite(own);
	r = image_run(ask, NULL, &lines, NULL, e);
	if (r < 0 && r != -ENOENT)
		return r;
	for (struct bytes left = buf_view(&lines); left.len;) {
		size_t end = bytes_find(left, '\n');
		struct source s;

		r = read_source(bytes_of(left.p, end), &s) ? add_source(&s, suite, own, out, e) : 0;
		if (r < 0)
			return r;
		left = bytes_skip(left, end < left.len ? end + 1 : end);
	}
	return out->len ? 0 : err_set(e, ENOENT, "this machine's apt names no mirror of Debian: give one with --mirror");
}

bool image_host_registry(struct buf *out)
{
	static const char *const ask[] = { "npm", "config", "get", "registry", NULL };
	BUF_AUTO struct buf line = { 0 };
	struct bytes uri;

	buf_init(&line, LINES_MAX);
	if (!image_run_has("npm") || image_run(ask, NULL, &line, NULL, NULL) < 0)
		return false;
	uri = bytes_of(line.p, bytes_find(buf_view(&line), '\n'));
	return uri_ok(uri) && buf_bytes(out, uri);
}

static void add_file(const char *path, struct buf *out)
{
	FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t chunk[8192];
	ssize_t n;

	while (fd >= 0 && (n = read(fd, chunk, sizeof(chunk))) > 0)
		(void)buf_add(out, chunk, (size_t)n);
	if (fd >= 0)
		(void)buf_byte(out, '\n');
}

static void add_folder(const char *folder, struct buf *out)
{
	const struct dirent *entry;
	DIR *d = opendir(folder);

	while (d && (entry = readdir(d))) {
		size_t n = strlen(entry->d_name);
		char path[PATHS_MAX];

		if (n > 4 && strcmp(entry->d_name + n - 4, ".crt") == 0 && paths_join(path, folder, entry->d_name, NULL) == 0)
			add_file(path, out);
	}
	if (d)
		(void)closedir(d);
}

void image_host_roots(struct buf *out, struct buf *distro)
{
	add_folder("/usr/share/ca-certificates/mozilla", distro);
	add_folder("/usr/share/ca-certificates", distro);
	/* Without the distribution's own set to compare with, a bundle tells nothing. */
	if (distro->len)
		add_file("/etc/ssl/certs/ca-certificates.crt", out);
	add_folder("/usr/local/share/ca-certificates", out);
	add_folder("/etc/pki/ca-trust/source/anchors", out);
}
