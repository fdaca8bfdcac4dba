#include "net/tls.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"
#include "base/tap.h"
#include "net/tls_kit.h"
#include "os/jail.h"

TEST(every_fault_has_its_own_words)
{
	for (unsigned i = 0; i <= TLS_FAULT_INTERNAL; i++)
		for (unsigned j = 0; j < i; j++)
			CHECK(strcmp(tls_fault_text((enum tls_fault)i), tls_fault_text((enum tls_fault)j)) != 0);
}

enum { VISITS = 3 };

static bool visit(struct kit *k, const struct kit_cert *expired, int nth)
{
	struct tls_client_side s = { .name = "a.example", .port = nth < 2 ? 443 : 8443 };
	struct tls *client TLS_AUTO = NULL;
	struct tls *server TLS_AUTO = kit_server_with(k, nth < 2 ? &k->leaf : expired, 0);
	struct kit_answers a;
	char text[16] = "";
	size_t n = 0;

	if (tls_client_new(k->ctx, k->guest_fd, &s, &client, NULL) < 0)
		return false;
	a = kit_shake(client, server);
	if (nth == 2)
		return a.client == TLS_FAILED && tls_fault(client) == TLS_FAULT_EXPIRED;
	return a.client == TLS_DONE && a.server == TLS_DONE && tls_write(server, bytes_str("x"), &n) == TLS_DONE &&
	       tls_read(client, text, sizeof(text), &n) == TLS_DONE && tls_resumed(client) == (nth == 1) &&
	       tls_shutdown(client) == TLS_DONE;
}

/* In the jail of inlet: a full handshake, a resumed one, one that
 * is refused. The exit code says which went wrong. */
static int in_jail(struct kit *k, const struct kit_cert *expired, int pairs[VISITS][2])
{
	if (jail_no_files(JAIL_NET_NONE, NULL) < 0 || jail_syscalls(JAIL_SYS_ACCEPT | JAIL_SYS_SPLICE, NULL) < 0)
		return 99;
	for (int i = 0; i < VISITS; i++) {
		k->guest_fd = pairs[i][0];
		k->host_fd = pairs[i][1];
		if (!visit(k, expired, i))
			return i + 1;
	}
	return 0;
}

TEST(handshakes_and_data_pass_the_filter_of_inlet)
{
	int status = 0;
	pid_t pid = fork();

	must(pid >= 0);
	if (pid == 0) {
		struct kit k;
		struct kit_cert expired;
		int pairs[VISITS][2];

		kit_init(&k);
		for (int i = 0; i < VISITS; i++)
			must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs[i]) == 0);
		expired = kit_cert(&(struct kit_ask){
			.subject = "x", .names = "DNS:a.example", .issuer = &k.intermediate, .from_days = -3, .to_days = -1 });
		_exit(in_jail(&k, &expired, pairs));
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK_INT(status, 0);
}
