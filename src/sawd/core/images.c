#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time_text.h"
#include "os/fd.h"
#include "sawd/core/core.h"
#include "wire/json_scan.h"

/* An image is a folder named after its digest. Of its manifest, which `saw image build` wrote, only name and time are read. */

enum { MANIFEST_MAX = 1024 * 1024, NODES_MAX = 65536, DIGEST_PART_MIN = 8 };

static bool is_digest(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if (!memchr("0123456789abcdef", name[i], 16))
			return false;
	return len >= DIGEST_PART_MIN && len <= SAWD_IMAGE_MAX;
}

static bool read_text(int fd, struct buf *out)
{
	for (;;) {
		uint8_t *room = buf_room(out, 65536);
		ssize_t n = room ? read(fd, room, 65536) : -1;

		if (n == 0)
			return true;
		if (n < 0 && errno == EINTR && room)
			continue;
		if (n < 0)
			return false;
		buf_grew(out, (size_t)n);
	}
}

static void take(const struct json_node *nodes, struct image *i)
{
	struct buf text;

	buf_init(&text, SAWD_IMAGE_MAX);
	if (json_text(json_get(nodes, nodes, "name"), &text))
		(void)snprintf(i->name, sizeof(i->name), "%s", buf_cstr(&text));
	buf_reset(&text);
	if (json_text(json_get(nodes, nodes, "created"), &text))
		(void)time_text_parse(buf_view(&text), &i->created_ms);
	buf_deinit(&text);
}

/* False when the folder holds no whole image: one that is being built, or a damaged one. */
static bool read_image(int images_fd, const char *digest, struct image *ret)
{
	static struct json_node nodes[NODES_MAX];
	FD_AUTO int dir_fd = openat(images_fd, digest, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	FD_AUTO int fd = dir_fd < 0 ? -1 : openat(dir_fd, "manifest.json", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	struct buf text;
	uint32_t n;
	size_t at;
	bool ok;

	if (fd < 0 || fstatat(dir_fd, "base.img", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	*ret = (struct image){ .bytes = (uint64_t)st.st_size };
	(void)snprintf(ret->digest, sizeof(ret->digest), "%s", digest);
	buf_init(&text, MANIFEST_MAX + 65536);
	ok = read_text(fd, &text) && json_scan(buf_view(&text), nodes, NODES_MAX, &n, &at) == JSON_OK;
	if (ok)
		take(nodes, ret);
	buf_deinit(&text);
	return ok;
}

int images_list(const struct core *c, images_fn fn, void *ctx, struct err *e)
{
	char path[PATHS_MAX];
	struct dirent *entry;
	struct image i;
	bool go_on = true;
	DIR *d;
	int r = paths_join(path, c->state, "images", e);

	if (r < 0)
		return r;
	d = opendir(path);
	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, errno, "open %s", path);
	while (go_on && (entry = readdir(d)) != NULL)
		if (is_digest(entry->d_name) && read_image(dirfd(d), entry->d_name, &i))
			go_on = fn(ctx, &i);
	(void)closedir(d);
	return 0;
}

struct search {
	struct bytes asked;
	struct image *ret;
	unsigned n; /* different digests that match */
	bool by_name;
};

/* A name means its newest image; a beginning of a digest must be unique. */
static bool match(void *ctx, const struct image *i)
{
	struct search *s = ctx;
	bool by_name = bytes_is(s->asked, i->name);
	bool by_digest = s->asked.len >= DIGEST_PART_MIN && bytes_starts(bytes_str(i->digest), s->asked);

	if (by_name && s->n && s->by_name && i->created_ms <= s->ret->created_ms)
		return true;
	if (by_name || (by_digest && !s->by_name)) {
		s->n = by_name ? 1 : s->n + 1;
		s->by_name = s->by_name || by_name;
		*s->ret = *i;
	}
	return true;
}

int images_find(const struct core *c, struct bytes asked, struct image *ret, struct err *e)
{
	struct search s = { .asked = asked, .ret = ret };
	int r = images_list(c, match, &s, e);

	if (r < 0)
		return r;
	if (s.n == 0)
		return err_set(e, ENOENT, "there is no image %.*s", (int)asked.len, (const char *)asked.p);
	if (s.n > 1)
		return err_set(e, EEXIST, "several images begin with %.*s", (int)asked.len, (const char *)asked.p);
	return 0;
}
