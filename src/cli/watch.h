/* Follows a workspace's changes until it is where it was asked to be. */
#ifndef SAW_CLI_WATCH_H
#define SAW_CLI_WATCH_H

#include "cli/api.h"

enum watch_goal { WATCH_RUNNING, WATCH_STOPPED, WATCH_DELETED };

struct watch {
	struct http_client http;
	struct api_lines lines;
	char key[API_NAME_MAX + 1]; /* name or id, as it was asked for */
	char name[API_NAME_MAX + 1]; /* for people */
	char was[24]; /* the state when the watch began; "" when the workspace is new */
	bool moved; /* another state than `was` has been seen */
	bool must_move; /* restart: the goal counts only after a move */
	char state[24]; /* the latest */
	char detail[512];
	char accel[16];
};

/* Begin before the call that changes something, so that no change is missed; `name` must be there already unless `is_new`. Says
 * errors; returns an exit code. */
int watch_begin(struct watch *w, const char *name, bool is_new);
/* Blocks until the goal or a failure, with a progress line on a terminal. CLI_DONE: the goal is reached. */
int watch_until(struct watch *w, enum watch_goal goal);
void watch_end(struct watch *w);
#define WATCH_AUTO __attribute__((cleanup(watch_end)))

#endif
