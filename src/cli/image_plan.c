#include "cli/image_plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/fd.h"

#ifndef SAW_IMAGES_DIR
#error "the build says where recipes are installed"
#endif

enum { PACKAGES_MAX = 64 * 1024, FILE_MAX = 8 * 1024 * 1024, UP_TO_TREE = 4 };

const char *image_plan_arch(void)
{
#if defined(__x86_64__)
	return "amd64";
#elif defined(__aarch64__)
	return "arm64";
#else
#error "no image is defined for this architecture"
#endif
}

int image_plan_folder(char ret[PATHS_MAX], struct err *e)
{
	const char *said = getenv("SAW_IMAGES");
	char self[PATHS_MAX];
	char probe[PATHS_MAX];
	ssize_t n;

	if (said && *said)
		return snprintf(ret, PATHS_MAX, "%s", said) < PATHS_MAX ? 0 : err_set(e, ENAMETOOLONG, "SAW_IMAGES is too long");
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n > 0) {
		self[n] = '\0';
		/* <tree>/<build>/src/cli/saw */
		for (int i = 0; i < UP_TO_TREE; i++) {
			char *slash = strrchr(self, '/');

			if (slash)
				*slash = '\0';
		}
		if (paths_join(probe, self, "images/debian.recipe", NULL) == 0 && access(probe, R_OK) == 0)
			return paths_join(ret, self, "images", e);
	}
	(void)snprintf(ret, PATHS_MAX, "%s", SAW_IMAGES_DIR);
	return 0;
}

/* A positive errno: it cannot be opened, and whoever named it says so. */
static int read_file(const char *path, size_t max, struct buf *ret, struct err *e)
{
	FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC);

	int r;

	buf_init(ret, max);
	if (fd < 0)
		return errno;
	r = fd_read_all(fd, ret);
	return r < 0 ? err_sys(e, -r, "read %s", path) : 0;
}

static void text(char *to, size_t size, struct bytes w)
{
	(void)snprintf(to, size, "%.*s", (int)w.len, (const char *)w.p);
}

static int add_file(struct image_plan *p, const struct recipe_line *l, struct image_files *tree, struct err *e)
{
	BUF_AUTO struct buf data = { 0 };
	char name[IMAGE_PLAN_WORD], from[IMAGE_PLAN_WORD], path[PATHS_MAX];
	mode_t mode = 0;
	int r;

	text(name, sizeof(name), l->word[0]);
	text(from, sizeof(from), l->word[2]);
	for (size_t i = 0; i < l->word[1].len; i++)
		mode = mode * 8 + (mode_t)(l->word[1].p[i] - '0');
	r = paths_join(path, p->folder, from, e);
	if (r < 0)
		return r;
	r = read_file(path, FILE_MAX, &data, e);
	if (r > 0)
		return err_sys(e, r, "line %u: %s", l->at, path);
	if (r < 0)
		return r;
	sha256_run_add(p->digest, buf_view(&data));
	image_files_file(tree, name, mode, buf_view(&data));
	return 0;
}

static int read_recipe(struct image_plan *p, const char *path, struct image_files *tree, struct err *e);

static int include(struct image_plan *p, const struct recipe_line *l, struct image_files *tree, struct err *e)
{
	char name[IMAGE_PLAN_WORD + 8], path[PATHS_MAX];
	int r;

	/* A bound, and the end of two recipes that include each other. */
	if (++p->depth > IMAGE_PLAN_INCLUDES_MAX)
		return err_set(e, ELOOP, "line %u: more than %d recipes include each other", l->at, IMAGE_PLAN_INCLUDES_MAX);
	(void)snprintf(name, sizeof(name), "%.*s.recipe", (int)l->word[0].len, (const char *)l->word[0].p);
	r = paths_join(path, p->folder, name, e);
	return r < 0 ? r : read_recipe(p, path, tree, e);
}

static void add_words(struct buf *to, const struct recipe_line *l, const char *between)
{
	for (unsigned i = 0; i < l->n_words; i++) {
		if (to->len && *between == ',')
			(void)buf_str(to, between);
		(void)buf_bytes(to, l->word[i]);
		if (*between != ',')
			(void)buf_str(to, between);
	}
}

