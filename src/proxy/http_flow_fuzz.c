#include <errno.h>
#include <sys/socket.h>

#include "base/must.h"
#include "base/tap.h"
#include "os/fd.h"
#include "proxy/http_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A whole flow between a hostile guest and a hostile host, under a policy, a log, a dialer and a keeper that do what they do at the worst
 * moment. The first byte is the entry, then come steps: what happens, how much of the rest goes with it, and that. */

#define SECRET "s3cr3t-value"

enum { CREDENTIAL = 1, REFLECTIVE = 2, WEBSOCKET = 4, MODEL = 8, GUARDED = 16, OUTLET = 32 };
enum { FROM_GUEST, FROM_HOST, GUEST_LEAVES, HOST_LEAVES, RELISTED, UNLISTED, ROTATED, LOG_SLOW, LOG_FULL, DIAL_SLOW, DIAL_REFUSED, LATE, KINDS };
enum { ENOUGH_EVENTS = HTTP_RIG_EVENTS_MAX / 2, ENOUGH_DIALS = HTTP_RIG_DIALS_MAX - 2 };

bool tap_check(bool ok, const char *text, const char *file, int line)
{
	(void)text;
	(void)file;
	(void)line;
	must(ok);
	return ok;
}

static void put(int fd, struct bytes data)
{
	if (fd >= 0 && data.len)
		(void)send(fd, data.p, data.len, MSG_NOSIGNAL);
}

static void catch_up(void)
{
	http_rig_from_loop(NULL);
	http_rig_settle();
}

static void step(unsigned kind, struct bytes data)
{
	unsigned last = http_rig.n_dials ? http_rig.n_dials - 1 : 0;

	switch (kind) {
	case FROM_GUEST:
		put(http_rig.guest, data);
		break;
	case FROM_HOST:
		put(http_rig.origin[last], data);
		break;
	case GUEST_LEAVES:
		(void)shutdown(http_rig.guest, SHUT_WR);
		break;
	case HOST_LEAVES:
		http_rig.origin[last] = fd_close(http_rig.origin[last]);
		break;
	case RELISTED:
	case UNLISTED:
		http_rig_policy_changes(kind == UNLISTED);
		break;
	case ROTATED:
		http_rig.rotations++;
		if (http_rig.flow)
			http_rig.flow->ops->on_secret(http_rig.flow, bytes_str("token"));
		break;
	case LOG_SLOW:
		http_rig.hold_events = !http_rig.hold_events;
		break;
	case LOG_FULL:
		http_rig.log_full = !http_rig.log_full;
		break;
	case DIAL_SLOW:
		http_rig.hold_dials = !http_rig.hold_dials;
		break;
	case DIAL_REFUSED:
		http_rig.dial_refusal = http_rig.dial_refusal == REASON_OK ? REASON_CONNECT_FAILED : REASON_OK;
		break;
	case LATE:
		if (http_rig.flow && ((struct http_flow *)http_rig.flow)->timer.slot)
			http_rig_time_passes();
		break;
	default:
		break;
	}
	http_rig_settle();
	catch_up();
}

static size_t times(struct bytes in, const char *text)
{
	size_t n = 0;

	for (const uint8_t *p; in.len && (p = memmem(in.p, in.len, text, strlen(text))); n++)
		in = bytes_skip(in, (size_t)(p - in.p) + strlen(text));
	return n;
}

/* Fields of that name in a head without its empty line. */
static size_t fields(struct bytes head, const char *name)
{
	size_t n = 0;

	while (head.len) {
		struct bytes line = bytes_of(head.p, bytes_find(head, '\n'));

		n += bytes_ieq(bytes_of(line.p, bytes_find(line, ':')), bytes_str(name));
		head = bytes_skip(head, line.len < head.len ? line.len + 1 : line.len);
	}
	return n;
}

static size_t recorded(void)
{
	size_t n = 0;

	for (unsigned i = 0; i < http_rig.n_events; i++)
		n += strncmp(http_rig.events[i], "allowed", 7) == 0 || strncmp(http_rig.events[i], "observed", 8) == 0;
	return n;
}

/* Nobody hears of a request that is not on record; none goes bare or in the guest's own clothes; the secret does not come back. */
static void judge(uint8_t entry)
{
	bool dressed = entry & CREDENTIAL && !(entry & GUARDED);
	bool bare = entry & OUTLET && !dressed;
	size_t n = 0;

	for (unsigned i = 0; i < http_rig.n_dials; i++) {
		struct bytes got = buf_view(&http_rig.origin_got[i]);
		const uint8_t *end = got.len ? memmem(got.p, got.len, "\r\n\r\n", 4) : NULL;
		struct bytes head = bytes_of(got.p, end ? (size_t)(end - got.p) + 2 : got.len);

		n += got.len > 0;
		if (!end)
			continue;
		must(!dressed || (times(head, "\nAuthorization: Bearer " SECRET "\r\n") == 1 && fields(head, "authorization") == 1));
		must(!bare || fields(head, "authorization") == 0);
		must(!(dressed || bare) || fields(head, "cookie") + fields(head, "x-api-key") + fields(head, "proxy-authorization") == 0);
		must(fields(head, "saw-stripped") <= (entry & GUARDED ? 1 : 0));
	}
	if (!(entry & GUARDED))
		must(n == 0 || recorded() > 0);
	if (dressed && entry & REFLECTIVE)
		must(times(buf_view(&http_rig.got), SECRET) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct policy_entry entry = { .mode = POLICY_HTTP, .rule = bytes_str("site"), .credential = POLICY_NONE };

	if (size < 1)
		return 0;
	entry.credential = data[0] & CREDENTIAL ? 0 : POLICY_NONE;
	entry.reflective = (data[0] & (CREDENTIAL | REFLECTIVE)) == (CREDENTIAL | REFLECTIVE);
	entry.websocket = data[0] & WEBSOCKET && !(data[0] & CREDENTIAL);
	entry.ai = data[0] & MODEL ? POLICY_AI_ANTHROPIC : POLICY_AI_NONE;
	http_rig_start_entry(http_flow_start, &entry);
	http_rig.secret = SECRET;
	http_rig.guarded = (data[0] & (GUARDED | OUTLET)) == GUARDED;
	http_rig.outlet = data[0] & OUTLET;
	in = bytes_skip(in, 1);
	while (in.len >= 3 && http_rig.n_events < ENOUGH_EVENTS && http_rig.n_dials < ENOUGH_DIALS) {
		size_t n = (size_t)in.p[1] << 8 | in.p[2];
		unsigned kind = in.p[0] % KINDS;

		in = bytes_skip(in, 3);
		n = n < in.len ? n : in.len;
		step(kind, bytes_of(in.p, kind <= FROM_HOST ? n : 0));
		if (kind <= FROM_HOST)
			in = bytes_skip(in, n);
	}
	judge(data[0] & OUTLET ? (uint8_t)(data[0] & ~GUARDED) : data[0]);
	http_rig_end();
	return 0;
}
