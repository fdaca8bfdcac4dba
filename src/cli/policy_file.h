/* Policy files as the verbs read them: text that is compiled here and now, or a blob that was compiled before. */
#ifndef SAW_CLI_POLICY_FILE_H
#define SAW_CLI_POLICY_FILE_H

#include "base/json_out.h"
#include "rules/policy_compile.h"

/* Initialises *ret and reads the whole file, "-" being standard input. CLI_DONE; CLI_NOT_FOUND where there is none or CLI_FAILED, with a sentence
 * in `e` that names the file. */
int policy_file_read(const char *path, struct buf *ret, struct err *e);
/* Writes beside it and renames: what stood there stays whole until the new one is. Mode 0600. What is there and no file (a pipe, a device) is
 * written to as it is. 0, or negative errno with a sentence. */
int policy_file_write(const char *path, struct bytes data, struct err *e);

/* Compiles `text`. As policy_compile(), with this program's SHA-256. */
bool policy_file_compile(struct bytes text, bool production, struct buf *ret_blob,
			 struct policy_problems *problems);

/* Initialises *ret_blob, reads `path`, compiles it unless it is a blob, opens it. CLI_DONE; CLI_NOT_FOUND where there is no file or
 * CLI_FAILED after saying why on fd 2, with every problem; warnings of a good file belong to `policy check` and are not repeated here. */
int policy_file_open(const char *path, struct buf *ret_blob, struct policy *ret);
/* The same, and appends to `lines`, each a uint32_t, where the file says the rules, by their numbers (struct policy_verdict). None of a blob. */
int policy_file_open_lines(const char *path, struct buf *ret_blob, struct policy *ret, struct buf *lines);

/* FILE:LINE:COLUMN: [warning: ]text, one a line, on fd 2. */
void policy_file_print(const char *path, const struct policy_problems *problems);
/* "problems": [...] */
void policy_file_json(struct json_out *j, const struct policy_problems *problems);

#endif
