/* What an image takes from this machine's own configuration: package sources, npm's registry, root certificates. */
#ifndef SAW_CLI_IMAGE_HOST_H
#define SAW_CLI_IMAGE_HOST_H

#include "base/buf.h"
#include "base/err.h"

enum { IMAGE_HOST_TEXT_MAX = 4 * 1024 * 1024 };

/* 0, or -EINVAL with a sentence: no address that an image may name. */
int image_host_mirror(const char *mirror, struct err *e);
/* Appends apt source lines for `suite` and its updates: from `mirror` (which passed the above), or from this machine's apt. An address with a password in it is
 * refused: it would lie readable in every workspace. */
int image_host_sources(const char *suite, const char *mirror, struct buf *out, struct err *e);
/* Appends the registry's address. False when this machine has no npm, or npm names none that may be taken along. */
bool image_host_registry(struct buf *out);
/* Root certificates, PEM: `out` gets what this machine trusts, `distro` what its distribution gave it. Only what is in the first and not in
 * the second is a decision of this machine's owner; a root that Debian distrusts by now is not brought back from an older bundle. */
void image_host_roots(struct buf *out, struct buf *distro);

#endif
