/* A program's own log lines on fd 2: "2026-11-24T17:00:00.000Z inlet: sentence". Libraries never log. */
#ifndef SAW_OS_LOG_H
#define SAW_OS_LOG_H

/* `role` is borrowed for ever. One write(2) per line, control characters replaced; works in every jail. */
void log_init(const char *role);
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
