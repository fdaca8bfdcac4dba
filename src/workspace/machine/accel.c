#include "workspace/machine/accel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fd.h"

#ifdef __x86_64__
/* True when a flags line of /proc/cpuinfo has the word vmx or svm. */
static bool cpu_virtualizes(void)
{
	char line[8192];
	bool found = false;
	FILE *f = fopen("/proc/cpuinfo", "re");

	while (f && !found && fgets(line, sizeof(line), f)) {
		size_t n = strlen(line);

		if (strncmp(line, "flags", 5) != 0)
			continue;
		if (n && line[n - 1] == '\n')
			line[n - 1] = ' ';
		found = strstr(line, " vmx ") || strstr(line, " svm ");
	}
	if (f)
		(void)fclose(f);
	return found;
}
#else
static bool cpu_virtualizes(void)
{
	return true; /* arm64 with /dev/kvm: the kernel offers the device only where EL2 is there */
}
#endif

static const char *kvm_missing(struct accel *a)
{
	FD_AUTO int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == EACCES ? "/dev/kvm may not be opened: add the user to the group kvm" :
					 "/dev/kvm cannot be opened: load the kvm module";
	if (!cpu_virtualizes())
		return "the CPU shows neither vmx nor svm: turn on (nested) virtualization";
	if (fstat(fd, &st) == 0 && st.st_gid && (st.st_mode & 0060) == 0060)
		a->kvm_group = st.st_gid;
	return NULL;
}

int accel_choose(struct accel *ret, enum ipc_accel wanted, struct err *e)
{
	const char *missing;

	*ret = (struct accel){ .use = IPC_ACCEL_TCG };
	missing = wanted == IPC_ACCEL_TCG ? "asked for" : kvm_missing(ret);
	if (!missing) {
		ret->use = IPC_ACCEL_KVM;
		return 0;
	}
	if (wanted == IPC_ACCEL_KVM)
		return err_set(e, ENODEV, "KVM is asked for, but %s", missing);
	(void)snprintf(ret->why, sizeof(ret->why), "emulated, slow, for trying out: %s", missing);
	return 0;
}
