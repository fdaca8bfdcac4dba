/* What a recipe asks for, once it and what it includes are read. */
#ifndef SAW_CLI_IMAGE_PLAN_H
#define SAW_CLI_IMAGE_PLAN_H

#include "cli/image_files.h"
#include "crypt/sha256.h"
#include "os/paths.h"
#include "wire/recipe.h"

enum { IMAGE_PLAN_WORD = RECIPE_WORD_MAX + 1, IMAGE_PLAN_INCLUDES_MAX = 8 };

struct image_plan {
	char folder[PATHS_MAX]; /* where the recipe lies */
	char suite[IMAGE_PLAN_WORD];
	char kernel[IMAGE_PLAN_WORD]; /* the package for this machine's architecture */
	char user[IMAGE_PLAN_WORD];
	char npm_version[IMAGE_PLAN_WORD]; /* "": no npm */
	char npm_sha256[SHA256_HEX_MAX];
	struct buf packages; /* "a,b,c" */
	struct buf modules; /* one a line */
	struct sha256_run *digest; /* over every recipe and every file they name, in order */
	unsigned depth;
};

/* "amd64", "arm64": Debian's word for this machine. */
const char *image_plan_arch(void);
/* Where the recipes are: $SAW_IMAGES, the source tree when this binary runs from a build in it, else the installed folder. */
int image_plan_folder(char ret[PATHS_MAX], struct err *e);

/* The absolute path of a recipe that is said as a name, or as a path (it holds a '/' or ends in ".recipe"). -ENOENT with the remedy. */
int image_plan_find(const char *recipe, char ret[PATHS_MAX], struct err *e);
/* Reads the recipe at `path`, adds the files it names to `tree`. 0, or a negative errno with file, line and remedy. Zero-initialise
 * *p; deinit it in any case. */
int image_plan_read(struct image_plan *p, const char *path, struct image_files *tree, struct err *e);
void image_plan_deinit(struct image_plan *p);

#endif
