#include "store/images.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "os/fd.h"
#include "wire/json_scan.h"

enum { NODES_MAX = 16384, READ_LEN = 256 * 1024, SEEN_MAX = 1024 };

static const char *const files[] = { "kernel", "initrd", "base.img" };
enum { FILES = sizeof(files) / sizeof(files[0]) };

static bool is_hex(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
			return false;
	return true;
}

static bool is_digest(const char *s)
{
	return strlen(s) == SHA256_HEX_MAX - 1 && is_hex(s, SHA256_HEX_MAX - 1);
}

bool images_name_ok(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > IMAGES_NAME_MAX || is_digest(name))
		return false;
	for (size_t i = 0; i < n; i++) {
		bool inner = i > 0 && i + 1 < n && strchr("-_.", name[i]);

		if (!inner && !((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9')))
			return false;
	}
	return true;
}

static int read_whole(const char *path, size_t max, struct buf *ret, struct err *e)
{
	FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	int r;

	buf_init(ret, max);
	if (fd < 0)
		return err_sys(e, errno, "open %s", path);
	r = fd_read_all(fd, ret);
	return r < 0 ? err_sys(e, -r, "read %s", path) : 0;
}

int images_digest_file(const char *path, uint8_t ret[SHA256_LEN], uint64_t *ret_bytes, struct err *e)
{
	FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct sha256_run *run;
	uint8_t *chunk;
	ssize_t n;
	int r = 0;

	if (fd < 0)
		return err_sys(e, errno, "open %s", path);
	run = sha256_run_new();
	chunk = malloc(READ_LEN);
	*ret_bytes = 0;
	if (!run || !chunk)
		r = err_set(e, ENOMEM, "out of memory");
	while (r == 0 && (n = read(fd, chunk, READ_LEN)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = err_sys(e, errno, "read %s", path);
			break;
		}
		sha256_run_add(run, bytes_of(chunk, (size_t)n));
		*ret_bytes += (uint64_t)n;
	}
	if (r == 0)
		sha256_run_digest(run, ret);
	free(chunk);
	sha256_run_free(run);
	return r;
}

/* A manifest, scanned. */
struct manifest {
	struct buf text;
	struct json_node *nodes;
};

static void manifest_deinit(struct manifest *m)
{
	buf_deinit(&m->text);
	free(m->nodes);
	m->nodes = NULL;
}
#define MANIFEST_AUTO __attribute__((cleanup(manifest_deinit)))

static int manifest_read(const char *dir, struct manifest *m, struct err *e)
{
	char path[PATHS_MAX];
	uint32_t n;
	size_t at;
	int r = paths_join(path, dir, "manifest.json", e);

	r = r < 0 ? r : read_whole(path, IMAGES_MANIFEST_MAX, &m->text, e);
	if (r < 0)
		return r;
	m->nodes = calloc(NODES_MAX, sizeof(*m->nodes));
	if (!m->nodes)
		return err_set(e, ENOMEM, "out of memory");
	if (json_scan(buf_view(&m->text), m->nodes, NODES_MAX, &n, &at) != JSON_OK)
		return err_set(e, EBADMSG, "%s is damaged: build the image again", path);
	return 0;
}

static bool text_of(const struct manifest *m, const char *key, char *ret, size_t size)
{
	BUF_AUTO struct buf b;

	buf_init(&b, size - 1);
	if (!json_text(json_get(m->nodes, m->nodes, key), &b))
		return false;
	(void)snprintf(ret, size, "%s", buf_cstr(&b));
	return true;
}

/* What the manifest says of one file. */
static bool file_of(const struct manifest *m, const char *name, char ret_digest[SHA256_HEX_MAX], uint64_t *ret_bytes)
{
	const struct json_node *f = json_get(m->nodes, json_get(m->nodes, m->nodes, "files"), name);
	BUF_AUTO struct buf b;

	buf_init(&b, SHA256_HEX_MAX);
	if (!json_text(json_get(m->nodes, f, "sha256"), &b) || !is_digest(buf_cstr(&b)) ||
	    !json_u64(json_get(m->nodes, f, "bytes"), INT64_MAX, ret_bytes))
		return false;
	memcpy(ret_digest, buf_cstr(&b), SHA256_HEX_MAX);
	return true;
}

static int load(const char *dir, const char *digest, struct image *ret, struct err *e)
{
	MANIFEST_AUTO struct manifest m = { 0 };
	uint8_t got[SHA256_LEN];
	char hex[SHA256_HEX_MAX];
	int r;

	*ret = (struct image){ 0 };
	(void)snprintf(ret->digest, sizeof(ret->digest), "%s", digest);
	r = paths_join(ret->dir, dir, digest, e);
	r = r < 0 ? r : manifest_read(ret->dir, &m, e);
	if (r < 0)
		return r;
	sha256(buf_view(&m.text), got);
	sha256_hex(got, hex);
	if (strcmp(hex, digest) != 0)
		return err_set(e, EBADMSG, "image %.12s: its manifest was changed: build the image again", digest);
	if (!text_of(&m, "created", ret->created, sizeof(ret->created)))
		return err_set(e, EBADMSG, "image %.12s: its manifest has no time", digest);
	for (size_t i = 0; i < FILES; i++) {
		uint64_t bytes;

		if (!file_of(&m, files[i], hex, &bytes))
			return err_set(e, EBADMSG, "image %.12s: its manifest lacks %s", digest, files[i]);
		ret->bytes += bytes;
	}
	return 0;
}

/* Where NAME points, or false. */
static bool follow(const char *dir, const char *name, char ret[SHA256_HEX_MAX])
{
	char path[PATHS_MAX];
	ssize_t n;

	if (paths_join(path, dir, name, NULL) < 0)
		return false;
	n = readlink(path, ret, SHA256_HEX_MAX);
	if (n != SHA256_HEX_MAX - 1)
		return false;
	ret[n] = '\0';
	return is_digest(ret);
}

typedef void (*entry_fn)(const char *dir, const char *name, void *arg);

static int each(const char *dir, entry_fn fn, void *arg, struct err *e)
{
	DIR *d = opendir(dir);
	const struct dirent *entry;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, errno, "read %s", dir);
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.')
			fn(dir, entry->d_name, arg);
	(void)closedir(d);
	return 0;
}

struct search {
	const char *prefix;
	char digest[SHA256_HEX_MAX];
	unsigned n;
};

static void match_prefix(const char *dir, const char *name, void *arg)
{
	struct search *s = arg;

	(void)dir;
	if (!is_digest(name) || strncmp(name, s->prefix, strlen(s->prefix)) != 0)
		return;
	memcpy(s->digest, name, SHA256_HEX_MAX);
	s->n++;
}

static void match_target(const char *dir, const char *name, void *arg)
{
	struct image *i = arg;
	char digest[SHA256_HEX_MAX];

	if (!i->name[0] && images_name_ok(name) && follow(dir, name, digest) && strcmp(digest, i->digest) == 0)
		(void)snprintf(i->name, sizeof(i->name), "%s", name);
}

int images_find(const char *dir, const char *what, struct image *ret, struct err *e)
{
	struct search s = { .prefix = what };
	int r;

	if (images_name_ok(what) && follow(dir, what, s.digest)) {
		r = load(dir, s.digest, ret, e);
		if (r == 0)
			(void)snprintf(ret->name, sizeof(ret->name), "%s", what);
		return r;
	}
	if (strlen(what) < IMAGES_PREFIX_MIN || strlen(what) >= SHA256_HEX_MAX || !is_hex(what, strlen(what)))
		return images_name_ok(what) ? err_set(e, ENOENT, "there is no image \"%.80s\": `saw image ls` lists those there are, `saw image build %.80s` makes one of a recipe", what, what)
					    : err_set(e, ENOENT, "there is no image \"%.80s\", nor could one have this name", what);
	r = each(dir, match_prefix, &s, e);
	if (r < 0)
		return r;
	if (s.n != 1)
		return err_set(e, s.n ? EEXIST : ENOENT, "%s begins the digest of %s image: see `saw image ls`", what,
			       s.n ? "more than one" : "no");
	r = load(dir, s.digest, ret, e);
	return r < 0 ? r : each(dir, match_target, ret, e);
}

struct listing {
	struct image *v;
	size_t n;
};

static void add_image(const char *dir, const char *name, void *arg)
{
	struct listing *l = arg;
	struct image *i = &l->v[l->n];

	if (l->n == IMAGES_MAX || !is_digest(name) || load(dir, name, i, NULL) < 0)
		return;
	if (each(dir, match_target, i, NULL) == 0)
		l->n++;
}

static int by_name(const void *a, const void *b)
{
	const struct image *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : strcmp(x->digest, y->digest);
}

int images_list(const char *dir, struct image **ret, size_t *ret_n, struct err *e)
{
	struct listing l = { .v = calloc(IMAGES_MAX, sizeof(struct image)) };
	int r;

	if (!l.v)
		return err_set(e, ENOMEM, "out of memory");
	r = each(dir, add_image, &l, e);
	if (r < 0) {
		free(l.v);
		return r;
	}
	qsort(l.v, l.n, sizeof(l.v[0]), by_name);
	*ret = l.v;
	*ret_n = l.n;
	return 0;
}

/* The text of `seen` as the files are now. */
static int look(const char *dir, struct buf *ret, struct err *e)
{
	buf_init(ret, SEEN_MAX);
	for (size_t i = 0; i < FILES; i++) {
		char path[PATHS_MAX];
		struct stat st;

		if (paths_join(path, dir, files[i], e) < 0)
			return -ENAMETOOLONG;
		if (lstat(path, &st) < 0)
			return err_sys(e, errno, "%s", path);
		(void)buf_fmt(ret, "%s %" PRIu64 " %" PRIu64 " %lld.%09ld %lld.%09ld\n", files[i], (uint64_t)st.st_size,
			      (uint64_t)st.st_ino, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
			      (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
	}
	return 0;
}

int images_check(const struct image *i, struct err *e)
{
	BUF_AUTO struct buf now = { 0 }, was = { 0 };
	char path[PATHS_MAX];
	int r = look(i->dir, &now, e);

	r = r < 0 ? r : paths_join(path, i->dir, "seen", e);
	if (r == 0 && read_whole(path, SEEN_MAX, &was, e) == 0 && bytes_eq(buf_view(&now), buf_view(&was)))
		return 0;
	return err_set(e, EBADMSG,
		       "image %.12s was touched since its digests were checked: run `saw image verify %.12s`; if that fails, "
		       "build it again",
		       i->digest, i->digest);
}

static int remember(const char *dir, struct err *e)
{
	BUF_AUTO struct buf now = { 0 };
	char path[PATHS_MAX], fresh[PATHS_MAX];
	FD_AUTO int fd = -1;
	int r = look(dir, &now, e);

	r = r < 0 ? r : paths_join(path, dir, "seen", e);
	r = r < 0 ? r : paths_join(fresh, dir, ".seen", e);
	if (r < 0)
		return r;
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = fd < 0 ? -errno : fd_write_all(fd, buf_view(&now));
	if (r == 0 && (fsync(fd) < 0 || rename(fresh, path) < 0))
		r = -errno;
	return r < 0 ? err_sys(e, -r, "write %s", path) : 0;
}

int images_verify(const struct image *i, struct err *e)
{
	MANIFEST_AUTO struct manifest m = { 0 };
	int r = manifest_read(i->dir, &m, e);

	for (size_t k = 0; r == 0 && k < FILES; k++) {
		char path[PATHS_MAX], want[SHA256_HEX_MAX], got[SHA256_HEX_MAX];
		uint8_t digest[SHA256_LEN];
		uint64_t bytes, want_bytes;

		r = paths_join(path, i->dir, files[k], e);
		r = r < 0 ? r : images_digest_file(path, digest, &bytes, e);
		if (r < 0)
			return r;
		sha256_hex(digest, got);
		if (!file_of(&m, files[k], want, &want_bytes) || strcmp(want, got) != 0 || bytes != want_bytes)
			return err_set(e, EBADMSG, "image %.12s: %s is damaged: build it again with `saw image build`", i->digest,
				       files[k]);
	}
	return r < 0 ? r : remember(i->dir, e);
}

static int sync_dir(const char *dir, struct err *e)
{
	FD_AUTO int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? err_sys(e, errno, "write %s", dir) : 0;
}

static int point(const char *dir, const char *name, const char *digest, struct err *e)
{
	char path[PATHS_MAX], fresh[PATHS_MAX];

	if (paths_join(path, dir, name, e) < 0 || paths_join(fresh, dir, ".name", e) < 0)
		return -ENAMETOOLONG;
	(void)unlink(fresh);
	if (symlink(digest, fresh) < 0 || rename(fresh, path) < 0)
		return err_sys(e, errno, "point %s at the new image", path);
	return sync_dir(dir, e);
}

int images_add(const char *dir, const char *fresh, const char *name, struct image *ret, struct err *e)
{
	char path[PATHS_MAX], digest[SHA256_HEX_MAX];
	uint8_t got[SHA256_LEN];
	uint64_t bytes;
	int r = paths_join(path, fresh, "manifest.json", e);

	r = r < 0 ? r : images_digest_file(path, got, &bytes, e);
	r = r < 0 ? r : remember(fresh, e);
	r = r < 0 ? r : sync_dir(fresh, e);
	if (r < 0)
		return r;
	sha256_hex(got, digest);
	r = paths_join(path, dir, digest, e);
	/* The same manifest is there already: then so is the same image. */
	if (r == 0 && rename(fresh, path) < 0 && errno != EEXIST && errno != ENOTEMPTY)
		return err_sys(e, errno, "rename %s", fresh);
	r = r < 0 ? r : sync_dir(dir, e);
	r = r < 0 ? r : point(dir, name, digest, e);
	return r < 0 ? r : images_find(dir, name, ret, e);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

int images_remove_tree(const char *path, struct err *e)
{
	enum { FDS = 16 };

	if (nftw(path, remove_one, FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 && errno != ENOENT)
		return err_sys(e, errno, "remove %s", path);
	return 0;
}

int images_remove(const char *dir, const struct image *i, bool *ret_gone, struct err *e)
{
	char path[PATHS_MAX], doomed[PATHS_MAX];
	struct image other = *i;
	int r = 0;

	*ret_gone = false;
	if (i->name[0]) {
		r = paths_join(path, dir, i->name, e);
		if (r == 0 && unlink(path) < 0 && errno != ENOENT)
			r = err_sys(e, errno, "remove %s", path);
	}
	other.name[0] = '\0';
	r = r < 0 ? r : each(dir, match_target, &other, e);
	if (r < 0 || other.name[0])
		return r;
	/* Out of sight first: a removal that is cut short leaves no half image under its digest. */
	r = paths_join(doomed, dir, ".gone", e);
	r = r < 0 ? r : images_remove_tree(doomed, e);
	if (r == 0 && rename(i->dir, doomed) < 0)
		r = err_sys(e, errno, "remove %s", i->dir);
	*ret_gone = r == 0;
	return r < 0 ? r : images_remove_tree(doomed, e);
}
