/* KVM or emulation: what this host really offers. */
#ifndef SAW_MACHINE_ACCEL_H
#define SAW_MACHINE_ACCEL_H

#include <sys/types.h>

#include "base/err.h"
#include "ipc/types.h"

struct accel {
	enum ipc_accel use; /* KVM or TCG */
	gid_t kvm_group; /* a group that may open /dev/kvm, when that is how we may; else 0 */
	char why[160]; /* why not KVM: "emulated, slow, for trying out: ..."; empty with KVM */
};

/* `wanted` AUTO takes KVM where it works, else emulation; KVM that does not work is an error with the remedy. Opens /dev/kvm and
 * reads /proc/cpuinfo: /dev/kvm may exist on a host whose CPU has neither vmx nor svm, and guests hang there. */
int accel_choose(struct accel *ret, enum ipc_accel wanted, struct err *e);

#endif
