/* What a push wants: the commands at the beginning of a git-receive-pack request (gitprotocol-pack(5), "Reference Update Request and
 * Packfile Transfer"; gitprotocol-http(5)), read once they are all there and before the pack behind them.
 *
 * A command is created, updated or deleted by its two ids. Whether an update is forced cannot be known here: the wire does not say
 * it, the server finds out by its history (non-fast-forward). A rule that wants to forbid forced updates must forbid updates.
 *
 * Stricter than git: capabilities only behind the first command and only known ones (an unknown one could add a section that we would
 * not read); shallow lines only before the commands; ids in lower case; no signed pushes. */
#ifndef SAW_WIRE_GIT_PUSH_H
#define SAW_WIRE_GIT_PUSH_H

#include "wire/git_pkt.h"

enum {
	GIT_PUSH_COMMANDS_MAX = 4096,
	GIT_PUSH_SHALLOWS_MAX = 4096,
	GIT_PUSH_OPTIONS_MAX = 64,
	GIT_PUSH_LEN_MAX = 1024 * 1024, /* of everything before the pack */
};

enum git_command_kind { GIT_CREATE, GIT_UPDATE, GIT_DELETE };

struct git_command {
	enum git_command_kind kind;
	struct bytes old_id;
	struct bytes new_id;
	struct bytes ref; /* valid as git_ref.h says */
};

/* Views into the bytes that were parsed. */
struct git_push {
	size_t len; /* where the pack begins, or the end of the request when there is none */
	size_t n_commands; /* 0: git's probe, a lone flush that changes nothing; nothing may follow it */
	size_t n_shallows;
	size_t n_options;
	struct bytes options; /* their pkt-lines, for git_push_option() */
	bool sha256;
	bool atomic;
	bool reports; /* the client takes a report about each command, and with one of these two over a side band */
	bool side_band;
	bool side_band_64k;
	bool has_pack; /* some command is no delete: a pack follows, else nothing may */
};

/* Remembers how far a growing buffer was looked at. Zero-initialise for each request. */
struct git_push_scan {
	size_t at;
	uint32_t n_lines;
	bool in_options;
	bool wants_options;
};

/* `in`: everything of the body so far (decoded, no gzip), always from its first byte. DONE: *ret and `commands` (room for `max`, at
 * most GIT_PUSH_COMMANDS_MAX of which are used) are filled. A MORE with nothing to come is a request cut short: bad. */
enum git_answer git_push_read(struct git_push_scan *s, struct bytes in, struct git_command *commands, size_t max,
			      struct git_push *ret, enum git_fault *ret_fault);
/* Takes the next push option off the front of `options`; false at the end. */
bool git_push_option(struct bytes *options, struct bytes *ret);

#endif
