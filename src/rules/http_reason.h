/* The reason code for each fault of an HTTP message: for the gateway, and for those who ask it offline. */
#ifndef SAW_RULES_HTTP_REASON_H
#define SAW_RULES_HTTP_REASON_H

#include "rules/reason.h"
#include "wire/http1.h"

/* REASON_OK for HTTP1_FAULT_NONE. */
enum reason http_fault_reason(enum http1_fault fault);

#endif
