/* `saw image build`: recipe -> tree of Debian packages -> squashfs, kernel, initramfs, manifest. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time_text.h"
#include "cli/image.h"
#include "cli/image_files.h"
#include "cli/image_host.h"
#include "cli/image_manifest.h"
#include "cli/image_plan.h"
#include "cli/image_run.h"
#include "cli/say.h"
#include "os/fd.h"
#include "os/lock.h"
#include "os/loop.h"
#include "os/paths.h"
#include "store/images.h"

/* Everything happens in <state>/images/.new, which becomes the image by one rename at the end; a build that ends early leaves nothing under
 * any name. mmdebstrap makes the tree (as root, or in a user namespace) and gives it as a tar stream to sqfstar; files of the recipe go
 * in, and kernel, modules and lists come out, through its tar-in and download hooks, so that no step of ours writes into a tree of
 * another user id. lz4: half the size of no compression, and a guest without KVM starts as fast. */

#define IN_TREE "/var/cache/saw"
#define RECIPE_ENDING ".recipe"

struct build {
	char images[PATHS_MAX];
	char fresh[PATHS_MAX];
	char recipe_name[PATHS_MAX];
	const char *name;
	const char *mirror;
	struct image_plan plan;
	struct buf sources;
	struct buf registry;
};

static uint64_t began_ms;

static void show(const char *what)
{
	say_progress("image (%" PRIu64 " s): %s", (clock_mono_ms() - began_ms) / 1000, what);
}

static void on_line(const char *line)
{
	if (strncmp(line, "I: ", 3) == 0)
		show(line + 3);
}

/* --- what goes into the tree --- */

static int add_npm(struct build *b, struct image_files *tree, struct err *e)
{
	char package[IMAGE_PLAN_WORD + 8], file[IMAGE_PLAN_WORD + 16], hex[SHA256_HEX_MAX];
	const char *const fetch[] = { "npm", "pack", package, "--silent", "--pack-destination", ".", NULL };
	BUF_AUTO struct buf said = { 0 }, npmrc = { 0 };
	uint8_t digest[SHA256_LEN];
	uint64_t bytes;
	int r;

	if (!b->plan.npm_version[0])
		return 0;
	if (!image_host_registry(&b->registry)) {
		say_warn("this machine has no npm that names a registry: Debian's own, larger npm is taken");
		(void)buf_str(&b->plan.packages, ",npm");
		return 0;
	}
	show("fetching npm");
	buf_init(&said, 4096);
	buf_init(&npmrc, 4096);
	(void)snprintf(package, sizeof(package), "npm@%s", b->plan.npm_version);
	(void)snprintf(file, sizeof(file), "npm-%s.tgz", b->plan.npm_version);
	r = image_run(fetch, NULL, &said, NULL, e);
	r = r < 0 ? r : images_digest_file(file, digest, &bytes, e);
	if (r < 0)
		return err_in(e, r, "fetch npm");
	sha256_hex(digest, hex);
	if (strcmp(hex, b->plan.npm_sha256) != 0)
		return err_set(e, EBADMSG, "npm %s from the registry is not what the recipe names (SHA-256 %s)",
			       b->plan.npm_version, hex);
	image_files_copy(tree, IN_TREE "/npm.tgz", 0644, file);
	(void)buf_fmt(&npmrc, "registry=%s\ncafile=/etc/ssl/certs/ca-certificates.crt\nfund=false\naudit=false\nupdate-notifier=false\n",
		      buf_cstr(&b->registry));
	image_files_file(tree, IN_TREE "/npmrc", 0644, buf_view(&npmrc));
	return 0;
}

static void add_text(struct image_files *tree, const char *name, const char *text)
{
	BUF_AUTO struct buf line;

	buf_init(&line, 4096);
	(void)buf_fmt(&line, "%s\n", text);
	image_files_file(tree, name, 0644, buf_view(&line));
}

