#include "net/held.h"

#include <malloc.h>

#include "base/must.h"
#include "base/tap.h"
#include "net/h2_budget.h"
#include "net/h2_client.h"
#include "net/h2_heap.h"
#include "net/h2_rig.h"
#include "net/h2_server.h"

/* What other connections hold is one charge of the test; where it says so, real ones hold it. */

#define LONG "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

enum { MANY = 800, STREAMS = 16, FRAME = 16 * 1024, ROOM = 64 * 1024 /* enough for one connection and its stream */ };

static struct h2_rig rig;
static struct h2_rig another;
static size_t others;

static void others_hold(size_t all)
{
	held_set(&others, all - (held_total() - others));
}

static void over(void)
{
	held_set(&others, 0);
	CHECK_INT(held_total(), 0);
}

static void check_counted(void)
{
	CHECK_INT(held_total(), others + (rig.c ? h2_memory(rig.c) : 0) + (another.c ? h2_memory(another.c) : 0));
}

TEST(what_connections_hold_is_counted_whatever_they_do_and_given_back_to_the_last_byte)
{
	static const char big[] = "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n";
	static char content[30 * 1000];
	static char trailer[] = "x-trailer=" LONG LONG LONG LONG;

	memset(content, 'x', sizeof(content) - 1);
	h2_rig_server(&rig);
	h2_rig_client(&another);
	check_counted();
	rig.keep_unread = true;
	for (unsigned i = 0; i < 30; i++) { /* more than the pool keeps */
		h2_rig_headers(&rig, 2 * i + 1, 0, H2_RIG_POST "|cookie=a|cookie=b");
		h2_rig_data(&rig, 2 * i + 1, 0, "content that nobody reads");
		CHECK_INT(h2_rig_feed(&rig), H2_OK);
		check_counted();
	}
	h2_rig_say(&rig, 0, big);
	h2_rig_say(&rig, 0, content);
	h2_rig_say(&rig, 1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx-sum: 1\r\n\r\n");
	h2_rig_say(&rig, 2, "HTTP/1.1 200 O"); /* the head in pieces */
	check_counted();
	h2_rig_headers(&rig, 1, H2_RIG_END, trailer);
	h2_rig_headers(&rig, 61, H2_RIG_END, H2_RIG_GET "|X=malformed");
	h2_rig_u32(&rig, H2_RIG_RST, 5, 8);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	rig.keep_unread = false;
	CHECK(h2_stream_read(rig.streams[0].s, &rig.streams[0].text, H2_RIG_TEXT_MAX) > sizeof(trailer));
	CHECK(h2_stream_read_done(rig.streams[0].s));
	check_counted();
	(void)h2_rig_seen(&rig);
	check_counted();
	(void)h2_rig_ask(&another, "PUT /x HTTP/1.1\r\nHost: good.example\r\nContent-Length: 9\r\n\r\nhalf");
	(void)h2_rig_seen(&another);
	h2_rig_headers(&another, 1, 0, ":status=200|content-type=text/plain");
	h2_rig_data(&another, 1, 0, "an answer");
	CHECK_INT(h2_rig_feed(&another), H2_OK);
	check_counted();
	CHECK(held_total() > (size_t)60 * 1000);
	for (size_t i = 0; i < rig.n_streams; i++)
		h2_rig_release(&rig, i);
	check_counted();
	h2_rig_end(&rig);
	check_counted();
	h2_rig_end(&another);
	over();
}

TEST(a_new_stream_is_refused_while_the_rest_goes_on_and_taken_once_there_is_memory_again)
{
	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, 0, H2_RIG_POST);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_events(&rig), "stream 1\n");
	others_hold(HELD_NEW);
	h2_rig_headers(&rig, 3, 0, H2_RIG_POST "|x-more=y");
	h2_rig_data(&rig, 3, H2_RIG_END, "not processed");
	h2_rig_headers(&rig, 5, H2_RIG_END, H2_RIG_GET);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_events(&rig), "malformed 3: out of memory\nmalformed 5: out of memory\n");
	CHECK_STR(h2_rig_seen(&rig), "RST 3 7\nRST 5 7\n"); /* REFUSED_STREAM: it may ask again */
	CHECK_INT(h2_streams(rig.c), 1);
	h2_rig_data(&rig, 1, H2_RIG_END, "hello");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK(bytes_ends(bytes_str(h2_rig_said(&rig, 0)), bytes_str("\r\n\r\n5\r\nhello\r\n0\r\n\r\n")));
	h2_rig_say(&rig, 0, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
	CHECK_STR(h2_rig_seen(&rig), "HEADERS 1 :status=200|content-length=2\nDATA 1 end 2\n");
	others_hold(HELD_NEW - ROOM);
	h2_rig_headers(&rig, 7, H2_RIG_END, H2_RIG_GET "|x-more=y"); /* tables are as the peer believes */
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_events(&rig), "stream 7\n");
	CHECK(strstr(h2_rig_said(&rig, 1), "x-more: y\r\n") != NULL);
	check_counted();
	h2_rig_end(&rig);
	over();
}

