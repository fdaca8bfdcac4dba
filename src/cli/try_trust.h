/* The files by which the command of `saw try` trusts the run's own authority, beside whom this host trusts. */
#ifndef SAW_CLI_TRY_TRUST_H
#define SAW_CLI_TRY_TRUST_H

#include "base/bytes.h"
#include "base/err.h"

/* Writes `<dir>/ca.pem` and `<dir>/ca.jks` with the host's roots and `root_der`, and says in the environment where they are: to stock tools that
 * look there, and to saw-try, which puts them in the place of the host's own. */
int try_trust_write(const char *dir, struct bytes root_der, struct err *e);

#endif