static int make_tree(struct build *b, const char *recipe, struct err *e)
{
	BUF_AUTO struct buf roots, distro;
	char setup[PATHS_MAX], folder[PATHS_MAX], guest[PATHS_MAX];
	struct image_files tree;
	struct err tar = { 0 };
	int r, closed;

	buf_init(&roots, IMAGE_HOST_TEXT_MAX);
	buf_init(&distro, IMAGE_HOST_TEXT_MAX);
	image_files_open(&tree, IMAGE_FILES_TAR, "tree.tar", &tar);
	r = image_plan_read(&b->plan, recipe, &tree, e);
	r = r < 0 ? r : image_plan_folder(folder, e);
	r = r < 0 ? r : paths_join(setup, folder, "setup", e);
	r = r < 0 ? r : paths_helper("saw-guest", guest, e);
	r = r < 0 ? r : image_host_sources(b->plan.suite, b->mirror, &b->sources, e);
	r = r < 0 ? r : add_npm(b, &tree, e);
	if (r == 0) {
		image_host_roots(&roots, &distro);
		image_files_copy(&tree, "/usr/lib/saw/saw-guest", 0755, guest);
		image_files_copy(&tree, IN_TREE "/setup", 0755, setup);
		image_files_file(&tree, IN_TREE "/host-roots.pem", 0644, buf_view(&roots));
		image_files_file(&tree, IN_TREE "/distro-roots.pem", 0644, buf_view(&distro));
		image_files_file(&tree, IN_TREE "/modules", 0644, buf_view(&b->plan.modules));
		add_text(&tree, IN_TREE "/kernel", b->plan.kernel);
		add_text(&tree, IN_TREE "/user", b->plan.user);
	}
	closed = image_files_close(&tree);
	if (r == 0 && closed < 0)
		return err_set(e, -closed, "%s", tar.text);
	return r;
}

/* --- the tree, and what comes out of it --- */

static int write_file(const char *path, struct bytes data, struct err *e)
{
	FD_AUTO int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int r = fd < 0 ? -errno : fd_write_all(fd, data);

	return r < 0 ? err_sys(e, -r, "write %s", path) : 0;
}

static int make_base(struct build *b, struct err *e)
{
	BUF_AUTO struct buf include;
	const char *const pack[] = { "sqfstar", "-quiet", "-no-progress", "-comp", "lz4", "base.img", NULL };
	int r = write_file("sources.list", buf_view(&b->sources), e);

	buf_init(&include, 128 * 1024);
	(void)buf_fmt(&include, "--include=%s", buf_cstr(&b->plan.packages));
	if (r < 0)
		return r;
	if (include.failed)
		return err_set(e, ENOMEM, "out of memory for the list of packages");
	return image_run((const char *const[]){
				 "mmdebstrap",
				 geteuid() == 0 ? "--mode=root" : "--mode=unshare",
				 "--variant=apt",
				 "--format=tar",
				 "--aptopt=APT::Install-Recommends \"false\"",
				 "--aptopt=Acquire::Languages \"none\"",
				 "--dpkgopt=path-exclude=/usr/share/doc/*",
				 "--dpkgopt=path-include=/usr/share/doc/*/copyright",
				 "--dpkgopt=path-exclude=/usr/share/man/*",
				 "--dpkgopt=path-exclude=/usr/share/info/*",
				 "--dpkgopt=path-exclude=/usr/share/locale/*",
				 "--dpkgopt=path-exclude=/usr/share/lintian/*",
				 "--dpkgopt=path-exclude=/usr/share/bug/*",
				 buf_cstr(&include),
				 "--customize-hook=tar-in tree.tar /",
				 "--customize-hook=chroot \"$1\" /bin/sh " IN_TREE "/setup",
				 "--customize-hook=download " IN_TREE "/out.tar out.tar",
				 "--customize-hook=rm -rf \"$1" IN_TREE "\"",
				 b->plan.suite,
				 "-",
				 "sources.list",
				 NULL },
			 pack, NULL, on_line, e);
}

static int unpack(struct err *e)
{
	static const char *const tar[] = { "tar", "-xf", "out.tar", "--no-same-owner", "--no-same-permissions", "-C", "out", NULL };

	if (mkdir("out", 0700) < 0)
		return err_sys(e, errno, "make images/.new/out");
	return image_run(tar, NULL, NULL, NULL, e);
}

