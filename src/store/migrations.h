/* The schema, step by step: each entry leads from its index to the next version. Entries are never edited, only added.
 *
 * Plain SQL that PostgreSQL takes as well: TEXT and BIGINT only, no triggers, times as milliseconds since the epoch. */
#ifndef SAW_STORE_MIGRATIONS_H
#define SAW_STORE_MIGRATIONS_H

#include <stddef.h>

extern const char *const migrations[];
extern const size_t n_migrations;

#endif
