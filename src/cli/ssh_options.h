/* The options with which OpenSSH reaches a workspace and nothing else: our proxy, our agent, the pinned host key. */
#ifndef SAW_CLI_SSH_OPTIONS_H
#define SAW_CLI_SSH_OPTIONS_H

#include "cli/agent.h"

/* An argument vector that owns its texts. Zero-initialise. */
enum { ARGV_MAX = 512 };
struct argv {
	char *v[ARGV_MAX + 1]; /* NULL-terminated */
	size_t n;
	bool failed; /* too many, or out of memory */
};
void argv_add(struct argv *a, const char *text);
void argv_fmt(struct argv *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
void argv_deinit(struct argv *a);
#define ARGV_AUTO __attribute__((cleanup(argv_deinit)))
/* Becomes that program (v[0], in PATH). Returns only when that fails: an exit code, said. */
int argv_exec(struct argv *a);

/* "-o", "Key=value" pairs for ssh and scp. 0 or a negative errno. */
int ssh_options_add(struct argv *a, const struct agent_place *p, const char *user, struct err *e);

/* Lines of a client configuration's Host block for stock clients. `name` NULL: the block for all names. */
int ssh_options_config(struct buf *out, const char *name, struct err *e);

/* `text` as one word of a POSIX shell. */
bool ssh_quote(struct buf *out, const char *text);

#endif
