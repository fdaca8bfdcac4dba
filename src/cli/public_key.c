#include "cli/public_key.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cli/say.h"
#include "cli/verb.h"
#include "os/fd.h"
#include "wire/key_file.h"

int cli_public_key(const char *path, uint8_t ret[BUNDLE_KEY])
{
	FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC);
	BUF_AUTO struct buf text;
	int r;

	buf_init(&text, KEY_FILE_MAX);
	r = fd < 0 ? -errno : fd_read_all(fd, &text);
	if (r < 0 && r != -EFBIG) /* what is too long is no key: said below */
		return say_fail(r == -ENOENT ? CLI_NOT_FOUND : CLI_FAILED, "%s: %s", path, strerror(-r));
	switch (r < 0 ? KEY_FILE_BAD : key_file_public(buf_view(&text), ret)) {
	case KEY_FILE_DONE:
		return CLI_DONE;
	case KEY_FILE_WRONG_HALF:
		return say_fail(CLI_FAILED, "%s is a private key: give the public one (`openssl pkey -pubout`, or the .pub file)", path);
	case KEY_FILE_OTHER:
		return say_fail(CLI_FAILED, "%s is a key of another type than Ed25519", path);
	case KEY_FILE_ENCRYPTED:
	case KEY_FILE_BAD:
	default:
		return say_fail(CLI_FAILED, "%s is no public key of openssl or ssh-keygen", path);
	}
}
