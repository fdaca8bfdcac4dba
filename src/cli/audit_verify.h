/* `saw audit verify`: holds audit logs against their hash chains, without the control plane. */
#ifndef SAW_CLI_AUDIT_VERIFY_H
#define SAW_CLI_AUDIT_VERIFY_H

#include <stdbool.h>
#include <stddef.h>

/* Each of `logs` is a file, or the id of a workspace of this user ("ws-..."), or "control". Prints one line (or JSON object) a log.
 * CLI_DONE when every one is whole, else CLI_FAILED, or CLI_NOT_FOUND when one does not exist and nothing worse was found. */
int cli_audit_verify(const char *const *logs, size_t n, bool json);

#endif
