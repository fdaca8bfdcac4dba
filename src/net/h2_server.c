#include "net/h2_server.h"

#include "net/h2_session.h"

struct h2 *h2_server_new(const struct h2_ops *ops, void *owner)
{
	return h2_new(ops, owner, true, false);
}
