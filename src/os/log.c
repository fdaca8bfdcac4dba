#include "os/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/time_text.h"
#include "os/loop.h"

enum { LOG_LINE_MAX = 1500 };

static const char *log_role = "saw";

void log_init(const char *role)
{
	log_role = role;
}

void log_line(const char *format, ...)
{
	char line[LOG_LINE_MAX + 2];
	char at[TIME_TEXT_MAX];
	va_list ap;
	size_t len;

	time_text(clock_real_ms(), at);
	(void)snprintf(line, LOG_LINE_MAX, "%s %s: ", at, log_role);
	len = strlen(line);
	va_start(ap, format);
	(void)vsnprintf(line + len, LOG_LINE_MAX - len, format, ap);
	va_end(ap);
	len = strlen(line);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	(void)!write(2, line, len);
}

void log_rest(struct log_meter *m)
{
	if (m->left_out)
		log_line("%llu lines of this kind were left out", (unsigned long long)m->left_out);
	m->left_out = 0;
}

bool log_room(struct log_meter *m, uint64_t now_ms)
{
	if (m->paid_ms < now_ms)
		m->paid_ms = now_ms;
	if (m->paid_ms >= now_ms + (uint64_t)LOG_METER_BURST * LOG_METER_MS) {
		m->left_out++;
		return false;
	}
	m->paid_ms += LOG_METER_MS;
	log_rest(m);
	return true;
}
