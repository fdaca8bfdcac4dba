/* The shape of PEM certificates in a policy file: what is checked before a TLS library ever sees them. */
#ifndef SAW_RULES_POLICY_PEM_H
#define SAW_RULES_POLICY_PEM_H

#include "base/bytes.h"

enum { POLICY_PEM_FAULT_MAX = 160, POLICY_PEM_CERTIFICATES_MAX = 64 };

/* One to POLICY_PEM_CERTIFICATES_MAX blocks of RFC 7468 labelled CERTIFICATE, lines of base64 up to 76, each an ASN.1 SEQUENCE; between
 * the blocks only empty lines and comments that begin with '#'. Else false with "what is wrong; remedy". */
bool policy_pem_ok(struct bytes text, char ret_fault[POLICY_PEM_FAULT_MAX]);

#endif
