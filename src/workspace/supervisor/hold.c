#include "workspace/supervisor/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypt/sha256.h"
#include "os/fd.h"
#include "rules/policy_compile.h"
#include "wire/manifest.h"

enum { DNS_PORT = 53 };

struct hold {
	int fd;
	const void *p;
	size_t len;
	uint64_t generation;
	struct policy policy;
	uint16_t ports[POLICY_PORTS_MAX];
	size_t n_ports;
	int bundle_fd; /* until it is kept */
	uint64_t serial;
	char channel[MANIFEST_CHANNEL_MAX + 1];
	char origin[HOLD_ORIGIN_MAX];
};

struct hold *hold_free(struct hold *h)
{
	if (!h)
		return NULL;
	if (h->p)
		(void)munmap((void *)(uintptr_t)h->p, h->len);
	(void)fd_close(h->fd);
	(void)fd_close(h->bundle_fd);
	free(h);
	return NULL;
}

static int check(struct hold *h, struct err *e)
{
	uint8_t digest[SHA256_LEN];
	int r = fd_map_sealed(h->fd, POLICY_BLOB_MAX, &h->p, &h->len, e);

	if (r < 0)
		return r;
	if (!policy_open(&h->policy, bytes_of(h->p, h->len), e))
		return -EBADMSG;
	sha256(policy_sealed(&h->policy), digest);
	if (!bytes_eq(policy_sha256(&h->policy), bytes_of(digest, sizeof(digest))))
		return err_set(e, EBADMSG, "the blob does not match its own SHA-256: compile it again");
	h->n_ports = policy_ports(&h->policy, h->ports);
	for (size_t i = 0; i < h->n_ports; i++)
		if (h->ports[i] == DNS_PORT)
			return err_set(e, EADDRINUSE, "port 53 is the gateway's DNS and cannot be a rule's port");
	return 0;
}

int hold_take(struct hold **ret, int fd, uint64_t generation, struct err *e)
{
	struct hold *h = calloc(1, sizeof(*h));
	int r;

	if (!h) {
		(void)fd_close(fd);
		return err_set(e, ENOMEM, "out of memory");
	}
	h->fd = fd;
	h->bundle_fd = -1;
	h->generation = generation;
	r = check(h, e);
	if (r < 0) {
		hold_free(h);
		return err_in(e, r, "policy");
	}
	*ret = h;
	return 0;
}

int hold_load(struct hold **ret, const char *path, uint64_t generation, struct err *e)
{
	FD_AUTO int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	void *p;
	int fd;

	if (file < 0 || fstat(file, &st) < 0)
		return err_sys(e, errno, "policy: open %s", path);
	if (st.st_size <= 0 || st.st_size > POLICY_BLOB_MAX)
		return err_set(e, EFBIG, "policy: %s has %lld bytes, allowed are 1 to %d", path, (long long)st.st_size,
			       POLICY_BLOB_MAX);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, file, 0);
	if (p == MAP_FAILED)
		return err_sys(e, errno, "policy: map %s", path);
	fd = fd_sealed("policy", p, (size_t)st.st_size, e);
	(void)munmap(p, (size_t)st.st_size);
	return fd < 0 ? fd : hold_take(ret, fd, generation, e);
}

uint64_t hold_generation(const struct hold *h)
{
	return h->generation;
}

int hold_fd(const struct hold *h)
{
	return h->fd;
}

const struct policy *hold_policy(const struct hold *h)
{
	return &h->policy;
}

size_t hold_ports(const struct hold *h, uint16_t ret[POLICY_PORTS_MAX])
{
	for (size_t i = 0; i < h->n_ports; i++)
		ret[i] = h->ports[i];
	return h->n_ports;
}

void hold_came_from(struct hold *h, int bundle_fd, uint64_t serial, const char *channel, const char *origin)
{
	(void)fd_close(h->bundle_fd);
	h->bundle_fd = bundle_fd;
	h->serial = serial;
	(void)snprintf(h->channel, sizeof(h->channel), "%s", channel);
	(void)snprintf(h->origin, sizeof(h->origin), "%s", origin);
}

const char *hold_origin(const struct hold *h)
{
	return h->origin;
}

const char *hold_channel(const struct hold *h)
{
	return h->channel;
}

uint64_t hold_serial(const struct hold *h)
{
	return h->serial;
}

int hold_take_bundle(struct hold *h)
{
	return fd_take(&h->bundle_fd);
}
