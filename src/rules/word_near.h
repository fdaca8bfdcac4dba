/* The word that somebody most likely meant. */
#ifndef SAW_RULES_WORD_NEAR_H
#define SAW_RULES_WORD_NEAR_H

#include "base/bytes.h"

/* The one of `n` words with the smallest edit distance (letter case aside), when that is small for its length; else NULL. */
const char *word_near(struct bytes text, const char *const *words, size_t n);

#endif
