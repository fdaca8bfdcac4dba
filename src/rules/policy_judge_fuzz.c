#include <stddef.h>
#include <stdint.h>

#include "rules/policy_slow_kit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The kit counts failed checks of its own here; a difference in verdicts stops the process. */
struct tap_case *tap_cases;
struct tap_case **tap_tail = &tap_cases;
bool tap_failed;

bool tap_check(bool ok, const char *what, const char *file, int line)
{
	(void)what;
	(void)file;
	(void)line;
	must(ok);
	return ok;
}

/* Compiled decisions are those that the definition gives. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)random_check(data, size);
	return 0;
}
