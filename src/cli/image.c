/* `saw image VERB`: a small table of its own under one verb of the big one. */
#include "cli/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_out.h"
#include "cli/say.h"
#include "cli/verbs.h"
#include "ipc/spec.h"
#include "os/fd.h"

enum { OUT_MAX = 8 * 1024 * 1024 };

static int images_dir(char ret[PATHS_MAX], struct err *e)
{
	char state[PATHS_MAX];
	int r = paths_state(state, e);

	return r < 0 ? r : paths_join(ret, state, "images", e);
}

static int find(const char *what, char dir[PATHS_MAX], struct image *ret)
{
	struct err e = { 0 };
	int r = images_dir(dir, &e);

	r = r < 0 ? r : images_find(dir, what, ret, &e);
	return r < 0 ? say_fail(r == -ENOENT ? CLI_NOT_FOUND : CLI_FAILED, "%s", e.text) : CLI_DONE;
}

static void put(struct json_out *j, const struct image *i)
{
	json_out_object(j);
	json_out_key_str(j, "digest", i->digest);
	json_out_key_str(j, "name", i->name);
	json_out_key_str(j, "created_at", i->created);
	json_out_key_u64(j, "size_bytes", i->bytes);
	json_out_object_end(j);
}

bool image_put_json(struct buf *out, const struct image *i)
{
	struct json_out j;

	json_out_init(&j, out);
	put(&j, i);
	return buf_byte(out, '\n');
}

enum { LS_JSON, LS_NAMES };

static void put_names(struct buf *out, const struct image *all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (all[i].name[0])
			(void)buf_fmt(out, "%s\n", all[i].name);
}

static void put_table(struct buf *out, const struct image *all, size_t n)
{
	if (n == 0)
		say_warn("there is no image yet: make one with `saw image build debian`");
	else
		(void)buf_fmt(out, "%-20s %-12s %8s  %s\n", "NAME", "DIGEST", "SIZE", "CREATED");
	for (size_t i = 0; i < n; i++)
		(void)buf_fmt(out, "%-20s %.12s %5" PRIu64 "MiB  %s\n", all[i].name[0] ? all[i].name : "-", all[i].digest,
			      all[i].bytes >> 20, all[i].created);
}

static int ls_run(const struct cli_args *a)
{
	BUF_AUTO struct buf out = { 0 };
	char dir[PATHS_MAX];
	struct image *all = NULL;
	struct json_out j;
	struct err e = { 0 };
	size_t n = 0;
	int r;

	if (a->value[LS_JSON] && a->value[LS_NAMES])
		return say_fail(CLI_USAGE, "image ls: say either --json or --names");
	r = images_dir(dir, &e);
	r = r < 0 ? r : images_list(dir, &all, &n, &e);
	if (r < 0)
		return say_fail(CLI_FAILED, "image ls: %s", e.text);
	buf_init(&out, OUT_MAX);
	if (a->value[LS_JSON]) {
		json_out_init(&j, &out);
		json_out_array(&j);
		for (size_t i = 0; i < n; i++)
			put(&j, &all[i]);
		json_out_array_end(&j);
		(void)buf_byte(&out, '\n');
	} else if (a->value[LS_NAMES]) {
		put_names(&out, all, n);
	} else {
		put_table(&out, all, n);
	}
	free(all);
	return say_out(&out);
}

static int show_run(const struct cli_args *a)
{
	BUF_AUTO struct buf out = { 0 };
	char dir[PATHS_MAX], path[PATHS_MAX];
	struct image i = { 0 };
	struct err e = { 0 };
	FD_AUTO int fd = -1;
	int r = find(a->word[0], dir, &i);

	if (r != CLI_DONE)
		return r;
	buf_init(&out, OUT_MAX);
	if (a->value[0]) {
		r = paths_join(path, i.dir, "manifest.json", &e);
		if (r == 0)
			fd = open(path, O_RDONLY | O_CLOEXEC);
		r = r < 0 ? r : fd < 0 ? -errno : fd_read_all(fd, &out);
		return r < 0 ? say_fail(CLI_FAILED, "image show: read %s: %s", path, strerror(-r)) : say_out(&out);
	}
	(void)buf_fmt(&out, "name     %s\ndigest   %s\ncreated  %s\nsize     %" PRIu64 " MiB\nfolder   %s\n",
		      i.name[0] ? i.name : "-", i.digest, i.created, i.bytes >> 20, i.dir);
	if (images_check(&i, &e) < 0)
		(void)buf_fmt(&out, "state    %s\n", e.text);
	return say_out(&out);
}

static int verify_run(const struct cli_args *a)
{
	char dir[PATHS_MAX];
	struct image i = { 0 };
	struct err e = { 0 };
	int r = find(a->word[0], dir, &i);

	if (r != CLI_DONE)
		return r;
	if (images_verify(&i, &e) < 0)
		return say_fail(CLI_FAILED, "%s", e.text);
	if (!a->value[0])
		(void)printf("%s: every file is what its manifest says\n", i.digest);
	else
		(void)printf("{\"digest\":\"%s\",\"ok\":true}\n", i.digest);
	return CLI_DONE;
}