TEST(who_keeps_asking_for_streams_that_are_refused_is_a_flood)
{
	unsigned n = 0;

	h2_rig_server(&rig);
	others_hold(HELD_NEW);
	while (h2_fault(rig.c) == H2_OK && n < 1000) {
		h2_rig_headers(&rig, 2 * n++ + 1, H2_RIG_END, H2_RIG_GET);
		(void)h2_rig_feed(&rig);
		(void)h2_rig_seen(&rig);
	}
	CHECK_INT(h2_fault(rig.c), H2_FLOOD_RESET);
	CHECK(n <= H2_BUDGET_BURST / H2_COST_REFUSED + 1);
	h2_rig_end(&rig);
	over();
}

TEST(a_new_connection_of_the_guest_is_told_to_calm_down_until_there_is_memory_again)
{
	struct buf out BUF_AUTO = { 0 };

	buf_init(&out, 1000);
	others_hold(HELD_NEW);
	rig.c = h2_server_new(&(const struct h2_ops){ 0 }, NULL);
	must(rig.c != NULL);
	CHECK_INT(h2_fault(rig.c), H2_MEMORY);
	CHECK(!h2_wants(rig.c) && !h2_finished(rig.c));
	CHECK_INT(h2_feed(rig.c, bytes_str(PREFACE), 0), H2_MEMORY);
	h2_take(rig.c, &out, 1000);
	CHECK(h2_finished(rig.c));
	CHECK(out.p[3] == H2_RIG_SETTINGS); /* RFC 9113, 3.4: first */
	CHECK(bytes_ends(buf_view(&out), bytes_of((const uint8_t *)"\7\0\0\0\0\0\0\0\0\0\0\0\0\13", 14)));
	rig.c = h2_free(rig.c);
	h2_rig_client(&another); /* for what the guest has asked already */
	h2_rig_end(&another);
	others_hold(HELD_NEW - ROOM);
	h2_rig_server(&rig);
	h2_rig_end(&rig);
	others_hold(HELD_CONTENT);
	CHECK(!h2_server_new(&(const struct h2_ops){ 0 }, NULL) && !h2_client_new(&(const struct h2_ops){ 0 }, NULL));
	CHECK_INT(held_total(), HELD_CONTENT);
	over();
}

TEST(content_for_which_there_is_no_memory_ends_its_stream_only)
{
	h2_rig_server(&rig);
	rig.keep_unread = true;
	h2_rig_headers(&rig, 1, 0, H2_RIG_POST);
	h2_rig_data(&rig, 1, 0, "first");
	h2_rig_headers(&rig, 3, 0, H2_RIG_POST);
	h2_rig_headers(&rig, 5, H2_RIG_END, H2_RIG_GET);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	(void)h2_rig_events(&rig);
	others_hold(HELD_CONTENT);
	h2_rig_data(&rig, 1, 0, "fits into what it has");
	h2_rig_data(&rig, 3, 0, "needs more");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_events(&rig), "gone 3: out of memory\n");
	CHECK_STR(h2_rig_seen(&rig), "RST 3 11\n");
	others_hold(HELD_CONTENT);
	h2_rig_say(&rig, 2, "HTTP/1.1 204 No Content\r\n\r\n"); /* a head is refused here too */
	CHECK_STR(h2_rig_seen(&rig), "RST 5 11\n");
	CHECK_STR(h2_rig_events(&rig), "gone 5: out of memory\n");
	others_hold(HELD_CONTENT - ROOM);
	h2_rig_data(&rig, 1, H2_RIG_END, "!");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	rig.keep_unread = false;
	CHECK(h2_stream_read(rig.streams[0].s, &rig.streams[0].text, 1000) > 0);
	CHECK(strstr(h2_rig_said(&rig, 0), "first") != NULL);
	h2_rig_say(&rig, 0, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
	CHECK(strstr(h2_rig_seen(&rig), "DATA 1 end 2\n") != NULL);
	check_counted();
	h2_rig_end(&rig);
	over();
}

