#include "base/err.h"

#include <stdio.h>
#include <string.h>

int err_set(struct err *e, int code, const char *format, ...)
{
	va_list ap;

	if (e) {
		va_start(ap, format);
		(void)vsnprintf(e->text, sizeof(e->text), format, ap);
		va_end(ap);
	}
	return -code;
}

int err_sys(struct err *e, int code, const char *format, ...)
{
	va_list ap;
	size_t len;

	if (e) {
		va_start(ap, format);
		(void)vsnprintf(e->text, sizeof(e->text), format, ap);
		va_end(ap);
		len = strlen(e->text);
		(void)snprintf(e->text + len, sizeof(e->text) - len, ": %s", strerrordesc_np(code));
	}
	return -code;
}

int err_in(struct err *e, int ret, const char *format, ...)
{
	char was[ERR_MAX];
	va_list ap;
	size_t len;

	if (e) {
		memcpy(was, e->text, sizeof(was));
		va_start(ap, format);
		(void)vsnprintf(e->text, sizeof(e->text), format, ap);
		va_end(ap);
		len = strlen(e->text);
		(void)snprintf(e->text + len, sizeof(e->text) - len, ": %s", was);
	}
	return ret;
}
