#include "sawd/keeper/seal_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fd.h"

enum { NAME_ROOM = 160 };
static const char key_name[] = "seal.key";

int seal_file_put_plain(int dir_fd, const char *name, struct bytes data, struct err *e)
{
	char fresh[NAME_ROOM];
	FD_AUTO int fd = -1;
	int r;

	(void)snprintf(fresh, sizeof(fresh), ".%s.new", name);
	(void)unlinkat(dir_fd, fresh, 0);
	fd = openat(dir_fd, fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, errno, "make %s", fresh);
	r = fd_write_all(fd, data);
	if (r == 0 && (fsync(fd) < 0 || renameat(dir_fd, fresh, dir_fd, name) < 0 || fsync(dir_fd) < 0))
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dir_fd, fresh, 0);
		return err_sys(e, -r, "write %s", name);
	}
	return 0;
}

bool seal_file_is_leftover(const char *name)
{
	return name[0] == '.' && bytes_ends(bytes_str(name), bytes_str(".new"));
}

/* A file of ours that nobody else can read; 1 when it is there, 0 when not. systemd's are root's or ours, 0400. */
static int key_read(int at_fd, const char *path, struct secret **ret, struct err *e)
{
	FD_AUTO int fd = openat(at_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct secret *key SECRET_AUTO = NULL;
	struct stat st;
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "open %s", path);
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s", path);
	if (!S_ISREG(st.st_mode) || (st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & 077))
		return err_set(e, EPERM, "%s: must be a file of ours with mode 0600: chmod and chown it", path);
	if (st.st_size != SEAL_KEY_LEN)
		return err_set(e, EBADMSG, "%s: a sealing key has exactly 32 bytes: restore it from a backup; where it is lost, move it away with ca/ "
			       "and secrets/, set all secrets again, and rebuild all workspaces", path);
	key = secret_new_empty(SEAL_KEY_LEN);
	if (!key)
		return err_set(e, ENOMEM, "out of guarded memory");
	r = fd_pread_all(fd, secret_room(key), SEAL_KEY_LEN, 0);
	if (r < 0)
		return err_sys(e, -r, "read %s", path);
	*ret = key;
	key = NULL;
	return 1;
}

/* 1: some; 0: none, or no such folder. What a write that was cut short left is nothing. */
static int has_files(int at_fd, const char *folder, unsigned depth, struct err *e)
{
	int fd = openat(at_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!d && errno != ENOENT && errno != ENOTDIR)
		r = err_sys(e, errno, "open %s", folder);
	if (!d)
		(void)fd_close(fd);
	while (d && r == 0 && (entry = readdir(d)) != NULL)
		if (entry->d_name[0] != '.')
			r = depth ? has_files(dirfd(d), entry->d_name, depth - 1, e) : 1;
	if (d)
		(void)closedir(d);
	return r;
}

/* A fresh key opens nothing that is there, and would stand in the way of the right one. */
static int key_needed(int dir_fd, struct err *e)
{
	int r = has_files(dir_fd, "ca", 0, e);

	r = r == 0 ? has_files(dir_fd, "secrets", 1, e) : r;
	if (r <= 0)
		return r;
	return err_set(e, ENOENT,
		       "%s: is not there, and no credential was given, but files in ca/ and secrets/ are sealed: start sawd as the service that has the "
		       "credential, or restore %s; where the key is lost, move both folders away, set all secrets again, and rebuild all workspaces", key_name, key_name);
}

static int key_make(int dir_fd, struct secret **ret, struct err *e)
{
	struct secret *key SECRET_AUTO = secret_new_random(SEAL_KEY_LEN);
	int r = key ? seal_file_put_plain(dir_fd, key_name, secret_view(key), e) : err_set(e, ENOMEM, "out of guarded memory");

	if (r == 0) {
		*ret = key;
		key = NULL;
	}
	return r;
}

int seal_file_key(int dir_fd, const char *credential, struct secret **ret, struct err *e)
{
	struct secret *given SECRET_AUTO = NULL;
	struct secret *ours SECRET_AUTO = NULL;
	int r = *credential ? key_read(AT_FDCWD, credential, &given, e) : 0;
	int own = r < 0 ? r : key_read(dir_fd, key_name, &ours, e);

	if (own < 0)
		return own;
	if (*credential && !given)
		return err_set(e, ENOENT, "%s: no such credential", credential);
	if (given && ours && !secret_eq(given, secret_view(ours)))
		return err_set(e, EEXIST,
			       "%s and %s differ, and only one can open what is stored: make the content of seal.key the credential, then remove the file",
			       credential, key_name);
	if (!given && !ours) {
		own = key_needed(dir_fd, e);
		return own < 0 ? own : key_make(dir_fd, ret, e);
	}
	*ret = given ? given : ours;
	if (given)
		given = NULL;
	else
		ours = NULL;
	return 0;
}

int seal_file_get(int dir_fd, const char *name, const char *shown, const struct secret *key, struct seal_label *label,
		  struct secret **ret, struct err *e)
{
	FD_AUTO int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct buf sealed BUF_AUTO = { 0 };
	enum seal_answer a;
	struct stat st;
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s", shown);
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s", shown);
	if (!S_ISREG(st.st_mode) || st.st_size > SEAL_MAX)
		return err_set(e, EBADMSG, "%s: %s", shown, seal_answer_text(SEAL_MALFORMED));
	buf_init(&sealed, SEAL_MAX);
	if (st.st_size && !buf_room(&sealed, (size_t)st.st_size))
		return err_set(e, ENOMEM, "%s: out of memory", shown);
	r = fd_pread_all(fd, sealed.p, (size_t)st.st_size, 0);
	if (r < 0)
		return err_sys(e, -r, "read %s", shown);
	buf_grew(&sealed, (size_t)st.st_size);
	a = seal_version(buf_view(&sealed), &label->version);
	a = a == SEAL_OK ? seal_open(key, label, buf_view(&sealed), ret) : a;
	if (a == SEAL_OK)
		return 1;
	return err_set(e, a == SEAL_NO_MEMORY ? ENOMEM : EBADMSG, "%s: %s", shown, seal_answer_text(a));
}

int seal_file_put(int dir_fd, const char *name, const struct secret *key, const struct seal_label *label, struct bytes plain,
		  struct err *e)
{
	struct buf sealed BUF_AUTO = { 0 };

	buf_init(&sealed, SEAL_MAX);
	if (!seal_put(key, label, plain, &sealed))
		return err_set(e, ENOMEM, "%s: could not be sealed", name);
	return seal_file_put_plain(dir_fd, name, buf_view(&sealed), e);
}