TEST(what_a_host_says_without_memory_for_it_ends_its_stream_only)
{
	h2_rig_client(&another);
	(void)h2_rig_ask(&another, "GET /ok HTTP/1.1\r\nHost: good.example\r\n\r\n");
	(void)h2_rig_ask(&another, "POST /ok HTTP/1.1\r\nHost: good.example\r\nContent-Length: 9\r\n\r\n");
	(void)h2_rig_ask(&another, "GET /ok HTTP/1.1\r\nHost: good.example\r\n\r\n");
	(void)h2_rig_seen(&another);
	others_hold(HELD_CONTENT);
	h2_rig_headers(&another, 1, H2_RIG_END, ":status=204");
	CHECK_INT(h2_rig_feed(&another), H2_OK);
	CHECK_STR(h2_rig_events(&another), "gone 1: out of memory\n");
	others_hold(HELD_CONTENT);
	h2_rig_say(&another, 1, "some");
	CHECK_STR(h2_rig_seen(&another), "RST 1 8\nRST 3 8\n");
	(void)h2_rig_events(&another);
	others_hold(HELD_CONTENT - ROOM);
	h2_rig_headers(&another, 5, H2_RIG_END, ":status=204");
	CHECK_INT(h2_rig_feed(&another), H2_OK);
	CHECK(strstr(h2_rig_said(&another, 2), "204") != NULL);
	check_counted();
	h2_rig_end(&another);
	over();
}

TEST(nghttp2_gets_nothing_over_the_ceiling_of_all)
{
	struct h2_heap h;
	nghttp2_mem mem;
	void *p;

	h2_heap_init(&h, 100 * 1000, false, &mem);
	others_hold(HELD_MAX - 1000);
	CHECK(mem.malloc(1001, mem.mem_user_data) == NULL);
	CHECK(mem.calloc(2, 501, mem.mem_user_data) == NULL);
	p = mem.malloc(600, mem.mem_user_data);
	CHECK(p != NULL);
	CHECK(mem.realloc(p, 1200, mem.mem_user_data) == NULL);
	CHECK_INT(held_total(), others + h.used);
	mem.free(p, mem.mem_user_data);
	CHECK_INT(h.used, 0);
	CHECK_INT(held_total(), others);
	over();
}

TEST(a_charged_buffer_grows_up_to_the_ceiling_of_all)
{
	struct buf b BUF_AUTO = { 0 };

	buf_init(&b, 1024 * 1024);
	held_buf(&b);
	others_hold(HELD_MAX - 100 * 1000);
	while (buf_str(&b, LONG))
		CHECK(held_total() == others + b.cap && held_total() <= HELD_MAX);
	CHECK(b.failed && b.cap == (size_t)64 * 1024);
	buf_deinit(&b);
	others_hold(0);
	while (b.len < (size_t)512 * 1024)
		CHECK(buf_str(&b, LONG));
	buf_deinit(&b);
	over();
}

/* --- memory that malloc keeps --- */

static unsigned n_trims;

int malloc_trim(size_t pad) /* held.c's: this one stands before the library's */
{
	CHECK_INT(pad, 0);
	n_trims++;
	return 1;
}

/* Others came to `most`, then down to `left`, and something ended. */
static unsigned trims(size_t most, size_t left)
{
	others_hold(most);
	held_ended();
	n_trims = 0;
	others_hold(left);
	held_ended();
	return n_trims;
}

TEST(a_process_that_held_much_and_now_little_gives_back_what_malloc_keeps_once)
{
	CHECK_INT(trims(HELD_GIVES_BACK, HELD_GIVES_BACK / 4 + 1), 0);
	CHECK_INT(trims(HELD_GIVES_BACK, HELD_GIVES_BACK / 4), 1);
	held_ended();
	CHECK_INT(n_trims, 1); /* it has been given back */
	CHECK_INT(trims(HELD_MAX, HELD_MAX / 2), 0);
	CHECK_INT(trims(HELD_MAX / 2, HELD_MAX / 4), 1); /* a quarter of its most ever since */
	CHECK_INT(trims(HELD_MAX / 4, 0), 1);
	over();
}

