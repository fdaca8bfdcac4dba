#include "wire/ssh_cert.h"

#include "base/base64.h"
#include "base/tap.h"

/* Made by ssh-keygen -s ca -I dev:ws-0123456789ab -n ws-0123456789ab -z 7 -O clear -O permit-pty -O permit-agent-forwarding */
static const char made[] =
	"AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIOQlrSbBh8EZCwMfYqZH6GDSOyXqFSsyfdXuvh49mfQSAAAA"
	"IGQXx0O/fAQn0TLmaVXz6xG1MpEGKdZsJF+9vCttjlteAAAAAAAAAAcAAAABAAAAE2Rldjp3cy0wMTIzNDU2Nzg5YWIAAAATAAAA"
	"D3dzLTAxMjM0NTY3ODlhYgAAAABpVbkAAAAAAGlVuiwAAAAAAAAAMQAAABdwZXJtaXQtYWdlbnQtZm9yd2FyZGluZwAAAAAAAAAK"
	"cGVybWl0LXB0eQAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAAACDBnn2RSdX8k9VePDRroxiSItIA2EVj84+V/XQz8ZyHhgAA"
	"AFMAAAALc3NoLWVkMjU1MTkAAABAE1rb1QLTZw+f0pXWJBzBVtqnuNEuxDbk9BiE+UeeWnhIQguLq6wy3DBBdIYREbp6LZSLdnT4"
	"JQSr4eujvlZiAQ==";

static void blob_of_ssh_keygen(struct buf *b)
{
	buf_init(b, SSH_CERT_MAX);
	CHECK(base64_get(bytes_str(made), b));
}

TEST(a_certificate_of_ssh_keygen_is_read_and_written_again_byte_for_byte)
{
	uint8_t signature[SSH_CERT_SIGNATURE];
	struct ssh_cert c;
	struct bytes body;
	struct buf blob;
	struct buf out;
	struct buf line;

	blob_of_ssh_keygen(&blob);
	CHECK(ssh_cert_get(buf_view(&blob), &c, &body, signature));
	CHECK(bytes_is(c.key_id, "dev:ws-0123456789ab") && bytes_is(c.principal, "ws-0123456789ab") && c.serial == 7);
	CHECK(c.permits == (SSH_CERT_PTY | SSH_CERT_AGENT_FORWARDING) && c.valid_before - c.valid_after == 300);
	buf_init(&out, SSH_CERT_MAX);
	CHECK(ssh_cert_put_body(&out, &c) && bytes_eq(buf_view(&out), body));
	CHECK(ssh_cert_put_signature(&out, signature) && bytes_eq(buf_view(&out), buf_view(&blob)));
	buf_init(&line, 4096);
	CHECK(ssh_cert_put_line(&line, buf_view(&out), "x") && bytes_starts(buf_view(&line), bytes_str(SSH_CERT_TYPE " AAAA")));
	buf_deinit(&line);
	buf_deinit(&out);
	buf_deinit(&blob);
}

TEST(each_cut_and_anything_behind_the_end_is_refused)
{
	uint8_t signature[SSH_CERT_SIGNATURE];
	struct ssh_cert c;
	struct bytes body;
	struct buf blob;

	blob_of_ssh_keygen(&blob);
	for (size_t cut = 0; cut < blob.len; cut++)
		CHECK(!ssh_cert_get(bytes_of(blob.p, cut), &c, &body, signature));
	CHECK(buf_byte(&blob, 0) && !ssh_cert_get(buf_view(&blob), &c, &body, signature));
	buf_deinit(&blob);
}

TEST(no_principal_or_key_id_means_no_certificate)
{
	struct ssh_cert c = { .key_id = bytes_str("x"), .principal = bytes_str("") };
	struct buf out;

	buf_init(&out, SSH_CERT_MAX);
	CHECK(!ssh_cert_put_body(&out, &c));
	c.principal = bytes_str("ws");
	c.key_id = bytes_str("");
	CHECK(!ssh_cert_put_body(&out, &c));
	buf_deinit(&out);
}
