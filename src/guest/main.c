#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/apply.h"
#include "guest/host.h"
#include "guest/layers.h"
#include "guest/module.h"
#include "guest/network.h"
#include "guest/power.h"

/* As PID 1 of the initramfs: drivers, disks, seed, network, then the image's own init takes over. `saw-guest power` is a small
 * service of the running machine. */

static void kernel_mounts(void)
{
	(void)mkdir("/dev", 0755);
	(void)mkdir("/proc", 0755);
	(void)mkdir("/sys", 0755);
	(void)mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755");
	(void)mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	(void)mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

static void use_seed(void)
{
	static struct seed_view view;
	BUF_AUTO struct buf image;
	const char *bad;

	buf_init(&image, SEED_IMAGE_BYTES);
	if (!layers_read_seed(&image))
		give_up("no seed disk: the workspace's folder has lost its seed.img");
	bad = seed_read(buf_view(&image), &view);
	if (bad)
		give_up("the seed is not sound: %s", bad);
	apply_seed(LAYERS_ROOT, &view.seed);
	network_up(view.seed.mac);
}

/* The initramfs lives in memory: give back what it held. The order file goes too, and this program's own name. */
static void empty_initramfs(void)
{
	DIR *d = opendir("/modules");
	const struct dirent *entry;
	char path[300];

	while (d && (entry = readdir(d))) {
		(void)snprintf(path, sizeof(path), "/modules/%s", entry->d_name);
		(void)unlink(path);
	}
	if (d)
		(void)closedir(d);
	(void)unlink("/init");
}

static void hand_over(void)
{
	static const char *const kept[] = { "/dev", "/proc", "/sys" };
	char to[64];

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		(void)snprintf(to, sizeof(to), LAYERS_ROOT "%s", kept[i]);
		if (mount(kept[i], to, NULL, MS_MOVE, NULL) < 0)
			give_up("move %s: %s", kept[i], strerror(errno));
	}
	if (chdir(LAYERS_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		give_up("switch to the machine's tree: %s", strerror(errno));
	(void)execve("/sbin/init", (char *const[]){ strdup("/sbin/init"), NULL },
		     (char *const[]){ strdup("HOME=/"), strdup("TERM=dumb"), NULL });
	give_up("start /sbin/init: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "power") == 0)
		return power_main();
	if (getpid() != 1) {
		say("this is the first program of a saw machine; it does nothing elsewhere");
		return 2;
	}
	kernel_mounts();
	modules_load("/modules");
	layers_mount();
	use_seed();
	empty_initramfs();
	hand_over();
	return 1;
}