TEST(a_process_that_never_held_much_does_not_stop_to_give_back)
{
	CHECK_INT(trims(HELD_GIVES_BACK - 1, 0), 0);
	over();
}

/* --- real connections --- */

static struct {
	unsigned n_refused; /* streams that did not begin */
	unsigned n_gone; /* streams that ended */
} real;

static void on_stream(void *owner, struct h2_stream *s)
{
	(void)owner;
	(void)s;
}

static void on_wake(void *owner, struct h2_stream *s)
{
	(void)owner;
	real.n_gone += h2_stream_gone(s) != H2_OK;
	CHECK(h2_stream_gone(s) == H2_OK || h2_stream_gone(s) == H2_MEMORY);
	if (h2_stream_gone(s) != H2_OK)
		h2_stream_release(s);
}

static void on_malformed(void *owner, uint32_t id, enum h2_fault f)
{
	(void)owner;
	(void)id;
	real.n_refused++;
	CHECK_INT(f, H2_MEMORY);
}

static void heads(struct buf *b)
{
	static struct h2_rig to;

	buf_init(&to.in, H2_RIG_TEXT_MAX);
	(void)buf_str(&to.in, PREFACE);
	h2_rig_frame(&to, H2_RIG_SETTINGS, 0, 0, bytes_of(NULL, 0));
	for (uint32_t i = 0; i < STREAMS; i++)
		h2_rig_headers(&to, 2 * i + 1, 0, H2_RIG_POST);
	*b = to.in;
}

/* All that a guest may send before anything of it is read: the window of the connection. */
static void window(struct buf *b)
{
	static char content[FRAME + 1];
	static struct h2_rig to;

	memset(content, 'x', FRAME);
	buf_init(&to.in, H2_RIG_TEXT_MAX);
	for (uint32_t i = 0; i < STREAMS * H2_SERVER_WINDOW / FRAME; i++)
		h2_rig_data(&to, 2 * (i % STREAMS) + 1, 0, content);
	*b = to.in;
}

TEST(many_connections_together_hold_no_more_than_the_ceiling)
{
	static const struct h2_ops ops = { .on_stream = on_stream, .on_wake = on_wake, .on_malformed = on_malformed };
	static struct h2 *all[MANY];
	struct buf head BUF_AUTO = { 0 };
	struct buf content BUF_AUTO = { 0 };
	size_t most = 0;
	size_t sum = 0;

	heads(&head);
	window(&content);
	for (size_t i = 0; i < MANY; i++) {
		all[i] = h2_server_new(&ops, NULL);
		must(all[i] != NULL);
		CHECK_INT(h2_feed(all[i], buf_view(&head), 0), H2_OK);
	}
	for (size_t i = 0; i < MANY; i++) {
		CHECK_INT(h2_feed(all[i], buf_view(&content), 0), H2_OK);
		most = held_total() > most ? held_total() : most;
	}
	for (size_t i = 0; i < MANY; i++)
		sum += h2_memory(all[i]);
	printf("# %u streams ended, at most %zu bytes\n", real.n_gone, most);
	CHECK_INT(held_total(), sum);
	CHECK(most >= HELD_CONTENT && most < HELD_MAX);
	CHECK(real.n_gone > MANY * STREAMS / 8 && real.n_gone < MANY * STREAMS && real.n_refused == 0);
	for (size_t i = 0; i < MANY / 2; i++)
		all[i] = h2_free(all[i]);
	real.n_gone = 0;
	all[0] = h2_server_new(&ops, NULL);
	CHECK_INT(h2_feed(all[0], buf_view(&head), 0), H2_OK);
	CHECK_INT(h2_feed(all[0], buf_view(&content), 0), H2_OK);
	CHECK_INT(h2_streams(all[0]), STREAMS);
	CHECK(real.n_gone == 0 && real.n_refused == 0);
	for (size_t i = 0; i < MANY; i++)
		all[i] = h2_free(all[i]);
	over();
}
