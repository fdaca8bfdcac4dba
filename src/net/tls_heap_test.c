#include "net/tls_heap.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"
#include "base/tap.h"
#include "net/held.h"
#include "net/tls_kit.h"

TEST(who_counts_too_late_is_told)
{
	pid_t child = fork(); /* for this must be first of all */
	struct err e = { 0 };
	int status = -1;

	if (child == 0) {
		OPENSSL_free(OPENSSL_malloc(1));
		_exit(tls_heap_count(&e) == -EBUSY && strstr(e.text, "it has taken some already") ? 0 : 1);
	}
	must(child > 0 && waitpid(child, &status, 0) == child);
	CHECK_INT(status, 0);
}

/* The process of this test does what a role does first. */
static void count(void)
{
	static bool counted;
	struct err e = { 0 };

	if (!counted)
		must(tls_heap_count(&e) == 0);
	counted = true;
}

static bool none_left;

void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_realloc(void *p, size_t size)
{
	return none_left ? NULL : __real_realloc(p, size);
}

/* What malloc() gave for it. */
static void check_counted(size_t before, void *p)
{
	CHECK_INT(held_total() - before, malloc_usable_size(p));
}

TEST(memory_of_libcrypto_is_counted_by_what_it_is_now_and_to_the_last_byte)
{
	size_t before;
	void *p;

	count();
	before = held_total();
	p = OPENSSL_malloc(101);
	check_counted(before, p);
	p = OPENSSL_realloc(p, 50 * 1000);
	check_counted(before, p);
	p = OPENSSL_realloc(p, 300);
	CHECK(held_total() - before < 1000);
	check_counted(before, p);
	CHECK(!OPENSSL_realloc(p, 0));
	CHECK_INT(held_total(), before);
	p = OPENSSL_realloc(NULL, 500);
	check_counted(before, p);
	OPENSSL_free(p);
	OPENSSL_free(NULL);
	CHECK_INT(held_total(), before);
}

TEST(memory_that_libcrypto_could_not_get_changes_no_count)
{
	size_t before;
	void *p;

	count();
	p = OPENSSL_malloc(100);
	before = held_total();
	none_left = true;
	CHECK(!OPENSSL_realloc(p, 1000));
	none_left = false;
	CHECK_INT(held_total(), before);
	OPENSSL_free(p);
}

static void both(struct kit *k, struct tls **client, struct tls **server)
{
	char waste[16];
	size_t n;

	kit_reconnect(k);
	*client = kit_client(k, TLS_ALPN_HTTP1);
	*server = kit_server(k, TLS_ALPN_HTTP1);
	must(*client && *server && kit_shake(*client, *server).client == TLS_DONE);
	CHECK_INT(tls_read(*client, waste, sizeof(waste), &n), TLS_WANT_READ); /* the ticket */
}

enum { PAIRS = 8 };

TEST(what_a_stream_takes_is_counted_and_given_back)
{
	struct kit k KIT_AUTO;
	struct tls *client[PAIRS];
	struct tls *server[PAIRS];
	size_t before;
	size_t each;

	count();
	kit_init(&k);
	both(&k, &client[0], &server[0]); /* what is made once and stays */
	tls_free(client[0]);
	tls_free(server[0]);
	before = held_total();
	CHECK(before > 0);
	for (size_t i = 0; i < PAIRS; i++)
		both(&k, &client[i], &server[i]);
	each = (held_total() - before) / PAIRS / 2;
	printf("# %zu bytes a stream at rest\n", each);
	CHECK(each > (size_t)8 * 1024 && each < (size_t)40 * 1024);
	for (size_t i = 0; i < PAIRS; i++) {
		tls_free(client[i]);
		tls_free(server[i]);
	}
	CHECK(held_total() < before + (size_t)PAIRS * 4 * 1024); /* sessions that are kept for resumption */
}

/* A record of 16 KiB of which only its head and a few bytes came. */
TEST(a_record_in_pieces_is_counted_with_its_buffer)
{
	static const uint8_t part[] = { 23, 3, 3, 0x40, 0x11, 1, 2, 3 };
	struct kit k KIT_AUTO;
	struct tls *client = NULL;
	struct tls *server = NULL;
	char text[16];
	size_t before;
	size_t n;

	count();
	kit_init(&k);
	both(&k, &client, &server);
	before = held_total();
	must(send(k.guest_fd, part, sizeof(part), MSG_NOSIGNAL) == sizeof(part));
	CHECK_INT(tls_read(server, text, sizeof(text), &n), TLS_WANT_READ);
	printf("# %zu bytes for a record that is not whole\n", held_total() - before);
	CHECK(held_total() - before >= (size_t)16 * 1024 && held_total() - before < (size_t)20 * 1024);
	tls_free(client);
	tls_free(server);
	CHECK(held_total() < before);
}
