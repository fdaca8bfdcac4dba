#include "workspace/inlet/refusal.h"

/* Builds that lack the http flows refuse what would go to them. */

void http_flow_start(const struct flow *facts)
{
	refusal_start(facts, REASON_ROLE_DOWN, TLS_ALERT_NONE, bytes_of(NULL, 0));
}

void self_flow_start(const struct flow *facts)
{
	refusal_start(facts, REASON_ROLE_DOWN, TLS_ALERT_NONE, bytes_of(NULL, 0));
}
