#include "wire/resolv_conf.h"

#include "base/num.h"

static bool blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of a line; empty at its end. */
static struct bytes next_word(struct bytes *line)
{
	size_t from = 0;
	size_t to;
	struct bytes word;

	while (from < line->len && blank(line->p[from]))
		from++;
	to = from;
	while (to < line->len && !blank(line->p[to]))
		to++;
	word = bytes_of(line->p + from, to - from);
	*line = bytes_skip(*line, to);
	return word;
}

/* "timeout:3" -> 3, cut to 1..max. Leaves *ret alone when it is another option or no number. */
static void take_number(struct bytes word, const char *key, unsigned max, unsigned *ret)
{
	uint64_t v;

	if (!bytes_starts(word, bytes_str(key)) || !num_u64(bytes_skip(word, strlen(key)), UINT32_MAX, &v))
		return;
	*ret = v < 1 ? 1 : v > max ? max : (unsigned)v;
}

static void take_options(struct bytes line, struct resolv_conf *c, unsigned *timeout_s)
{
	struct bytes word;

	while ((word = next_word(&line)).len) {
		take_number(word, "timeout:", RESOLV_TIMEOUT_MAX_S, timeout_s);
		take_number(word, "attempts:", RESOLV_ATTEMPTS_MAX, &c->attempts);
		if (bytes_is(word, "use-vc") || bytes_is(word, "usevc") || bytes_is(word, "tcp"))
			c->tcp = true;
	}
}

/* ADDRESS, or "[ADDRESS]:PORT". */
static bool read_server(struct bytes word, struct resolv_server *ret)
{
	size_t end = bytes_find(word, ']');
	uint64_t port = RESOLV_PORT;

	if (word.len && word.p[0] == '[') {
		if (end + 2 > word.len || word.p[end + 1] != ':' || !num_u64(bytes_skip(word, end + 2), UINT16_MAX, &port) || port == 0)
			return false;
		word = bytes_of(word.p + 1, end - 1);
	}
	ret->port = (uint16_t)port;
	return ip_parse(word, &ret->ip);
}

static void take_line(struct bytes line, struct resolv_conf *c, unsigned *timeout_s)
{
	struct bytes key = next_word(&line);
	struct resolv_server server;

	if (bytes_is(key, "options"))
		take_options(line, c, timeout_s);
	else if (bytes_is(key, "nameserver") && c->n_servers < RESOLV_SERVERS_MAX && read_server(next_word(&line), &server))
		c->servers[c->n_servers++] = server;
}

void resolv_conf_parse(struct bytes text, struct resolv_conf *ret)
{
	struct resolv_conf c = { .attempts = RESOLV_ATTEMPTS };
	unsigned timeout_s = RESOLV_TIMEOUT_S;

	while (text.len) {
		size_t len = bytes_find(text, '\n');

		take_line(bytes_of(text.p, len), &c, &timeout_s);
		text = bytes_skip(text, len < text.len ? len + 1 : len);
	}
	c.timeout_ms = timeout_s * 1000;
	*ret = c;
}
