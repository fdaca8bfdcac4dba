#include "base/must.h"
#include "wire/json_scan.h"
#include "wire/ocsf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bytes take(const uint8_t **data, size_t *size)
{
	size_t len = *size ? **data : 0;
	struct bytes b;

	if (len + 1 > *size)
		len = *size ? *size - 1 : 0;
	b = bytes_of(*data + (*size != 0), len);
	*data = b.p + len;
	*size -= *size ? len + 1 : 0;
	return b;
}

/* Any event is one valid JSON object on one line, and its place reads back as it was given. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct json_node nodes[256];
	struct ocsf_place place;
	struct ocsf_place at = { .sequence = 5, .prev = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" };
	struct ocsf_source src = { .version = bytes_str("1") };
	struct event ev = { 0 };
	struct buf out BUF_AUTO;
	uint32_t n;
	size_t where;

	buf_init(&out, OCSF_LINE_MAX);
	if (size < 8)
		return 0;
	ev.kind = (enum event_kind)(data[0] % (EVENT_KIND_END - 1) + 1);
	ev.action = (enum event_action)(data[1] % (EVENT_ACTION_END - 1) + 1);
	ev.status = (uint16_t)(data[2] | data[3] << 8);
	ev.flow = data[4];
	ev.src = ip_v4(data[5]);
	ev.dst.family = data[6] % 3 == 0 ? 0 : data[6] % 3 == 1 ? 4 : 6;
	ev.at_ms = data[7] ? UINT64_MAX / data[7] : 0;
	ev.duration_ms = ev.count = ev.at_ms * 3;
	src.lab = data[7] & 1;
	ev.observing = data[7] & 2;
	data += 8;
	size -= 8;
	ev.name = take(&data, &size);
	ev.rule = take(&data, &size);
	ev.verb = take(&data, &size);
	ev.path = take(&data, &size);
	ev.actor = take(&data, &size);
	ev.detail = take(&data, &size);
	ev.model = ev.actor;
	ev.credential = ev.name;
	ev.change = ev.path;
	ev.tokens_in = ev.count;
	src.workspace_name = take(&data, &size);
	src.owner = take(&data, &size);
	ocsf_render(&out, &ev, "code", "sentence", &src, &at);
	must(!out.failed && !memchr(out.p, '\n', out.len));
	must(json_scan(buf_view(&out), nodes, 256, &n, &where) == JSON_OK);
	must(ocsf_place_read(buf_view(&out), &place) && place.sequence == 5 && !strcmp(place.prev, at.prev));
	return 0;
}
