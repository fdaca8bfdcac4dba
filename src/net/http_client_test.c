#include "net/http_client.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "base/tap.h"
#include "os/fd.h"

/* The server's whole side is written into the socket before the client speaks: its buffers hold it. */
static int scripted(struct http_client *c, const char *answer)
{
	struct timeval soon = { .tv_usec = 50000 };
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	must(setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)) == 0);
	must(send(pair[0], answer, strlen(answer), 0) == (ssize_t)strlen(answer));
	http_client_init(c, pair[1], "saw");
	return pair[0];
}

static const struct http_client_request get = { .method = "GET", .target = "/v1/x" };

TEST(a_request_and_its_answer_with_a_length)
{
	struct http_client c HTTP_CLIENT_AUTO;
	int server FD_AUTO = scripted(&c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
	struct http_client_answer a;
	struct buf body BUF_AUTO;
	char sent[512] = "";

	buf_init(&body, 100);
	CHECK_INT(http_client_call(&c, &get, &a, NULL), 0);
	CHECK_INT(a.status, 200);
	CHECK_STR(a.content_type, "application/json");
	CHECK_INT(http_client_read_all(&c, &body, NULL), 0);
	CHECK_STR(buf_cstr(&body), "{}");
	must(recv(server, sent, sizeof(sent) - 1, 0) > 0);
	CHECK_STR(sent, "GET /v1/x HTTP/1.1\r\nHost: saw\r\n\r\n");
	must(send(server, "HTTP/1.1 204 No Content\r\n\r\n", 27, 0) == 27);
	CHECK_INT(http_client_call(&c,
				   &(struct http_client_request){ .method = "POST",
								  .target = "/y",
								  .content_type = "application/json",
								  .body = bytes_str("[1]") },
				   &a, NULL),
		  0);
	CHECK_INT(a.status, 204);
	memset(sent, 0, sizeof(sent));
	must(recv(server, sent, sizeof(sent) - 1, 0) > 0);
	CHECK_STR(sent, "POST /y HTTP/1.1\r\nHost: saw\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n[1]");
}

TEST(a_streamed_answer_is_given_in_pieces)
{
	struct http_client c HTTP_CLIENT_AUTO;
	int server FD_AUTO = scripted(&c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n");
	struct http_client_answer a;
	struct bytes piece;

	CHECK_INT(http_client_call(&c, &get, &a, NULL), 0);
	CHECK_INT(http_client_read(&c, &piece, NULL), 1);
	CHECK(bytes_is(piece, "one"));
	CHECK_INT(http_client_read(&c, &piece, NULL), 1);
	CHECK(bytes_is(piece, "two"));
	CHECK_INT(http_client_read(&c, &piece, NULL), -EAGAIN);
	must(send(server, "0\r\n\r\n", 5, 0) == 5);
	CHECK_INT(http_client_read(&c, &piece, NULL), 0);
	CHECK_INT(http_client_read(&c, &piece, NULL), 0);
}

TEST(an_upgrade_gives_the_descriptor_and_the_bytes_behind_the_head)
{
	struct http_client c HTTP_CLIENT_AUTO;
	int server FD_AUTO = scripted(
		&c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: saw-tunnel\r\n\r\nSSH-2.0");
	struct http_client_request r = { .method = "POST", .target = "/ssh", .upgrade = "saw-tunnel" };
	struct http_client_answer a;
	struct buf rest BUF_AUTO;
	int fd FD_AUTO = -1;

	buf_init(&rest, 65536);
	CHECK_INT(http_client_call(&c, &r, &a, NULL), 0);
	CHECK_INT(a.status, 101);
	CHECK_STR(a.upgrade, "saw-tunnel");
	fd = http_client_upgraded(&c, &rest, NULL);
	CHECK(fd >= 0);
	CHECK_STR(buf_cstr(&rest), "SSH-2.0");
	CHECK_INT(c.fd, -1);
}

TEST(malformed_and_cut_answers_are_errors_with_a_sentence)
{
	static const struct {
		const char *answer;
		int want;
	} vectors[] = {
		{ "SSH-2.0-x\r\n", -EPROTO },
		{ "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", -EPROTO },
		{ "HTTP/1.1 101 Switching Protocols\r\n\r\n", -EPROTO },
		{ "HTTP/1.1 200 OK\r\nContent-Le", -ECONNRESET },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", -ECONNRESET },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", -ECONNRESET },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", -EPROTO },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct http_client c HTTP_CLIENT_AUTO;
		int server FD_AUTO = scripted(&c, vectors[i].answer);
		struct http_client_answer a;
		struct buf body BUF_AUTO;
		struct err e = { 0 };
		int r;

		buf_init(&body, 100);
		(void)shutdown(server, SHUT_WR);
		r = http_client_call(&c, &get, &a, &e);
		if (r == 0)
			r = http_client_read_all(&c, &body, &e);
		if (!CHECK_INT(r, vectors[i].want))
			printf("# vector %zu: %s\n", i, e.text);
		CHECK(e.text[0] != '\0');
	}
}

TEST(an_early_answer_is_read_although_the_body_could_not_be_sent)
{
	static char big[4 * 1024 * 1024];
	struct http_client c HTTP_CLIENT_AUTO;
	int server FD_AUTO = scripted(&c, "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
	struct http_client_request r = {
		.method = "POST", .target = "/", .content_type = "text/plain", .body = bytes_of(big, sizeof(big))
	};
	struct http_client_answer a;

	server = fd_close(server);
	CHECK_INT(http_client_call(&c, &r, &a, NULL), 0);
	CHECK_INT(a.status, 413);
	CHECK_INT(http_client_call(&c, &get, &a, NULL), -ENOTCONN);
}

TEST(a_target_with_bytes_that_need_escapes_is_refused)
{
	struct http_client c HTTP_CLIENT_AUTO;
	int server FD_AUTO = scripted(&c, "");
	struct http_client_request r = { .method = "GET", .target = "/a b" };
	struct http_client_answer a;

	(void)server;
	CHECK_INT(http_client_call(&c, &r, &a, NULL), -EINVAL);
}
