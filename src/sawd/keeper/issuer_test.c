#include "sawd/keeper/issuer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/tap.h"
#include "crypt/cert.h"
#include "crypt/seal.h"
#include "crypt/secure_heap.h"
#include "os/clock_kit.h"
#include "os/fd.h"

enum { HEAP = 256 * 1024 };
#define DAY ((int64_t)CERT_DAY_MS)
#define WS bytes_str("ws-0123456789ab")

static char folder[] = "/tmp/saw-issuer-XXXXXX";

struct world {
	struct loop *loop;
	struct secret *key;
	struct issuer *issuer;
	int inlet_fd;
	struct err e;
};

static void on_end(void *owner, struct bytes workspace)
{
	(void)owner;
	(void)workspace;
	CHECK(false);
}

static bool start(struct world *w)
{
	static bool made;

	*w = (struct world){ .inlet_fd = -1 };
	if (!made)
		(void)secure_heap_init_sized(HEAP, &made);
	memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
	kit_clock_stops();
	w->key = secret_new_random(SEAL_KEY_LEN);
	return mkdtemp(folder) && w->key && loop_new(&w->loop, &w->e) == 0 &&
	       issuer_new(&w->issuer, w->loop, folder, w->key, on_end, w, &w->e) == 0;
}

static void stop(struct world *w)
{
	char path[200];

	(void)fd_close(w->inlet_fd);
	issuer_free(w->issuer);
	secret_free(w->key);
	loop_free(w->loop);
	(void)snprintf(path, sizeof(path), "%s/ca/%s", folder, (const char *)WS.p);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/ca", folder);
	CHECK(rmdir(path) == 0 && rmdir(folder) == 0);
}

static int open_channel(struct world *w)
{
	int names_fd = fd_sealed("names", "a.example\n", 10, NULL);

	return issuer_open(w->issuer, WS, 1, names_fd, &w->inlet_fd, &w->e);
}

/* Whole issues that have come since. */
static unsigned issues(const struct world *w)
{
	uint8_t raw[4096];
	struct msg_in in;
	unsigned n = 0;
	ssize_t got;

	while ((got = recv(w->inlet_fd, raw, sizeof(raw), MSG_DONTWAIT)) > 0)
		n += msg_open(&in, bytes_of(raw, (size_t)got)) && in.type == MSG_CA_DONE;
	return n;
}

static void set(struct world *w, int64_t ms)
{
	kit_clock_is_set(ms);
	issuer_clock_was_set(w->issuer);
}

TEST(whoever_sets_the_clock_has_certificates_that_are_good_at_once)
{
	struct world w;

	CHECK(start(&w) && open_channel(&w) == 0);
	CHECK_INT(issues(&w), 1);
	set(&w, -3600 * 1000); /* as good as before */
	set(&w, 3600 * 1000);
	CHECK_INT(issues(&w), 0);
	set(&w, 40 * DAY);
	CHECK_INT(issues(&w), 1);
	set(&w, -42 * DAY);
	CHECK_INT(issues(&w), 1);
	stop(&w);
}

TEST(a_root_is_good_whatever_the_clock_said_when_it_was_made)
{
	struct world w;

	CHECK(start(&w));
	kit_clock_is_set(30 * 365 * DAY);
	CHECK(open_channel(&w) == 0);
	CHECK_INT(issues(&w), 1);
	set(&w, -30 * 365 * DAY);
	CHECK_INT(issues(&w), 1);
	stop(&w);
}

TEST(no_root_is_made_by_a_clock_without_a_battery_and_one_as_soon_as_it_is_set)
{
	struct world w;
	int64_t now;

	CHECK(start(&w));
	now = (int64_t)clock_real_ms();
	kit_clock_is_set(3600 * 1000 - now);
	CHECK(open_channel(&w) == 0); /* inlet waits */
	CHECK_INT(issues(&w), 0);
	{
		struct buf pem BUF_AUTO = { 0 };

		buf_init(&pem, SAWD_CA_PEM_MAX);
		CHECK_INT(issuer_root(w.issuer, WS, bytes_str("dev"), &pem, &w.e), -EAGAIN);
		CHECK(strstr(w.e.text, "clock") != NULL);
	}
	set(&w, now - 3600 * 1000);
	CHECK_INT(issues(&w), 1);
	stop(&w);
}
