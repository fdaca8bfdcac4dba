#include "guest/trust.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest/host.h"

#define CA_FILE "/usr/local/share/ca-certificates/saw-workspace.crt"

enum { PATH_LEN = 512, BUNDLE_MAX = 4 * 1024 * 1024 };

static bool put_file(const char *root, struct bytes ca)
{
	char path[PATH_LEN];
	bool changed;

	(void)snprintf(path, sizeof(path), "%s%s", root, CA_FILE);
	return file_keep(path, ca, 0644, &changed);
}

static bool put_link(const char *root)
{
	char path[PATH_LEN];

	(void)snprintf(path, sizeof(path), "%s/etc/ssl/certs/saw-workspace.pem", root);
	return symlink(CA_FILE, path) == 0 || errno == EEXIST;
}

static bool put_last(const char *root, struct bytes ca)
{
	BUF_AUTO struct buf bundle;
	char path[PATH_LEN];

	buf_init(&bundle, BUNDLE_MAX);
	(void)snprintf(path, sizeof(path), "%s/etc/ssl/certs/ca-certificates.crt", root);
	if (!file_read(path, &bundle))
		return false;
	if (bundle.len && memmem(bundle.p, bundle.len, ca.p, ca.len))
		return true;
	if (bundle.len && bundle.p[bundle.len - 1] != '\n')
		(void)buf_byte(&bundle, '\n');
	return buf_bytes(&bundle, ca) && file_write(path, buf_view(&bundle), 0644);
}

/* Beside the others: in their folder, so that update-ca-certificates keeps it; linked as that program links it, which is what Debian's
 * Java reads when it is installed; and at the end of the bundle. */
void trust_ca(const char *root, struct bytes ca)
{
	if (!ca.len)
		return;
	if (!put_link(root))
		say("link the workspace's CA: %s", strerror(errno));
	if (!put_file(root, ca))
		say("write %s: %s", CA_FILE, strerror(errno));
	if (!put_last(root, ca))
		say("trust the workspace's CA: %s", strerror(errno));
}
