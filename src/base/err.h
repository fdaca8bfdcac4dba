/* One sentence that says what failed; callers extend it from the left, a program prints it once. */
#ifndef SAW_BASE_ERR_H
#define SAW_BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>

enum { ERR_MAX = 1024 };

/* Zero-initialise (`struct err e = {0};`). Text is always NUL-terminated and cut at ERR_MAX. */
struct err {
	char text[ERR_MAX];
};

/* Sets the sentence and returns `-code`, so that `return err_set(e, EINVAL, "...")` reads well.
 * `e` may be NULL. `code` is a positive errno value. */
int err_set(struct err *e, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As err_set, and appends ": " and the C library's text for `code`. */
int err_sys(struct err *e, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " before what is already there; returns `ret` unchanged. */
int err_in(struct err *e, int ret, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
