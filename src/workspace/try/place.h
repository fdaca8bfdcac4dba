/* The guest's place for a command: namespaces of its own, the guest's addresses, the gateway's DNS. */
#ifndef SAW_TRY_PLACE_H
#define SAW_TRY_PLACE_H

#include <stdint.h>

#include "base/err.h"

/* Names the bundle of root certificates that the command shall find in the place of the host's; absent: the host's own. */
#define PLACE_CA_VARIABLE "SAW_TRY_CA"
/* The same as a Java keystore. */
#define PLACE_JAVA_CA_VARIABLE "SAW_TRY_JAVA_CA"

/* Joins front's user namespace, then makes user, network, mount, IPC, UTS and (for later children) PID namespaces of its own.
 * Inside, we are `uid` and `gid`. Gives the descriptor of the network namespace. */
int place_enter(int front_user_fd, uint32_t uid, uint32_t gid, struct err *e);
/* The link has arrived: addresses, default route. */
int place_network(struct err *e);
/* In the first process of the new PID namespace: /proc, resolv.conf, no way around the gateway's DNS. */
int place_files(struct err *e);

#endif
