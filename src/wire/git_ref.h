/* Names of refs as git-check-ref-format(1) has them, narrowed to what a push may name. */
#ifndef SAW_WIRE_GIT_REF_H
#define SAW_WIRE_GIT_REF_H

#include "base/bytes.h"

enum { GIT_REF_LEN_MAX = 1024 };

/* Begins with "refs/", has a component behind that, and each component follows git-check-ref-format(1): none begins with a dot or ends
 * with ".lock", no "..", no "@{", no control byte, blank, ~ ^ : ? * [ or backslash, no empty component, no dot at the end. Beyond
 * git: valid UTF-8, GIT_REF_LEN_MAX. */
bool git_ref_valid(struct bytes name);

#endif
