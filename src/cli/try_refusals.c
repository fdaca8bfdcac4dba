#include "cli/try_refusals.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/audit_line.h"

uint64_t try_refusals_start(const char *log)
{
	struct stat st;

	return stat(log, &st) == 0 ? (uint64_t)st.st_size : 0;
}

uint64_t try_refusals_count(const char *log, uint64_t start)
{
	FILE *f = fopen(log, "re");
	struct stat st;
	char *text = NULL;
	size_t size = 0;
	uint64_t n = 0;
	ssize_t len;

	if (!f)
		return 0;
	if (fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && fseeko(f, (off_t)start, SEEK_SET) == 0)
		while ((len = getline(&text, &size, f)) > 0)
			n += audit_line_denied(bytes_of(text, (size_t)len));
	free(text);
	(void)fclose(f);
	return n;
}
