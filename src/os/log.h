/* A program's own log lines on fd 2: "2026-11-24T17:00:00.000Z inlet: sentence". Libraries never log. */
#ifndef SAW_OS_LOG_H
#define SAW_OS_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum {
	LOG_METER_MS = 10000, /* one line in so long ... */
	LOG_METER_BURST = 100, /* ... after so many at once */
};

/* Lines that cost their cause nothing. Embed, zero-initialise. */
struct log_meter {
	uint64_t paid_ms; /* when what was written is paid for */
	uint64_t left_out;
};

/* `role` is borrowed for ever. One write(2) per line, control characters replaced; works in every jail. */
void log_init(const char *role);
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Another line may be written; false: it is counted. Monotonic time. */
bool log_room(struct log_meter *m, uint64_t now_ms);
/* Says how many were left out, if any. log_room() says it before the next that is written. */
void log_rest(struct log_meter *m);

#endif
