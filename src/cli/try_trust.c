#include "cli/try_trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypt/cert.h"
#include "crypt/jks.h"
#include "os/fd.h"
#include "os/paths.h"
#include "wire/armor.h"

enum { ROOTS_READ_MAX = 8 * 1024 * 1024, STORE_MAX = ROOTS_READ_MAX };

static const char *const host_bundles[] = { "/etc/ssl/certs/ca-certificates.crt",
					    "/etc/pki/tls/certs/ca-bundle.crt",
					    "/etc/ssl/cert.pem" };

/* What stock tools read instead of, or beside, the system's bundle. NODE_EXTRA_CA_CERTS adds; the others replace, so the file has both. */
static const char *const variables[] = { "SSL_CERT_FILE",     "CURL_CA_BUNDLE",
					 "GIT_SSL_CAINFO",    "REQUESTS_CA_BUNDLE",
					 "PIP_CERT",          "NODE_EXTRA_CA_CERTS",
					 "CARGO_HTTP_CAINFO", "DENO_CERT",
					 "AWS_CA_BUNDLE",     "SAW_TRY_CA" };

static int read_host_roots(struct buf *ret, struct err *e)
{
	for (size_t i = 0; i < sizeof(host_bundles) / sizeof(host_bundles[0]); i++) {
		FD_AUTO int fd = open(host_bundles[i], O_RDONLY | O_CLOEXEC);
		int r = fd < 0 ? -errno : fd_read_all(fd, ret);

		if (r < 0 && r != -ENOENT)
			return err_sys(e, -r, "%s", host_bundles[i]);
		if (ret->len)
			return 0;
	}
	return 0;
}

static int write_file(const char *dir, const char *name, struct bytes text,
		      char ret_path[PATHS_MAX], struct err *e)
{
	FD_AUTO int fd = -1;
	int r = paths_join(ret_path, dir, name, e);

	if (r < 0)
		return r;
	fd = open(ret_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(e, errno, "make %s", ret_path);
	r = fd_write_all(fd, text);
	return r < 0 ? err_sys(e, -r, "write %s", ret_path) : 0;
}

static int say_where(const char *variable, const char *path, struct err *e)
{
	return setenv(variable, path, 1) < 0 ? err_sys(e, errno, "environment") : 0;
}

/* The bundle's certificates as DER behind each other. Blocks that are none, as in the store of a company, are passed over. */
static size_t split(struct bytes pem, struct buf *der, size_t ends[JKS_CERTS_MAX])
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----",
			  end[] = "-----END CERTIFICATE-----";
	const char *at = (const char *)pem.p, *stop = at + pem.len;
	size_t n = 0;

	while (n < JKS_CERTS_MAX &&
	       (at = memmem(at, (size_t)(stop - at), begin, sizeof(begin) - 1)) != NULL) {
		const char *last = memmem(at, (size_t)(stop - at), end, sizeof(end) - 1);

		if (!last)
			break;
		last += sizeof(end) - 1;
		if (armor_get(bytes_of(at, (size_t)(last - at)), "CERTIFICATE", der))
			ends[n++] = der->len;
		at = last;
	}
	return n;
}

static int write_store(const char *dir, struct bytes pem, struct err *e)
{
	static struct bytes certs[JKS_CERTS_MAX];
	static size_t ends[JKS_CERTS_MAX];
	BUF_AUTO struct buf der, store;
	char path[PATHS_MAX];
	size_t n, at = 0;
	int r;

	buf_init(&der, ROOTS_READ_MAX);
	buf_init(&store, STORE_MAX);
	n = split(pem, &der, ends);
	for (size_t i = 0; i < n; i++) {
		certs[i] = bytes_of(der.p + at, ends[i] - at);
		at = ends[i];
	}
	if (!jks_put(&store, certs, n))
		return err_set(
			e, EFBIG,
			"the roots that this host trusts are too many, or too long, for a Java keystore");
	r = write_file(dir, "ca.jks", buf_view(&store), path, e);
	return r < 0 ? r : say_where("SAW_TRY_JAVA_CA", path, e);
}

int try_trust_write(const char *dir, struct bytes root_der, struct err *e)
{
	BUF_AUTO struct buf text;
	char path[PATHS_MAX];
	int r;

	buf_init(&text, ROOTS_READ_MAX);
	r = read_host_roots(&text, e);
	if (r < 0)
		return r;
	if (!cert_put_pem(&text, root_der))
		return err_set(e, EFBIG, "the roots that this host trusts are more than %d bytes",
			       ROOTS_READ_MAX);
	r = write_file(dir, "ca.pem", buf_view(&text), path, e);
	for (size_t i = 0; r == 0 && i < sizeof(variables) / sizeof(variables[0]); i++)
		r = say_where(variables[i], path, e);
	return r < 0 ? r : write_store(dir, buf_view(&text), e);
}
