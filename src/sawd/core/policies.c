#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypt/sha256.h"
#include "os/fd.h"
#include "rules/policy_compile.h"
#include "sawd/core/core.h"

/* Compiled policies, from which core reads what it needs to know itself: which credentials a policy binds, and which names it intercepts.
 * Supervisors compile their own. A file is named after the hash of its content, which the record repeats: a damaged file cannot be taken for
 * a policy. The seal is checked here each time. */

static int check(struct bytes blob, char ret_sha256[65], struct err *e)
{
	uint8_t digest[SHA256_LEN];
	struct policy p = { 0 };

	if (!policy_open(&p, blob, e))
		return err_in(e, -EBADMSG, "policy");
	sha256(policy_sealed(&p), digest);
	if (!bytes_eq(bytes_of(digest, sizeof(digest)), policy_sha256(&p)))
		return err_set(e, EBADMSG, "policy: its content does not match its hash");
	sha256_hex(digest, ret_sha256);
	return 0;
}

int policies_store(struct core *c, int fd, char ret_sha256[65], struct err *e)
{
	char folder[PATHS_MAX];
	char name[80];
	const void *p = NULL;
	size_t len = 0;
	int r = fd_map_sealed(fd, POLICY_BLOB_MAX, &p, &len, e);

	if (r < 0)
		return r;
	r = check(bytes_of(p, len), ret_sha256, e);
	(void)snprintf(name, sizeof(name), "%.64s.blob", ret_sha256);
	r = r < 0 ? r : paths_join(folder, c->state, "policies", e);
	r = r < 0 ? r : files_put(folder, name, bytes_of(p, len), e);
	(void)munmap((void *)(uintptr_t)p, len);
	if (r == 0)
		bundles_stored(c);
	return r;
}

int policies_open(const struct core *c, const char *sha256_text, struct err *e)
{
	char found[SHA256_HEX_MAX] = "";
	char path[PATHS_MAX];
	FD_AUTO int fd = -1;
	struct stat st = { 0 };
	uint8_t *p;
	int r = snprintf(path, sizeof(path), "%s/policies/%s.blob", c->state, sha256_text);

	if (r < 0 || r >= PATHS_MAX)
		return err_set(e, ENAMETOOLONG, "the state folder's path is too long");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "the policy is gone (%s): load it again", path);
	if (st.st_size <= 0 || st.st_size > POLICY_BLOB_MAX)
		return err_set(e, EBADMSG, "the policy is damaged (%s): load it again", path);
	p = malloc((size_t)st.st_size);
	if (!p)
		return err_set(e, ENOMEM, "out of memory for a policy");
	r = fd_pread_all(fd, p, (size_t)st.st_size, 0);
	r = r < 0 ? r : check(bytes_of(p, (size_t)st.st_size), found, e);
	if (r < 0 || strcmp(found, sha256_text) != 0)
		r = err_set(e, EBADMSG, "the policy is damaged (%s): load it again", path);
	else
		r = fd_sealed("policy", p, (size_t)st.st_size, e);
	free(p);
	return r;
}
