#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/must.h"
#include "net/http_client.h"
#include "os/fd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ANSWERS_MAX = 8, INPUT_MAX = 64 * 1024 };

/* What a call may end with where the server says anything it likes and then closes. */
static bool expected(int r)
{
	return r == 0 || r == -EPROTO || r == -ECONNRESET || r == -ENOTCONN || r == -EFBIG || r == -ENOMEM;
}

/* A server that has said all of `data` before it is asked, and closes. The first byte says whether an upgrade is asked for, and for HEAD. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_client_request ask = { .method = "GET", .target = "/v1/x?y" };
	struct http_client c HTTP_CLIENT_AUTO;
	struct buf body BUF_AUTO;
	size_t got = 0;
	int pair[2];
	int r = 0;

	if (size < 1 || size > INPUT_MAX)
		return 0;
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	must(send(pair[1], data + 1, size - 1, MSG_NOSIGNAL) == (ssize_t)size - 1);
	must(shutdown(pair[1], SHUT_WR) == 0);
	http_client_init(&c, pair[0], "saw");
	buf_init(&body, INPUT_MAX);
	ask.upgrade = data[0] & 1 ? "saw-tunnel" : NULL;
	if (data[0] & 2)
		ask.method = "HEAD";
	for (int i = 0; i < ANSWERS_MAX && r == 0; i++) {
		struct http_client_answer answer = { 0 };

		r = http_client_call(&c, &ask, &answer, NULL);
		must(expected(r));
		if (r)
			break;
		must((answer.status >= 200 && answer.status <= 599) || (answer.status == 101 && ask.upgrade));
		if (answer.status == 101) {
			int fd = http_client_upgraded(&c, &body, NULL);

			must(fd < 0 || fd == pair[0]);
			(void)fd_close(fd);
			break;
		}
		r = http_client_read_all(&c, &body, NULL);
		must(expected(r) && body.len >= got);
		must(!(data[0] & 2) || body.len == got); /* HEAD: there is no body */
		got = body.len;
	}
	must(got <= size);
	(void)fd_close(pair[1]);
	return 0;
}
