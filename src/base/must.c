#include "base/must.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

static size_t append(char *line, size_t len, size_t size, const char *s)
{
	size_t n = strlen(s);

	if (n > size - len)
		n = size - len;
	memcpy(line + len, s, n);
	return len + n;
}

void must_failed(const char *what, const char *file, int line_no)
{
	char line[256];
	char digits[12];
	size_t len = 0;
	size_t d = sizeof(digits);
	unsigned n = line_no > 0 ? (unsigned)line_no : 0;

	digits[--d] = '\0';
	do {
		digits[--d] = (char)('0' + n % 10);
		n /= 10;
	} while (n && d);
	len = append(line, len, sizeof(line) - 1, "broken invariant: ");
	len = append(line, len, sizeof(line) - 1, what);
	len = append(line, len, sizeof(line) - 1, " at ");
	len = append(line, len, sizeof(line) - 1, file);
	len = append(line, len, sizeof(line) - 1, ":");
	len = append(line, len, sizeof(line) - 1, digits + d);
	line[len++] = '\n';
	(void)!write(2, line, len);
	(void)kill(getpid(), SIGKILL);
	for (;;)
		_exit(127);
}
