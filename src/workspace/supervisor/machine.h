/* The role that keeps QEMU, and the watch over whether the guest answers. */
#ifndef SAW_SUPERVISOR_MACHINE_H
#define SAW_SUPERVISOR_MACHINE_H

#include "workspace/supervisor/role.h"

extern const struct role_ops machine_ops;

enum { MACHINE_PROBE_MS = 250 };

/* ACPI power button; what comes of it shows as the machine's end. */
void machine_powerdown(struct ws *w);
void machine_quit(struct ws *w);

#endif
