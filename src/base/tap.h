/* Unit tests that print TAP 14: one `TEST(promise)` per promise, plain CHECKs inside. */
#ifndef SAW_BASE_TAP_H
#define SAW_BASE_TAP_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct tap_case {
	const char *name;
	void (*run)(void);
	struct tap_case *next;
};

extern struct tap_case *tap_cases;
extern struct tap_case **tap_tail;
extern bool tap_failed;

/* Registers itself before main(); cases run in the order of the file. */
#define TEST(promise)                                                                              \
	static void promise(void);                                                                 \
	static struct tap_case tap_case_##promise = { #promise, promise, NULL };                   \
	__attribute__((constructor)) static void tap_add_##promise(void)                           \
	{                                                                                          \
		*tap_tail = &tap_case_##promise;                                                   \
		tap_tail = &tap_case_##promise.next;                                               \
	}                                                                                          \
	static void promise(void)

#define CHECK(condition) tap_check((condition), #condition, __FILE__, __LINE__)
#define CHECK_STR(got, want) tap_check_str((got), (want), #got, __FILE__, __LINE__)
#define CHECK_INT(got, want) tap_check_int((long long)(got), (long long)(want), #got, __FILE__, __LINE__)

bool tap_check(bool ok, const char *what, const char *file, int line);
bool tap_check_str(const char *got, const char *want, const char *what, const char *file, int line);
bool tap_check_int(long long got, long long want, const char *what, const char *file, int line);
/* A visible skip: prints the reason; the case counts as skipped, not as passed. */
void tap_skip(const char *reason);

#endif
