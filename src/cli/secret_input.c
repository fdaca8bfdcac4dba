#include "cli/secret_input.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "cli/say.h"
#include "os/fd.h"
#include "os/jail.h"
#include "wire/credential.h"

enum {
	READ_MAX = CREDENTIAL_MAX + 3, /* with CR LF, and one more to see that it is too long */
	TYPED_MAX = 4095, /* a terminal drops what is typed on one line behind that, without a word */
};

static struct termios saved, hidden;

/* Ends as the signal would have, but with a terminal that shows again what is typed. */
static void on_signal(int number)
{
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	_exit(128 + number);
}

/* While it is stopped the terminal is the shell's, which wants it as it was. */
static void on_stop(int number)
{
	(void)number;
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	(void)raise(SIGSTOP);
}

/* The shell may have set the terminal meanwhile: what is typed from now on is hidden again, and nothing that was typed before counts. */
static void on_continue(int number)
{
	(void)number;
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
}

static void show(bool shown)
{
	static const struct {
		int number;
		void (*then)(int number);
	} signals[] = { { SIGINT, on_signal }, { SIGTERM, on_signal }, { SIGHUP, on_signal }, { SIGQUIT, on_signal }, { SIGTSTP, on_stop }, { SIGCONT, on_continue } };

	hidden = saved;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct sigaction act = { .sa_handler = shown ? SIG_DFL : signals[i].then };

		(void)sigaction(signals[i].number, &act, NULL);
	}
	(void)tcsetattr(STDIN_FILENO, shown ? TCSANOW : TCSAFLUSH, shown ? &saved : &hidden);
}

/* What `fd` gives until its end, or until a line end when `one_line`. */
static int read_fd(int fd, bool one_line, struct buf *ret)
{
	while (ret->len < READ_MAX) {
		uint8_t *room = buf_room(ret, READ_MAX - ret->len);
		ssize_t n = room ? read(fd, room, READ_MAX - ret->len) : -1;

		if (n < 0 && room && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf_grew(ret, (size_t)n);
		if (n == 0 || (one_line && bytes_find(buf_view(ret), '\n') < ret->len))
			break;
	}
	return 0;
}

static int ask(const char *prompt, const char *id, struct buf *ret)
{
	int r;

	(void)fprintf(stderr, "%s %s (it is not shown): ", prompt, id);
	(void)fflush(stderr);
	r = read_fd(STDIN_FILENO, true, ret);
	(void)fputc('\n', stderr);
	return r;
}

static int from_person(const char *id, struct buf *ret)
{
	struct buf again BUF_AUTO = { 0 };
	int r;

	if (tcgetattr(STDIN_FILENO, &saved) < 0)
		return say_fail(CLI_FAILED, "the terminal cannot be told to hide what is typed: use --file, or a pipe");
	buf_init_wiping(&again, READ_MAX);
	/* before the prompt: nothing that follows it may be shown, or lost */
	show(false);
	r = ask("Value of", id, ret);
	r = r < 0 ? r : ask("Once more, value of", id, &again);
	show(true);
	if (r < 0)
		return say_fail(CLI_FAILED, "read from the terminal: %s", strerror(-r));
	if (!bytes_eq(buf_view(ret), buf_view(&again)))
		return say_fail(CLI_USAGE, "the two values differ; nothing was changed");
	if (ret->len >= TYPED_MAX)
		return say_fail(CLI_USAGE, "a terminal cuts lines of this length: use --file, or a pipe; nothing was changed");
	ret->len = credential_trim(buf_view(ret)).len;
	return CLI_DONE;
}

static int from_file(const char *file, struct buf *ret)
{
	bool is_stdin = !file || strcmp(file, "-") == 0;
	const char *name = is_stdin ? "standard input" : file;
	FD_AUTO int opened = is_stdin ? -1 : open(file, O_RDONLY | O_CLOEXEC);
	int fd = is_stdin ? STDIN_FILENO : opened;
	struct stat st;
	size_t len;
	int r;

	if (fd < 0)
		return say_fail(errno == ENOENT ? CLI_NOT_FOUND : CLI_FAILED, "%s: %s", name, strerror(errno));
	if (!is_stdin && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077))
		say_warn("%s can be read by other users: chmod 600, or remove it once the value is stored", name);
	r = read_fd(fd, false, ret);
	if (r < 0)
		return say_fail(CLI_FAILED, "%s: %s", name, strerror(-r));
	len = credential_trim(buf_view(ret)).len;
	if (len < ret->len)
		say_warn("the line end behind the value was left out");
	ret->len = len;
	return CLI_DONE;
}

int secret_input_read(const char *id, const char *file, struct buf *ret)
{
	enum credential_fault f;
	struct err e = { 0 };
	int r;

	if (jail_hide_memory(&e) < 0)
		return say_fail(CLI_FAILED, "%s", e.text);
	r = (!file || strcmp(file, "-") == 0) && isatty(STDIN_FILENO) ? from_person(id, ret) : from_file(file, ret);
	if (r != CLI_DONE)
		return r;
	f = credential_check(buf_view(ret));
	return f == CREDENTIAL_OK ? CLI_DONE :
				    say_fail(CLI_USAGE, "the value %s; nothing was changed", credential_fault_text(f));
}
