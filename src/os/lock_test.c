#include "os/lock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/fd.h"

TEST(a_lock_is_held_by_one_and_names_its_holder)
{
	char top[] = "/tmp/saw-lock-XXXXXX";
	char path[64];
	char pid[32];
	struct stat st;
	struct err e = { 0 };
	int fd;

	CHECK(mkdtemp(top) != NULL);
	(void)snprintf(path, sizeof(path), "%s/lock", top);
	fd = lock_take(path, &e);
	CHECK(fd >= 0 && stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
	CHECK_INT(lock_take(path, &e), -EBUSY);
	(void)snprintf(pid, sizeof(pid), "process %d", getpid());
	CHECK(strstr(e.text, pid) != NULL);
	(void)fd_close(fd);
	fd = lock_take(path, &e);
	CHECK(fd >= 0);
	(void)fd_close(fd);
	CHECK(unlink(path) == 0 && rmdir(top) == 0);
}

TEST(a_lock_ends_with_its_holder_and_a_link_is_no_lock)
{
	char top[] = "/tmp/saw-lock-XXXXXX";
	char path[64];
	char link[64];
	struct err e = { 0 };
	pid_t pid;
	int fd;

	CHECK(mkdtemp(top) != NULL);
	(void)snprintf(path, sizeof(path), "%s/lock", top);
	(void)snprintf(link, sizeof(link), "%s/link", top);
	pid = fork();
	if (pid == 0)
		_exit(lock_take(path, NULL) >= 0 ? 0 : 1);
	CHECK(waitpid(pid, NULL, 0) == pid);
	fd = lock_take(path, &e);
	CHECK(fd >= 0);
	(void)fd_close(fd);
	CHECK(symlink(path, link) == 0);
	CHECK_INT(lock_take(link, &e), -ELOOP);
	CHECK(unlink(link) == 0 && unlink(path) == 0 && rmdir(top) == 0);
}
