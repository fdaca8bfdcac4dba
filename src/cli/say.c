/* A progress line is the only state: whoever prints next must not write into its middle. */
#include "cli/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/utf8.h"

static bool progress_open;

static void line(const char *prefix, const char *format, va_list ap)
{
	char text[2048];

	vsnprintf(text, sizeof(text), format, ap);
	say_progress_end();
	fprintf(stderr, "%s%s\n", prefix, text);
}

int say_fail(enum cli_exit code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	line("saw: ", format, ap);
	va_end(ap);
	return (int)code;
}

void say_warn(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	line("saw: note: ", format, ap);
	va_end(ap);
}

const char *say_colour(FILE *f, enum say_colour c)
{
	static const char *const codes[] = {
		[SAY_PLAIN] = "\033[0m",   [SAY_RED] = "\033[31m", [SAY_GREEN] = "\033[32m",
		[SAY_YELLOW] = "\033[33m", [SAY_DIM] = "\033[2m",  [SAY_BOLD] = "\033[1m",
	};
	const char *no = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if ((no && *no) || (term && strcmp(term, "dumb") == 0) || !isatty(fileno(f)))
		return "";
	return codes[c];
}

bool say_clean(struct buf *out, struct bytes text)
{
	while (text.len > 0) {
		uint32_t c;
		size_t n = utf8_next(text, &c);

		/* C0, DEL, C1, and the marks that change the direction of what follows */
		if (n == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) ||
		    (c >= 0x2066 && c <= 0x2069))
			buf_str(out, "\xef\xbf\xbd");
		else
			buf_add(out, text.p, n);
		text = bytes_skip(text, n == 0 ? 1 : n);
	}
	return !out->failed;
}

/* How much of `text` stands in one row of the terminal: of a line that wraps only the last row would be written over. */
static int fits(const char *text)
{
	struct winsize size = { .ws_col = 0 };
	struct bytes rest = bytes_str(text);

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return (int)rest.len;
	for (unsigned column = 1; rest.len && column < size.ws_col; column++) {
		uint32_t c;
		size_t n = utf8_next(rest, &c);

		rest = bytes_skip(rest, n == 0 ? 1 : n);
	}
	return (int)(strlen(text) - rest.len);
}

void say_progress(const char *format, ...)
{
	char text[2048];
	va_list ap;

	if (!isatty(STDERR_FILENO))
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	fprintf(stderr, "\r\033[K%.*s", fits(text), text);
	fflush(stderr);
	progress_open = true;
}

void say_progress_end(void)
{
	if (progress_open)
		fputc('\n', stderr);
	progress_open = false;
}

bool say_confirm(const char *format, ...)
{
	char answer[16];
	va_list ap;

	if (!isatty(STDIN_FILENO))
		return false;
	say_progress_end();
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputs(" [y/N] ", stderr);
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	answer[strcspn(answer, "\r\n")] = '\0';
	return strcmp(answer, "y") == 0 || strcmp(answer, "Y") == 0 || strcmp(answer, "yes") == 0;
}

int say_out(const struct buf *b)
{
	if (b->failed)
		return say_fail(CLI_FAILED, "the answer is too large to print");
	if ((b->len > 0 && fwrite(b->p, 1, b->len, stdout) != b->len) || fflush(stdout) != 0 || ferror(stdout)) {
		if (errno != EPIPE)
			return say_fail(CLI_FAILED, "standard output: %s", strerror(errno));
		return CLI_FAILED;
	}
	return CLI_DONE;
}
