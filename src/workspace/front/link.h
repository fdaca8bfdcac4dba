/* The guest's network: a user namespace, in it a network namespace, in it one link and nothing that leads elsewhere. */
#ifndef SAW_FRONT_LINK_H
#define SAW_FRONT_LINK_H

#include <stdint.h>

#include "base/err.h"
#include "ipc/types.h"

struct link {
	int user_fd; /* the namespaces, for the supervisor to keep */
	int net_fd;
	int tap_fd; /* -1 unless IPC_LINK_TAP */
};
#define LINK_NONE ((struct link){ -1, -1, -1 })

/* Moves this process into fresh namespaces and sets them up. `uid`: the host's uid that root inside stands for; 0: our own.
 * Negative errno with a sentence. */
int link_make(struct link *ret, enum ipc_link kind, uint64_t uid, const uint8_t guest_mac[6], struct err *e);
/* Moves this process into existing ones. */
int link_join(int user_fd, int net_fd, uint64_t uid, struct err *e);
/* Hands the guest's end of a veth pair over. */
int link_attach(int guest_net_fd, struct err *e);
void link_deinit(struct link *l);

#endif
