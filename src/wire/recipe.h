/* A recipe: what goes into a machine's image. One directive a line, words parted by blanks, `#` begins a comment.
 *
 *	saw-recipe 1                    first line
 *	include NAME                    another recipe beside this one, first
 *	suite bookworm
 *	kernel amd64 PACKAGE            for one architecture
 *	package PACKAGE...
 *	module NAME                     into the initramfs, with what it needs
 *	user NAME                       may log in and use sudo
 *	npm VERSION SHA256              npm's own package, from the registry of the host's npm configuration
 *	file PATH MODE FROM             FROM lies beside the recipe
 *	link PATH TARGET
 *	mask UNIT                       a systemd unit that never starts
 */
#ifndef SAW_WIRE_RECIPE_H
#define SAW_WIRE_RECIPE_H

#include "base/buf.h"

enum { RECIPE_VERSION = 1, RECIPE_WORDS_MAX = 64, RECIPE_WORD_MAX = 255, RECIPE_TEXT_MAX = 256 * 1024 };

enum recipe_kind {
	RECIPE_INCLUDE,
	RECIPE_SUITE,
	RECIPE_KERNEL,
	RECIPE_PACKAGE,
	RECIPE_MODULE,
	RECIPE_USER,
	RECIPE_NPM,
	RECIPE_FILE,
	RECIPE_LINK,
	RECIPE_MASK,
	RECIPE_KINDS
};

/* One directive. Words borrow from the text, are counted without the directive itself, and have the shape their place asks for: none can
 * be taken for an option, leave its folder, or mean something to a shell. */
struct recipe_line {
	enum recipe_kind kind;
	unsigned at; /* line number, from 1 */
	struct bytes word[RECIPE_WORDS_MAX];
	unsigned n_words;
};

enum recipe_answer { RECIPE_LINE, RECIPE_END, RECIPE_BAD };

struct recipe_reader {
	struct bytes left;
	unsigned at;
	bool begun;
	const char *why; /* after RECIPE_BAD: what is wrong in line `at`, a sentence without its end */
};

void recipe_open(struct recipe_reader *r, struct bytes text);
enum recipe_answer recipe_next(struct recipe_reader *r, struct recipe_line *ret);
/* Appends the line as it is written in a file. */
bool recipe_put(struct buf *out, const struct recipe_line *l);

#endif
