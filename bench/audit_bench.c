/* How many events a second one audit log takes: rendered, chained, written in groups and synchronised. Two numbers for each group size:
 * events per second of wall clock, and CPU microseconds an event. Prints one JSON line.
 *
 * usage: bench-audit [FOLDER]   (on the disk that is to be measured; default /var/tmp) */
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "os/loop.h"
#include "rules/reason.h"
#include "store/audit_log.h"

enum { EVENTS = 40000 };

static double cpu_us(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static int run(const char *path, unsigned group, double *ret_per_s, double *ret_us, struct err *e)
{
	const struct ocsf_source src = { .version = bytes_str("0.1.0"), .writer = bytes_str("gateway"),
					 .workspace_id = bytes_str("ws-0123456789ab"), .workspace_name = bytes_str("dev"),
					 .owner = bytes_str("alice"), .policy = bytes_str("corporate") };
	const struct event ev = { .kind = EVENT_FLOW, .action = EVENT_ALLOWED, .at_ms = 1767600001517, .flow = 123456, .generation = 3,
				  .count = 1, .src = ip_v4(0x64400002), .dst = ip_v4(0xcb007107), .src_port = 41000, .dst_port = 443,
				  .ip_proto = 6, .name = bytes_str("registry.good.example"), .rule = bytes_str("package-mirror") };
	struct audit_log *l;
	uint64_t began;
	double cpu;
	int r = audit_log_open(&l, path, &src, e);

	if (r)
		return r;
	began = clock_mono_ms();
	cpu = cpu_us();
	for (unsigned i = 0; r == 0 && i < EVENTS; i++) {
		if (!audit_log_add(l, &ev, reason_code(REASON_OK), reason_sentence(REASON_OK)))
			r = err_set(e, 12, "the log takes no more");
		else if ((i + 1) % group == 0)
			r = audit_log_commit(l, e);
	}
	r = r ? r : audit_log_commit(l, e);
	*ret_us = (cpu_us() - cpu) / EVENTS;
	*ret_per_s = EVENTS * 1e3 / (double)(clock_mono_ms() - began + 1);
	audit_log_free(l);
	return r;
}

int main(int argc, char **argv)
{
	static const unsigned groups[] = { 16, 64, 256, 1024 };
	char path[4096];
	struct err e = { 0 };
	double per_s;
	double us;

	(void)snprintf(path, sizeof(path), "%s/bench-audit-%d.jsonl", argc > 1 ? argv[1] : "/var/tmp", (int)getpid());
	printf("{\"events\":%d", EVENTS);
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		(void)unlink(path);
		if (run(path, groups[i], &per_s, &us, &e)) {
			(void)fprintf(stderr, "bench-audit: %s\n", e.text);
			return 1;
		}
		printf(",\"group_%u\":{\"events_per_s\":%.0f,\"cpu_us\":%.2f}", groups[i], per_s, us);
	}
	printf("}\n");
	(void)unlink(path);
	return 0;
}
