/* What this host offers, one question a function. Each really tries; none needs a running control plane. */
#ifndef SAW_CLI_PROBE_H
#define SAW_CLI_PROBE_H

#include "base/err.h"

enum probe_level { PROBE_OK, PROBE_WARN, PROBE_FAIL };

enum { PROBE_TEXT_MAX = 1200 };

/* `remedy` is "" when there is nothing to do. */
struct probe {
	enum probe_level level;
	char found[PROBE_TEXT_MAX];
	char remedy[PROBE_TEXT_MAX];
};

/* Each fills *ret (given zeroed). */
void probe_kvm(struct probe *ret);
void probe_namespaces(struct probe *ret);
void probe_tun(struct probe *ret);
void probe_landlock(struct probe *ret);
void probe_seccomp(struct probe *ret);
void probe_cgroup(struct probe *ret);
void probe_qemu(struct probe *ret);
void probe_image_tools(struct probe *ret);
void probe_ssh(struct probe *ret);
void probe_helpers(struct probe *ret);
void probe_folders(struct probe *ret);
void probe_logout(struct probe *ret);
void probe_disk(struct probe *ret);
void probe_memory(struct probe *ret);
void probe_clock(struct probe *ret);

void probe_set(struct probe *p, enum probe_level level, const char *found, const char *remedy);
/* An executable `name` in PATH; `ret_path` may be NULL. */
int probe_find_program(const char *name, char *ret_path, unsigned long size);

#endif