static int make_initrd(struct err *e)
{
	char guest[PATHS_MAX], name[PATHS_MAX], path[PATHS_MAX], line[256];
	struct image_files ird;
	struct err cpio = { 0 };
	FILE *order;
	int r = paths_helper("saw-guest", guest, e);

	if (r < 0)
		return r;
	order = fopen("out/modules/order", "re");
	if (!order)
		return err_sys(e, errno, "read images/.new/out/modules/order");
	image_files_open(&ird, IMAGE_FILES_CPIO, "initrd", &cpio);
	image_files_copy(&ird, "/init", 0755, guest);
	image_files_dir(&ird, "/modules");
	image_files_copy(&ird, "/modules/order", 0644, "out/modules/order");
	while (fgets(line, sizeof(line), order)) {
		line[strcspn(line, "\n")] = '\0';
		(void)snprintf(name, sizeof(name), "/modules/%s", line);
		(void)snprintf(path, sizeof(path), "out/modules/%s", line);
		image_files_copy(&ird, name, 0644, path);
	}
	(void)fclose(order);
	r = image_files_close(&ird);
	return r < 0 ? err_set(e, -r, "%s", cpio.text) : 0;
}

/* Leaves the four files of an image in the folder, read-only and on disk, and nothing else. */
static int finish_folder(struct err *e)
{
	static const char *const leftovers[] = { "tree.tar", "sources.list", "out.tar" };
	static const char *const kept[] = { "kernel", "initrd", "base.img", "manifest.json" };
	int r = images_remove_tree("out", e);

	for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++)
		(void)unlink(leftovers[i]);
	for (size_t i = 0; r == 0 && i < sizeof(kept) / sizeof(kept[0]); i++) {
		FD_AUTO int fd = open(kept[i], O_RDONLY | O_CLOEXEC);

		if (fd < 0 || fchmod(fd, 0444) < 0 || fsync(fd) < 0)
			r = err_sys(e, errno, "write %s", kept[i]);
	}
	return r;
}

static int make_all(struct build *b, const char *recipe, struct image_manifest *m, struct err *e)
{
	int r = make_tree(b, recipe, e);

	r = r < 0 ? r : make_base(b, e);
	show("packing");
	r = r < 0 ? r : unpack(e);
	if (r == 0 && rename("out/kernel", "kernel") < 0)
		r = err_sys(e, errno, "take the kernel out of the tree");
	r = r < 0 ? r : make_initrd(e);
	*m = (struct image_manifest){ .name = b->name,
				      .suite = b->plan.suite,
				      .arch = image_plan_arch(),
				      .sources = buf_view(&b->sources),
				      .registry = buf_view(&b->registry),
				      .npm = b->plan.npm_version };
	sha256_run_digest(b->plan.digest, m->recipe);
	show("checking");
	r = r < 0 ? r : image_manifest_write(m, "manifest.json", e);
	if (r == 0 && b->plan.npm_version[0]) {
		char file[IMAGE_PLAN_WORD + 16];

		(void)snprintf(file, sizeof(file), "npm-%s.tgz", b->plan.npm_version);
		(void)unlink(file);
	}
	return r < 0 ? r : finish_folder(e);
}

/* --- around it --- */

