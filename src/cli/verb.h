/* A verb of `saw`: its help, its options and its function stand together; main.c lists them all. */
#ifndef SAW_CLI_VERB_H
#define SAW_CLI_VERB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Exit codes of every verb. `saw ssh` and `saw try` pass on the command's own. */
enum cli_exit {
	CLI_DONE = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,
	CLI_DENIED = 3, /* by policy */
	CLI_NOT_FOUND = 4,
	CLI_UNREACHABLE = 5, /* the control plane, or the workspace */
};

enum { CLI_OPTIONS_MAX = 16, CLI_WORDS_MAX = 256 };

/* What a word or an option's value is, so that shells can complete it. */
enum cli_kind {
	CLI_TEXT = 0,
	CLI_FILE,
	CLI_WORKSPACE,
	CLI_IMAGE,
	CLI_SECRET,
	CLI_CREDENTIAL, /* a secret, or the id of one that some channel's policy binds */
	CLI_CHANNEL,
	CLI_POLICY, /* a file or a channel */
	CLI_RELEASE,
	CLI_KEY, /* the name of a trusted one */
	CLI_SESSION,
	CLI_LOG, /* a workspace or a file */
	CLI_COPY, /* NAME: or a file */
	CLI_VERB,
	CLI_UNDER, /* a verb under the one that stands before it */
	CLI_SHELL,
	CLI_CHOICE, /* the choices stand in `arg`: "auto|kvm|tcg" */
};

struct cli_option {
	const char *name; /* without dashes; a NULL name ends the list */
	const char *arg; /* what follows it, for the help; NULL: a flag */
	const char *help;
	enum cli_kind kind;
};

enum { CLI_ANY_PLACE = 1000 };

/* What a single word is, where it is not what the verb's `words` says. The first that fits counts. */
struct cli_place {
	unsigned at; /* the first word is 1; CLI_ANY_PLACE: all that no other says; 0 ends the list */
	const char *after; /* only where the first word is this one; NULL: whatever it is */
	enum cli_kind kind;
	const char *choices; /* of CLI_CHOICE; of others what may stand there, too */
};

struct cli_args {
	const char *value[CLI_OPTIONS_MAX]; /* by place in the verb's options; "" for a flag that was given, else NULL */
	const char *word[CLI_WORDS_MAX];
	size_t n_words;
	char **rest; /* what follows "--"; NULL when there is no "--" */
	size_t n_rest;
};

struct cli_verb {
	const char *name;
	const char *args; /* "NAME [-- COMMAND...]" */
	const char *help; /* one line */
	const char *more; /* further lines of --help, or NULL */
	const struct cli_option *options; /* NULL when `own` */
	enum cli_kind words; /* what its words are */
	const struct cli_place *places; /* or some of them; NULL: none */
	size_t words_min;
	size_t words_max;
	bool rest; /* takes "-- COMMAND..." */
	bool hidden; /* started by saw itself or by ssh; not in the overview */
	int (*run)(const struct cli_args *a);
	int (*own)(int argc, char **argv); /* parses its own arguments; argv[0] is the verb */
	const struct cli_verb *(*under)(size_t i); /* of an `own` one: the i-th of its verbs, named "policy check"; NULL behind the last */
};

/* The whole table, NULL-terminated, in the order of the overview. */
extern const struct cli_verb *const cli_verbs[];
const struct cli_verb *cli_verb_find(const char *name);
/* "--help" of one verb, on standard output. */
void cli_verb_help(const struct cli_verb *v);

/* The same of one that has verbs under it: each with its options, on `f`. */
void cli_under_help(const struct cli_verb *v, FILE *f);

/* The `own` of such a verb: finds the one that argv[1] names, parses for it, runs it. */
int cli_under_run(const struct cli_verb *parent, int argc, char **argv);

/* Options ("--name value", "--name=value") may stand before, between and after the words; each at most once. 0, or CLI_USAGE
 * after saying on fd 2 what is wrong. Borrows argv. */
int cli_args_parse(struct cli_args *ret, const struct cli_verb *v, int argc, char **argv);

#endif
