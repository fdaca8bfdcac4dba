/* The first line of the stream is the state of now, every further line a change. "failed" before the first change is the failure that
 * the user is just about to mend, and "running" before it is not yet the restart. */
#include "cli/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/say.h"
#include "os/loop.h"

enum { LINE_NODES = 64 };

static const char *const goals[] = { [WATCH_RUNNING] = "running", [WATCH_STOPPED] = "stopped", [WATCH_DELETED] = "deleted" };

static void copy(const struct json_node *n, char *ret, size_t size)
{
	struct buf text BUF_AUTO = { 0 };
	struct buf clean BUF_AUTO = { 0 };

	buf_init(&text, 64 * 1024);
	buf_init(&clean, size - 1);
	ret[0] = '\0';
	if (!json_text(n, &text))
		return;
	say_clean(&clean, buf_view(&text));
	clean.failed = false;
	snprintf(ret, size, "%s", buf_cstr(&clean));
}

/* One line into w->state and its neighbours. False: not for us. */
static bool take(struct watch *w, struct bytes line)
{
	struct json_node nodes[LINE_NODES];
	uint32_t n;
	size_t at;

	if (json_scan(line, nodes, LINE_NODES, &n, &at) != JSON_OK ||
	    (!json_is(json_get(nodes, nodes, "workspace"), w->key) && !json_is(json_get(nodes, nodes, "id"), w->key)))
		return false;
	copy(json_get(nodes, nodes, "workspace"), w->name, sizeof(w->name));
	copy(json_get(nodes, nodes, "state"), w->state, sizeof(w->state));
	copy(json_get(nodes, nodes, "detail"), w->detail, sizeof(w->detail));
	copy(json_get(nodes, nodes, "accel_in_use"), w->accel, sizeof(w->accel));
	return true;
}

static int next(struct watch *w, struct err *e)
{
	struct bytes line;
	int r;

	while ((r = api_next_line(&w->lines, &line, e)) == 1)
		if (take(w, line))
			return 1;
	return r;
}

int watch_begin(struct watch *w, const char *name, bool is_new)
{
	char target[128];
	struct err e = { "" };
	int r;

	*w = (struct watch){ .http = { .fd = -1 } };
	snprintf(w->key, sizeof(w->key), "%s", name);
	snprintf(w->name, sizeof(w->name), "%s", name);
	snprintf(target, sizeof(target), "/v1/events?workspace=%s&follow=1", name);
	/* a tick a second, for the elapsed time on a terminal */
	r = api_stream(target, isatty(STDERR_FILENO) ? 1 : 0, &w->http);
	if (r != CLI_DONE)
		return r;
	w->lines.http = &w->http;
	if (is_new)
		return CLI_DONE;
	do {
		r = next(w, &e);
	} while (r == -EAGAIN);
	if (r != 1)
		return say_fail(CLI_UNREACHABLE, "%s: the control plane sent no state%s%s", name, r ? ": " : "", e.text);
	memcpy(w->was, w->state, sizeof(w->was));
	return CLI_DONE;
}

static void progress(const struct watch *w, uint64_t began)
{
	/* what a narrow terminal has no room for is the end */
	say_progress("%s: %s (%" PRIu64 " s)%s%s", w->name, *w->state ? w->state : "requested", (clock_mono_ms() - began) / 1000,
		     *w->detail ? ": " : "", w->detail);
}

/* What was asked for is stored: who interrupts the wait must not believe that it was called off. */
static char goes_on[sizeof(((struct watch *)0)->name) * 2 + 64];

static void on_interrupt(int number)
{
	ssize_t n = write(STDERR_FILENO, goes_on, strlen(goes_on));

	(void)n;
	(void)raise(number); /* SA_RESETHAND: ends us, behind this */
}

static void heed_interrupt(const struct watch *w, struct sigaction *ret_before)
{
	const struct sigaction say = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND | SA_RESTART };

	(void)snprintf(goes_on, sizeof(goes_on), "\nsaw: note: %s goes on: see `saw show %s`\n", w->key, w->key);
	if (sigaction(SIGINT, NULL, ret_before) == 0 && ret_before->sa_handler != SIG_IGN)
		(void)sigaction(SIGINT, &say, NULL);
}

static int wait_until(struct watch *w, enum watch_goal goal)
{
	uint64_t began = clock_mono_ms();
	struct err e = { "" };
	int r;

	for (;;) {
		progress(w, began);
		if (strcmp(w->state, goals[goal]) == 0 && (w->moved || !w->must_move)) {
			say_progress_end();
			return CLI_DONE;
		}
		if (strcmp(w->state, "failed") == 0 && (w->moved || !*w->was))
			return say_fail(CLI_FAILED, "%s: failed%s%s; see `saw log %s --supervisor`", w->name,
					*w->detail ? ": " : "", w->detail, w->name);
		r = next(w, &e);
		if (r == -EAGAIN)
			continue;
		if (r < 0)
			return say_fail(CLI_UNREACHABLE, "%s: %s", w->name, e.text);
		if (r == 0)
			return say_fail(CLI_UNREACHABLE, "%s: the control plane went away while it was `%s`; the workspace goes on: see "
							 "`saw up`, then `saw show %s`", w->name, w->state, w->name);
		w->moved |= strcmp(w->state, w->was) != 0;
	}
}

int watch_until(struct watch *w, enum watch_goal goal)
{
	struct sigaction before;
	int r;

	heed_interrupt(w, &before);
	r = wait_until(w, goal);
	(void)sigaction(SIGINT, &before, NULL);
	return r;
}

void watch_end(struct watch *w)
{
	api_lines_deinit(&w->lines);
	http_client_deinit(&w->http);
}