static int add_line(struct image_plan *p, const struct recipe_line *l, struct image_files *tree, struct err *e)
{
	char a[IMAGE_PLAN_WORD], b[IMAGE_PLAN_WORD + 32];

	text(a, sizeof(a), l->word[0]);
	switch (l->kind) {
	case RECIPE_INCLUDE:
		return include(p, l, tree, e);
	case RECIPE_SUITE:
		text(p->suite, sizeof(p->suite), l->word[0]);
		break;
	case RECIPE_KERNEL:
		if (strcmp(a, image_plan_arch()) == 0)
			text(p->kernel, sizeof(p->kernel), l->word[1]);
		break;
	case RECIPE_PACKAGE:
		add_words(&p->packages, l, ",");
		break;
	case RECIPE_MODULE:
		add_words(&p->modules, l, "\n");
		break;
	case RECIPE_USER:
		text(p->user, sizeof(p->user), l->word[0]);
		break;
	case RECIPE_NPM:
		text(p->npm_version, sizeof(p->npm_version), l->word[0]);
		text(p->npm_sha256, sizeof(p->npm_sha256), l->word[1]);
		break;
	case RECIPE_FILE:
		return add_file(p, l, tree, e);
	case RECIPE_LINK:
		text(b, sizeof(b), l->word[1]);
		image_files_link(tree, a, b);
		break;
	case RECIPE_MASK:
		for (unsigned i = 0; i < l->n_words; i++) {
			(void)snprintf(b, sizeof(b), "/etc/systemd/system/%.*s", (int)l->word[i].len,
				       (const char *)l->word[i].p);
			image_files_link(tree, b, "/dev/null");
		}
		break;
	case RECIPE_KINDS:
		break;
	}
	return 0;
}

static int read_recipe(struct image_plan *p, const char *path, struct image_files *tree, struct err *e)
{
	BUF_AUTO struct buf recipe = { 0 };
	struct recipe_reader reader;
	struct recipe_line line;
	enum recipe_answer a;
	int r = read_file(path, RECIPE_TEXT_MAX, &recipe, e);

	if (r > 0)
		return err_sys(e, r, "recipe %s", path);
	if (r < 0)
		return r;
	sha256_run_add(p->digest, buf_view(&recipe));
	recipe_open(&reader, buf_view(&recipe));
	while ((a = recipe_next(&reader, &line)) == RECIPE_LINE) {
		r = add_line(p, &line, tree, e);
		if (r < 0)
			return err_in(e, r, "%s", path);
	}
	return a == RECIPE_BAD ? err_set(e, EINVAL, "%s: line %u: %s", path, reader.at, reader.why) : 0;
}

int image_plan_find(const char *recipe, char ret[PATHS_MAX], struct err *e)
{
	size_t len = strlen(recipe);
	char folder[PATHS_MAX], name[PATHS_MAX], path[PATHS_MAX];
	int r;

	if (strchr(recipe, '/') || (len > 7 && strcmp(recipe + len - 7, ".recipe") == 0))
		return realpath(recipe, ret) ? 0 : err_sys(e, errno, "recipe %s", recipe);
	r = image_plan_folder(folder, e);
	(void)snprintf(name, sizeof(name), "%s.recipe", recipe);
	r = r < 0 ? r : paths_join(path, folder, name, e);
	if (r < 0 || realpath(path, ret))
		return r;
	return err_set(e, errno, "there is no recipe \"%.80s\": say debian, debian-build, or the path of your own such as ./%.80s", recipe,
		       recipe);
}

int image_plan_read(struct image_plan *p, const char *path, struct image_files *tree, struct err *e)
{
	int r;

	(void)snprintf(p->folder, sizeof(p->folder), "%.*s", (int)(strrchr(path, '/') - path), path);
	buf_init(&p->packages, PACKAGES_MAX);
	buf_init(&p->modules, PACKAGES_MAX);
	p->digest = sha256_run_new();
	if (!p->digest)
		return err_set(e, ENOMEM, "out of memory");
	r = read_recipe(p, path, tree, e);
	if (r < 0)
		return r;
	if (p->packages.failed || p->modules.failed)
		return err_set(e, EFBIG, "%s: too many packages", path);
	if (!p->suite[0] || !p->kernel[0] || !p->user[0] || !p->modules.len)
		return err_set(e, EINVAL, "%s: has no line `%s`", path,
			       !p->suite[0]  ? "suite" :
			       !p->user[0]   ? "user" :
			       !p->kernel[0] ? "kernel` for this architecture, or no `kernel" :
					       "module");
	return 0;
}

void image_plan_deinit(struct image_plan *p)
{
	buf_deinit(&p->packages);
	buf_deinit(&p->modules);
	p->digest = sha256_run_free(p->digest);
}
