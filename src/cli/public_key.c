#include "cli/public_key.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/say.h"
#include "cli/verb.h"
#include "os/fd.h"
#include "wire/key_file.h"

int cli_public_key(const char *path, uint8_t ret[BUNDLE_KEY])
{
	FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t text[KEY_FILE_MAX];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	if (n < 0)
		return say_fail(errno == ENOENT ? CLI_NOT_FOUND : CLI_FAILED, "%s: %s", path, strerror(errno));
	switch (key_file_public(bytes_of(text, (size_t)n), ret)) {
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
