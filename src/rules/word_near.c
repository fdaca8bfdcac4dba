#include "rules/word_near.h"

enum { WORD_MAX = 32 };

static unsigned fold(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20U : c == '_' ? '-' : c;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein's distance, where two neighbours in the wrong order count once. */
static unsigned distance(struct bytes a, struct bytes b)
{
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b.len; j++)
		above[j] = (unsigned)j;
	for (size_t i = 1; i <= a.len; i++) {
		unsigned *free_row = before;

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b.len; j++) {
			bool same = fold(a.p[i - 1]) == fold(b.p[j - 1]);

			row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + !same);
			if (i > 1 && j > 1 && fold(a.p[i - 1]) == fold(b.p[j - 2]) &&
			    fold(a.p[i - 2]) == fold(b.p[j - 1]) && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		before = above;
		above = row;
		row = free_row;
	}
	return above[b.len];
}

const char *word_near(struct bytes text, const char *const *words, size_t n)
{
	const char *best = NULL;
	unsigned best_distance = WORD_MAX;

	if (text.len == 0 || text.len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		struct bytes word = bytes_str(words[i]);
		unsigned d;

		if (word.len > WORD_MAX)
			continue;
		d = distance(text, word);
		if (d < best_distance && d <= 1 + word.len / 4) {
			best = words[i];
			best_distance = d;
		}
	}
	return best;
}
