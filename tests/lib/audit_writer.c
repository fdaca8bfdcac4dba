/* For tests: writes an audit log in groups of random size until it is killed, and says on standard output after each commit which
 * sequence is on disk now. usage: test-audit-writer LOG [EVENTS] */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/num.h"
#include "store/audit_log.h"

int main(int argc, char **argv)
{
	const struct ocsf_source src = { .version = bytes_str("0"), .writer = bytes_str("test"), .workspace_id = bytes_str("ws-1"),
					 .workspace_name = bytes_str("dev") };
	struct event ev = { .kind = EVENT_DNS, .action = EVENT_DENIED, .reason = 1, .verb = bytes_str("A"), .status = 3,
			    .name = bytes_str("evil.example") };
	struct audit_log *l = NULL;
	struct err e = { "" };
	uint64_t left = UINT64_MAX;
	int r;

	if (argc < 2 || (argc > 2 && !num_u64(bytes_str(argv[2]), UINT64_MAX, &left)))
		return 2;
	srandom((unsigned)getpid());
	r = audit_log_open(&l, argv[1], &src, &e);
	while (r == 0 && left) {
		struct audit_log_head head;

		for (long n = random() % 300 + 1; n > 0 && left; n--, left--)
			if (!audit_log_add(l, &ev, "name_not_listed", "policy does not list this name"))
				break;
		r = audit_log_commit(l, &e);
		audit_log_last(l, &head);
		if (r == 0)
			printf("%llu\n", (unsigned long long)head.sequence);
		(void)fflush(stdout);
	}
	audit_log_free(l);
	if (r)
		(void)fprintf(stderr, "%s\n", e.text);
	return r ? 1 : 0;
}
