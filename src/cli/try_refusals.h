/* What `saw try` was refused, so that its user hears where the reasons stand: the command itself often sees no more than a name that does not resolve. */
#ifndef SAW_CLI_TRY_REFUSALS_H
#define SAW_CLI_TRY_REFUSALS_H

#include <stdint.h>

/* How long the log is by now; 0 where there is none yet. */
uint64_t try_refusals_start(const char *log);
/* Denials in the log behind `start`. What cannot be read counts nothing. */
uint64_t try_refusals_count(const char *log, uint64_t start);

#endif