/* Does the workspace in this folder start from `dir`? Its name then. */
static bool uses(const char *folder, const char *dir, char ret_name[SPEC_NAME_MAX + 1])
{
	static uint8_t raw[MSG_MAX];
	char path[PATHS_MAX];
	struct msg_in in;
	struct spec s;
	FD_AUTO int fd = -1;
	ssize_t n;

	if (paths_join(path, folder, "spec", NULL) < 0)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	n = fd < 0 ? -1 : read(fd, raw, sizeof(raw));
	if (n <= 0 || !msg_open(&in, bytes_of(raw, (size_t)n)) || !spec_get(&in, &s) || !bytes_is(s.image_dir, dir))
		return false;
	(void)snprintf(ret_name, SPEC_NAME_MAX + 1, "%.*s", (int)s.name.len, (const char *)s.name.p);
	return true;
}

static bool in_use(const struct image *i, char ret_name[SPEC_NAME_MAX + 1])
{
	char state[PATHS_MAX], folder[PATHS_MAX], one[PATHS_MAX];
	const struct dirent *entry;
	bool used = false;
	DIR *d;

	if (paths_state(state, NULL) < 0 || paths_join(folder, state, "workspaces", NULL) < 0)
		return false;
	d = opendir(folder);
	while (d && !used && (entry = readdir(d)))
		if (entry->d_name[0] != '.' && paths_join(one, folder, entry->d_name, NULL) == 0)
			used = uses(one, i->dir, ret_name);
	if (d)
		(void)closedir(d);
	return used;
}

static int rm_run(const struct cli_args *a)
{
	char dir[PATHS_MAX], name[SPEC_NAME_MAX + 1];
	struct image i = { 0 };
	struct err e = { 0 };
	bool gone;
	int r = find(a->word[0], dir, &i);

	if (r != CLI_DONE)
		return r;
	if (in_use(&i, name))
		return say_fail(CLI_FAILED, "image %.12s is in use: workspace %s starts from it; remove that first (`saw rm %s`)",
				i.digest, name, name);
	if (images_remove(dir, &i, &gone, &e) < 0)
		return say_fail(CLI_FAILED, "image rm: %s", e.text);
	if (a->value[0])
		(void)printf("{\"digest\":\"%s\",\"name\":\"%s\",\"removed\":%s}\n", i.digest, i.name, gone ? "true" : "false");
	else if (gone)
		(void)printf("%.12s: removed\n", i.digest);
	else
		(void)printf("%s: the name is gone, the image keeps another\n", a->word[0]);
	return CLI_DONE;
}

static const struct cli_option json_option[] = {
	{ "json", NULL, "print it as JSON", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};

static const struct cli_option ls_options[] = {
	[LS_JSON] = { "json", NULL, "print it as JSON", CLI_TEXT },
	[LS_NAMES] = { "names", NULL, "print the names only", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};

static const struct cli_option build_options[] = {
	[IMAGE_BUILD_NAME] = { "name", "NAME", "what to call it (default: the recipe's name)", CLI_TEXT },
	[IMAGE_BUILD_MIRROR] = { "mirror", "URL", "Debian mirror (default: what this machine's apt names)", CLI_TEXT },
	[IMAGE_BUILD_JSON] = { "json", NULL, "print it as JSON", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};

static const struct cli_place recipe_place[] = { { 1, NULL, CLI_FILE, "debian|debian-build" }, { 0, NULL, CLI_TEXT, NULL } };

static const struct cli_verb verbs[] = {
	{ .name = "image build", .args = "RECIPE", .help = "make an image from Debian packages",
	  .more = "RECIPE is `debian`, `debian-build`, or the path of a recipe of your own. Needs mmdebstrap and squashfs-tools; takes a\n"
		  "minute or two. Root certificates that only this machine trusts are taken along, and named.",
	  .options = build_options, .places = recipe_place, .words_min = 1, .words_max = 1, .run = image_build_run },
	{ .name = "image ls", .args = "", .help = "list images", .options = ls_options, .run = ls_run },
	{ .name = "image show", .args = "NAME", .help = "what an image is; --json: its whole manifest",
	  .options = json_option, .words = CLI_IMAGE, .words_min = 1, .words_max = 1, .run = show_run },
	{ .name = "image verify", .args = "NAME", .help = "read all of it and compare digests", .options = json_option,
	  .words = CLI_IMAGE, .words_min = 1, .words_max = 1, .run = verify_run },
	{ .name = "image rm", .args = "NAME", .help = "remove it; refused while a workspace starts from it",
	  .options = json_option, .words = CLI_IMAGE, .words_min = 1, .words_max = 1, .run = rm_run },
};

static const struct cli_verb *under(size_t i)
{
	return i < sizeof(verbs) / sizeof(verbs[0]) ? &verbs[i] : NULL;
}

int cli_image(int argc, char **argv)
{
	return cli_under_run(&cli_image_verb, argc, argv);
}

const struct cli_verb cli_image_verb = {
	.name = "image",
	.args = "build|ls|show|verify|rm ...",
	.help = "make, list, check and remove images of machines",
	.more = "image build RECIPE [--name NAME] [--mirror URL]   debian, debian-build, or a recipe of your own\n"
		"image ls; image show NAME; image verify NAME; image rm NAME",
	.own = cli_image,
	.under = under,
};
