#include "guest/layers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "guest/host.h"

/* A disk that was not closed cleanly is mended by the journal when it is mounted. One whose superblock says "errors found", or that
 * does not mount, gets `e2fsck -p` from the base image first. What that cannot mend is for a person to decide: the overlay can
 * be dropped (rebuild), the home cannot. A disk that has grown gets its file system grown by the kernel, mounted. */

#define EXT4_RESIZE_FS _IOW('f', 16, uint64_t)

enum { WAIT_MS = 15000, STEP_MS = 2, SUPERBLOCK_AT = 1024, DEVICE_MAX = 64 };

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Is /sys/block/<name> the disk with this serial? */
static bool has_serial(const char *name, const char *serial)
{
	BUF_AUTO struct buf b;
	char path[300];

	buf_init(&b, 64);
	(void)snprintf(path, sizeof(path), "/sys/block/%s/serial", name);
	return file_read(path, &b) && bytes_is(buf_view(&b), serial);
}

static bool find_once(const char *serial, char ret[DEVICE_MAX])
{
	DIR *d = opendir("/sys/block");
	const struct dirent *entry;
	bool found = false;

	while (d && !found && (entry = readdir(d))) {
		if (strncmp(entry->d_name, "vd", 2) != 0 || !has_serial(entry->d_name, serial))
			continue;
		(void)snprintf(ret, DEVICE_MAX, "/dev/%.32s", entry->d_name);
		found = access(ret, F_OK) == 0;
	}
	if (d)
		(void)closedir(d);
	return found;
}

static bool find_disk(const char *serial, char ret[DEVICE_MAX])
{
	uint64_t until = now_ms() + WAIT_MS;

	while (!find_once(serial, ret)) {
		if (now_ms() > until)
			return false;
		/* The kernel has no descriptor to wait on for "one more disk appeared" that needs less than this. */
		(void)nanosleep(&(struct timespec){ .tv_nsec = STEP_MS * 1000000L }, NULL);
	}
	return true;
}

/* Fields of an ext4 superblock that we need. */
struct super {
	bool sound; /* magic right, no error flag */
	uint64_t blocks;
	uint64_t block_bytes;
};

static struct super read_super(const char *device)
{
	uint8_t s[1024] = { 0 };
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && pread(fd, s, sizeof(s), SUPERBLOCK_AT) == (ssize_t)sizeof(s);

	if (fd >= 0)
		(void)close(fd);
	return (struct super){
		.sound = ok && s[0x38] == 0x53 && s[0x39] == 0xef && !(s[0x3a] & 2),
		.blocks = (uint64_t)s[4] | (uint64_t)s[5] << 8 | (uint64_t)s[6] << 16 | (uint64_t)s[7] << 24 |
			  (uint64_t)s[0x150] << 32 | (uint64_t)s[0x151] << 40,
		.block_bytes = 1024ULL << (s[0x18] & 7),
	};
}

static void grow(const char *device, const char *where)
{
	struct super s = read_super(device);
	int disk = open(device, O_RDONLY | O_CLOEXEC), tree = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t bytes = 0, blocks;

	if (disk >= 0 && tree >= 0 && ioctl(disk, BLKGETSIZE64, &bytes) == 0) {
		blocks = bytes / s.block_bytes;
		if (blocks > s.blocks && ioctl(tree, EXT4_RESIZE_FS, &blocks) < 0)
			say("grow %s: %s", where, strerror(errno));
	}
	if (disk >= 0)
		(void)close(disk);
	if (tree >= 0)
		(void)close(tree);
}

static bool mount_ext4(const char *device, const char *where)
{
	return mount(device, where, "ext4", MS_NOATIME, "errors=remount-ro,discard") == 0;
}

static void mount_disk(const char *serial, const char *where, const char *remedy)
{
	char device[DEVICE_MAX];
	bool checked = false;
	bool mounted;

	if (!find_disk(serial, device))
		give_up("no disk \"%s\" appeared", serial);
	if (!read_super(device).sound) {
		say("disk \"%s\" has errors: checking it", serial);
		checked = true;
		(void)run_in(LAYERS_BASE, (const char *const[]){ "/sbin/e2fsck", "-p", device, NULL });
	}
	mounted = mount_ext4(device, where);
	if (!mounted && !checked) {
		(void)run_in(LAYERS_BASE, (const char *const[]){ "/sbin/e2fsck", "-p", device, NULL });
		mounted = mount_ext4(device, where);
	}
	if (!mounted)
		give_up("disk \"%s\" is damaged (%s): %s", serial, strerror(errno), remedy);
	grow(device, where);
}

static void mount_base(void)
{
	char device[DEVICE_MAX];

	if (!find_disk("base", device))
		give_up("no disk \"base\" appeared");
	if (mount(device, LAYERS_BASE, "squashfs", MS_RDONLY | MS_NOATIME, NULL) < 0)
		give_up("the base image does not mount (%s): run `saw image verify`", strerror(errno));
	/* For e2fsck, which runs from it. */
	(void)mount("/dev", LAYERS_BASE "/dev", NULL, MS_BIND, NULL);
}

void layers_mount(void)
{
	static const char *const folders[] = { LAYERS_BASE, "/overlay", LAYERS_ROOT };

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		(void)mkdir(folders[i], 0755);
	mount_base();
	mount_disk("overlay", "/overlay", "`saw rebuild` gives the workspace a new system disk and keeps its home");
	(void)mkdir("/overlay/upper", 0755);
	(void)mkdir("/overlay/work", 0755);
	/* redirect_dir: package managers rename folders that lie in the base. */
	if (mount("overlay", LAYERS_ROOT, "overlay", MS_NOATIME,
		  "lowerdir=" LAYERS_BASE ",upperdir=/overlay/upper,workdir=/overlay/work,redirect_dir=on,xino=auto") < 0)
		give_up("the system disk does not lie over the base (%s): `saw rebuild` gives it a new one", strerror(errno));
	(void)umount2(LAYERS_BASE "/dev", MNT_DETACH);
	mount_disk("home", LAYERS_ROOT "/home", "put it right with e2fsck from another workspace, or delete this one");
}

bool layers_read_seed(struct buf *out)
{
	char device[DEVICE_MAX];

	return find_disk("seed", device) && file_read(device, out);
}