static int enter(struct build *b, struct err *e)
{
	char state[PATHS_MAX], lock[PATHS_MAX];
	int r = paths_state(state, e);
	int fd;

	r = r < 0 ? r : paths_join(b->images, state, "images", e);
	r = r < 0 ? r : paths_make_dir(b->images, e);
	r = r < 0 ? r : paths_join(lock, b->images, ".lock", e);
	if (r == 0 && geteuid() != 0 && !image_run_has("newuidmap"))
		r = err_set(e, ENOENT, "newuidmap is missing: without it only root can build; install it (Debian: apt install uidmap)");
	if (r < 0)
		return r;
	fd = lock_take(lock, e);
	if (fd < 0)
		return err_in(e, fd, "another build is running");
	r = paths_join(b->fresh, b->images, ".new", e);
	/* What a build that was killed left behind. */
	r = r < 0 ? r : images_remove_tree(b->fresh, e);
	if (r == 0 && mkdir(b->fresh, 0700) < 0)
		r = err_sys(e, errno, "make %s", b->fresh);
	if (r == 0 && chdir(b->fresh) < 0)
		r = err_sys(e, errno, "enter %s", b->fresh);
	if (r < 0)
		return r;
	(void)umask(022);
	(void)setenv("LC_ALL", "C.UTF-8", 1);
	/* As root the tree lies with the rest, and goes with it. Another user id of a user namespace could not get in here. */
	if (geteuid() == 0)
		(void)setenv("TMPDIR", b->fresh, 1);
	return image_run_begin(e);
}

static void told(const struct image *i, const struct image_manifest *m, bool json)
{
	BUF_AUTO struct buf out;

	buf_init(&out, IMAGES_MANIFEST_MAX);
	if (json) {
		image_put_json(&out, i);
	} else {
		(void)buf_fmt(&out, "%s %.12s: %" PRIu64 " MiB in %" PRIu64 " s\n", i->name, i->digest, i->bytes >> 20,
			      (clock_mono_ms() - began_ms) / 1000);
		for (struct bytes left = buf_view(&m->roots); left.len;) {
			size_t end = bytes_find(left, '\n');

			(void)buf_fmt(&out, "takes along this machine's own root certificate: %.*s\n", (int)end, (const char *)left.p);
			left = bytes_skip(left, end < left.len ? end + 1 : end);
		}
	}
	(void)say_out(&out);
}

/* "/x/small.recipe" -> "small". */
static void name_of(const char *recipe, char ret[PATHS_MAX])
{
	const char *slash = strrchr(recipe, '/');
	size_t len, tail = strlen(RECIPE_ENDING);

	(void)snprintf(ret, PATHS_MAX, "%s", slash ? slash + 1 : recipe);
	len = strlen(ret);
	if (len > tail && strcmp(ret + len - tail, RECIPE_ENDING) == 0)
		ret[len - tail] = '\0';
}

int image_build_run(const struct cli_args *a)
{
	static struct build b;
	struct image_manifest m = { 0 };
	char recipe[PATHS_MAX];
	struct image made;
	struct err e = { 0 };
	int r;

	name_of(a->word[0], b.recipe_name);
	b.name = a->value[IMAGE_BUILD_NAME] ? a->value[IMAGE_BUILD_NAME] : b.recipe_name;
	b.mirror = a->value[IMAGE_BUILD_MIRROR];
	if (!images_name_ok(b.name))
		return say_fail(CLI_USAGE, "image build: `%s` is no name for an image; give one with --name: a-z, 0-9 and, inside, hyphens, dots and underscores, at most 63", b.name);
	if (b.mirror && image_host_mirror(b.mirror, &e) < 0)
		return say_fail(CLI_USAGE, "image build: %s", e.text);
	/* Before the change of folder: a path is meant from here. */
	if (image_plan_find(a->word[0], recipe, &e) < 0)
		return say_fail(CLI_NOT_FOUND, "image build: %s", e.text);
	began_ms = clock_mono_ms();
	buf_init(&b.sources, 64 * 1024);
	buf_init(&b.registry, 1024);
	r = enter(&b, &e);
	if (r == 0) {
		r = make_all(&b, recipe, &m, &e);
		r = r < 0 ? r : images_add(b.images, b.fresh, b.name, &made, &e);
		if (r < 0 && chdir("/") == 0)
			(void)images_remove_tree(b.fresh, NULL);
	}
	say_progress_end();
	if (r == 0)
		told(&made, &m, a->value[IMAGE_BUILD_JSON] != NULL);
	image_manifest_deinit(&m);
	image_plan_deinit(&b.plan);
	buf_deinit(&b.sources);
	buf_deinit(&b.registry);
	return r < 0 ? say_fail(r == -EINVAL ? CLI_USAGE : CLI_FAILED, "image build: %s", e.text) : CLI_DONE;
}
