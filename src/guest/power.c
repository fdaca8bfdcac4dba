#include "guest/power.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "guest/host.h"

/* Input devices may appear after we start (udev loads their driver), so the folder is watched as well. */

enum { DEVICES_MAX = 16, FOLDER = DEVICES_MAX };

static struct pollfd fds[DEVICES_MAX + 1];

static void open_devices(void)
{
	char path[64];

	for (int i = 0; i < DEVICES_MAX; i++) {
		(void)snprintf(path, sizeof(path), "/dev/input/event%d", i);
		if (fds[i].fd < 0)
			fds[i].fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	}
}

static bool pressed(struct pollfd *p)
{
	struct input_event ev[16];
	ssize_t n = read(p->fd, ev, sizeof(ev));

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		(void)close(p->fd);
		p->fd = -1;
	}
	for (ssize_t i = 0; i < n / (ssize_t)sizeof(ev[0]); i++)
		if (ev[i].type == EV_KEY && ev[i].code == KEY_POWER && ev[i].value == 1)
			return true;
	return false;
}

static void drain(int fd)
{
	char ignored[4096];
	ssize_t n = read(fd, ignored, sizeof(ignored));

	(void)n;
}

static bool any_pressed(void)
{
	bool yes = false;

	if (fds[FOLDER].revents)
		drain(fds[FOLDER].fd);
	for (int i = 0; i < DEVICES_MAX; i++)
		if (fds[i].fd >= 0 && fds[i].revents)
			yes = pressed(&fds[i]) || yes;
	return yes;
}

int power_main(void)
{
	for (int i = 0; i <= DEVICES_MAX; i++)
		fds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	fds[FOLDER].fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (fds[FOLDER].fd < 0 || inotify_add_watch(fds[FOLDER].fd, "/dev/input", IN_CREATE | IN_ATTRIB) < 0) {
		say("watch /dev/input: %s", strerror(errno));
		return 1;
	}
	for (;;) {
		open_devices();
		if (poll(fds, DEVICES_MAX + 1, -1) < 0 && errno != EINTR)
			return 1;
		if (any_pressed())
			(void)run_in("/", (const char *const[]){ "/usr/bin/systemctl", "poweroff", NULL });
	}
}
