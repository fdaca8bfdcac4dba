#include <stdlib.h>

#include "base/must.h"
#include "base/utf8.h"
#include "wire/ws_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned feed(struct ws_check *w, struct bytes s, size_t step)
{
	enum ws_code code = 0;

	for (size_t off = 0; off < s.len; off += step)
		if (!ws_check_feed(w, bytes_of(s.p + off, s.len - off > step ? step : s.len - off), &code))
			return code;
	return 0;
}

/* Cut or whole the same, from either side; whole frames that pass from a server leave the check between frames; text is UTF-8. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (size_t client = 0; client < 2; client++) {
		struct ws_check w, v;
		unsigned code;

		ws_check_init(&w, client, 4096);
		ws_check_init(&v, client, 4096);
		code = feed(&w, bytes_of(data, size), size + 1);
		must(feed(&v, bytes_of(data, size), 3) == code);
		if (code == 0)
			must(ws_check_between(&w) == ws_check_between(&v) && w.closed == v.closed && w.n_messages == v.n_messages);
	}
	if (size <= 125) { /* the input as one message of a server, unfragmented and cut in two */
		struct ws_check w, v;
		uint8_t one[2] = { 0x81, (uint8_t)size }, two[2] = { 0x01, (uint8_t)(size / 2) }, three[2] = { 0x80, (uint8_t)(size - size / 2) };
		bool valid = utf8_valid(bytes_of(data, size));

		ws_check_init(&w, false, 4096);
		ws_check_init(&v, false, 4096);
		must((feed(&w, bytes_of(one, 2), 2) == 0 && feed(&w, bytes_of(data, size), 200) == 0) == valid);
		must((feed(&v, bytes_of(two, 2), 2) == 0 && feed(&v, bytes_of(data, size / 2), 5) == 0 && feed(&v, bytes_of(three, 2), 2) == 0 &&
		      feed(&v, bytes_skip(bytes_of(data, size), size / 2), 7) == 0) == valid);
	}
	return 0;
}
