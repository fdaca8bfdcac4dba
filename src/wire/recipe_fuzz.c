#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "wire/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every line that is taken, written again, is taken as the same line. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct recipe_line a, b;
	struct recipe_reader r, again;

	recipe_open(&r, bytes_of(data, size));
	for (enum recipe_answer answer; (answer = recipe_next(&r, &a)) != RECIPE_END;) {
		BUF_AUTO struct buf text = { 0 };

		if (answer == RECIPE_BAD) {
			must(r.why);
			return 0;
		}
		buf_init(&text, RECIPE_TEXT_MAX);
		must(buf_str(&text, "saw-recipe 1\n") && recipe_put(&text, &a));
		recipe_open(&again, buf_view(&text));
		must(recipe_next(&again, &b) == RECIPE_LINE && a.kind == b.kind && a.n_words == b.n_words);
		for (unsigned i = 0; i < a.n_words; i++)
			must(bytes_eq(a.word[i], b.word[i]));
		must(recipe_next(&again, &b) == RECIPE_END);
	}
	return 0;
}
