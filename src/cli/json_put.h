/* Writes a scanned JSON value again, exactly as it was spelled but for white space. */
#ifndef SAW_CLI_JSON_PUT_H
#define SAW_CLI_JSON_PUT_H

#include "wire/json_scan.h"

/* Appends `n` (a node of the table `nodes`). Returns !out->failed. */
bool json_put(const struct json_node *nodes, const struct json_node *n, struct buf *out);

#endif
