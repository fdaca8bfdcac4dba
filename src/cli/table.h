/* Cells of the tables that verbs print. */
#ifndef SAW_CLI_TABLE_H
#define SAW_CLI_TABLE_H

#include "cli/api.h"

enum { CELL_MAX = 128, AGE_MAX = 32 };

/* One member as a terminal may show it. Returns `ret`. */
const char *table_cell(const struct api_doc *d, const struct json_node *of, const char *key, char ret[CELL_MAX]);
/* "3 d", "5 h", "12 min", "40 s" since an RFC 3339 time; "-" when it is none. Returns `ret`. */
const char *table_age(const char *since, char ret[AGE_MAX]);

#endif
