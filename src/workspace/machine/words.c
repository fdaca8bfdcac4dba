#include "workspace/machine/words.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "os/fd.h"
#include "os/log.h"

enum { READ_LEN = 1024, READS_MAX = 64 /* of one look: a child that writes for ever must not hold us */ };

static bool is_warning(struct bytes line)
{
	static const char word[] = "warning: ";

	for (; line.len >= sizeof(word) - 1; line = bytes_skip(line, 1))
		if (bytes_starts(line, bytes_str(word)))
			return true;
	return false;
}

static void end_line(struct words *w)
{
	struct bytes line = bytes_of(w->line, w->len);
	size_t n = w->len < WORDS_LAST_MAX ? w->len : WORDS_LAST_MAX;

	w->len = 0;
	if (line.len == 0)
		return;
	if (log_room(&w->meter, clock_mono_ms()))
		log_line("%.*s", (int)line.len, (const char *)line.p);
	if (is_warning(line))
		return;
	for (size_t i = 0; i < n; i++)
		w->last[i] = (char)(line.p[i] >= ' ' && line.p[i] <= '~' ? line.p[i] : '?');
	w->last[n] = '\0';
}

static void take(struct words *w, const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] != '\n')
			w->line[w->len++] = p[i];
		if (p[i] == '\n' || w->len == WORDS_LINE_MAX)
			end_line(w);
	}
}

/* 1: there may be more; 0: not now; -1: never again. */
static int look(struct words *w)
{
	char some[READ_LEN];
	ssize_t n = read(w->fd, some, sizeof(some));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -1;
	take(w, some, (size_t)n);
	return 1;
}

static void on_io(struct loop_io *io, uint32_t events)
{
	struct words *w = io->owner;

	(void)events;
	if (look(w) < 0)
		loop_io_remove(io);
}

int words_init(struct words *w, struct loop *l, int *ret_fd, struct err *e)
{
	FD_AUTO int theirs = -1;
	int pair[2];
	int r;

	*w = (struct words){ .fd = -1 };
	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe for QEMU's words");
	w->fd = pair[0];
	theirs = pair[1];
	r = fd_nonblock(w->fd, e);
	r = r < 0 ? r : loop_io_add(l, &w->io, w->fd, EPOLLIN, on_io, w, e);
	if (r < 0) {
		words_deinit(w);
		return r;
	}
	*ret_fd = fd_take(&theirs);
	return 0;
}

void words_deinit(struct words *w)
{
	log_rest(&w->meter);
	loop_io_remove(&w->io);
	if (w->fd > 0)
		(void)fd_close(w->fd);
	w->fd = -1;
}

const char *words_last(struct words *w)
{
	for (int i = 0; w->fd > 0 && i < READS_MAX && look(w) > 0; i++)
		;
	end_line(w);
	return w->last;
}
