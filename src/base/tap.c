#include "base/tap.h"

struct tap_case *tap_cases;
struct tap_case **tap_tail = &tap_cases;
bool tap_failed;
static const char *skipped;

bool tap_check(bool ok, const char *what, const char *file, int line)
{
	if (!ok) {
		tap_failed = true;
		printf("# %s:%d: not true: %s\n", file, line, what);
	}
	return ok;
}

bool tap_check_str(const char *got, const char *want, const char *what, const char *file, int line)
{
	bool ok = got && want ? strcmp(got, want) == 0 : got == want;

	if (!ok) {
		tap_failed = true;
		printf("# %s:%d: %s\n#   got:  %s\n#   want: %s\n", file, line, what,
		       got ? got : "(null)", want ? want : "(null)");
	}
	return ok;
}

bool tap_check_int(long long got, long long want, const char *what, const char *file, int line)
{
	if (got != want) {
		tap_failed = true;
		printf("# %s:%d: %s: got %lld, want %lld\n", file, line, what, got, want);
	}
	return got == want;
}

void tap_skip(const char *reason)
{
	skipped = reason;
}

int main(void)
{
	int n = 0;
	int bad = 0;

	for (struct tap_case *c = tap_cases; c; c = c->next) {
		tap_failed = false;
		skipped = NULL;
		c->run();
		n++;
		bad += tap_failed;
		printf("%s %d - %s", tap_failed ? "not ok" : "ok", n, c->name);
		if (skipped && !tap_failed)
			printf(" # SKIP %s", skipped);
		printf("\n");
		(void)fflush(stdout);
	}
	printf("1..%d\n", n);
	return bad || n == 0;
}
