/* A QMP session: greeting, capabilities, then commands without arguments and the few events that say how the machine is. */
#ifndef SAW_MACHINE_MONITOR_H
#define SAW_MACHINE_MONITOR_H

#include "base/err.h"
#include "ipc/types.h"
#include "os/loop.h"

enum {
	MONITOR_GREETING_MS = 20000, /* until the greeting and its answer: QEMU's own start */
	MONITOR_WATCH_MS = 15000, /* between questions to a QEMU that has nothing to do: is it still there? */
	MONITOR_ANSWER_MS = 60000, /* until a command is answered: a silent QEMU is a broken one (a slow disk of the host is not) */
};

struct monitor;

/* The machine's state changed; `detail` is borrowed. IPC_MACHINE_FAILED ends the session: free it through loop_later or at exit. Its detail is
 * "" when QEMU hung up: it is about to end, and its end says why. */
typedef void (*monitor_state_fn)(void *owner, enum ipc_machine state, const char *detail);

/* Takes `fd` (stream socket, also on failure). Says IPC_MACHINE_RUNNING once QEMU answers that its CPUs run. */
int monitor_new(struct monitor **ret, struct loop *l, int fd, monitor_state_fn on_state, void *owner, struct err *e);
struct monitor *monitor_free(struct monitor *m);

void monitor_powerdown(struct monitor *m);
void monitor_quit(struct monitor *m);

#endif
