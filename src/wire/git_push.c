#include "wire/git_push.h"

#include "base/sort.h"
#include "base/utf8.h"
#include "wire/git_ref.h"

/* Two steps: find the end of the section (or of both, when the first command announces push options) by pkt-lines alone, remembering
 * the place; then read it as a whole. So a body that trickles in costs no more than one that comes at once, and views stay valid. */

static enum git_answer refuse(enum git_fault f, enum git_fault *ret)
{
	*ret = f;
	return GIT_BAD;
}

/* Takes the next member off a list that is separated by blanks. */
static bool next_word(struct bytes *list, struct bytes *ret)
{
	while (list->len && list->p[0] == ' ')
		*list = bytes_skip(*list, 1);
	*ret = bytes_of(list->p, bytes_find(*list, ' '));
	*list = bytes_skip(*list, ret->len);
	return ret->len > 0;
}

/* Where in the first command its capabilities begin; its length when it has none. */
static struct bytes capabilities_of(struct bytes line)
{
	size_t n = bytes_find(line, '\0');

	return bytes_skip(line, n < line.len ? n + 1 : n);
}

static bool has_capability(struct bytes list, const char *name)
{
	struct bytes word;

	while (next_word(&list, &word))
		if (bytes_is(word, name))
			return true;
	return false;
}

/* Moves behind whole pkt-lines until the request's last flush. */
static enum git_answer find_end(struct git_push_scan *s, struct bytes in, enum git_fault *ret_fault)
{
	for (;;) {
		enum git_pkt_kind kind;
		struct bytes content;
		enum git_answer a;
		size_t len;

		a = git_pkt_next(bytes_skip(in, s->at), &kind, &content, &len);
		if (a == GIT_BAD)
			return refuse(GIT_FAULT_LENGTH, ret_fault);
		if ((a == GIT_MORE ? in.len : s->at + len) > GIT_PUSH_LEN_MAX)
			return refuse(GIT_FAULT_TOO_LARGE, ret_fault);
		if (a == GIT_MORE)
			return GIT_MORE;
		if (kind == GIT_PKT_DELIM || kind == GIT_PKT_END)
			return refuse(GIT_FAULT_ORDER, ret_fault);
		s->at += len;
		if (kind == GIT_PKT_FLUSH && (s->in_options || !s->wants_options))
			return GIT_DONE;
		if (kind == GIT_PKT_FLUSH) {
			s->in_options = true;
		} else if (!s->in_options) {
			if (++s->n_lines > GIT_PUSH_COMMANDS_MAX + GIT_PUSH_SHALLOWS_MAX)
				return refuse(GIT_FAULT_TOO_LARGE, ret_fault);
			if (has_capability(capabilities_of(git_line(content)), "push-options"))
				s->wants_options = true;
		}
	}
}

static const char *const plain_capabilities[] = {
	"report-status", "report-status-v2", "delete-refs", "quiet", "atomic", "ofs-delta", "side-band", "side-band-64k", "push-options",
};

static bool is_plain_capability(struct bytes word)
{
	for (size_t i = 0; i < sizeof(plain_capabilities) / sizeof(plain_capabilities[0]); i++)
		if (bytes_is(word, plain_capabilities[i]))
			return true;
	return false;
}

static bool visible(struct bytes s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
			return false;
	return true;
}

static bool read_capabilities(struct bytes list, struct git_push *p)
{
	size_t n_formats = 0;
	struct bytes word;

	while (next_word(&list, &word)) {
		if (bytes_starts(word, bytes_str("object-format="))) {
			p->sha256 = bytes_is(word, "object-format=sha256");
			if (n_formats++ || (!p->sha256 && !bytes_is(word, "object-format=sha1")))
				return false;
		} else if (bytes_starts(word, bytes_str("agent=")) || bytes_starts(word, bytes_str("session-id="))) {
			if (!visible(word))
				return false;
		} else if (!is_plain_capability(word)) {
			return false;
		}
		p->atomic = p->atomic || bytes_is(word, "atomic");
		p->reports = p->reports || bytes_is(word, "report-status") || bytes_is(word, "report-status-v2");
		p->side_band = p->side_band || bytes_is(word, "side-band");
		p->side_band_64k = p->side_band_64k || bytes_is(word, "side-band-64k");
	}
	return true;
}

/* old SP new SP ref */
static enum git_fault read_command(struct bytes line, bool sha256, struct git_command *ret)
{
	const size_t n = sha256 ? GIT_SHA256_LEN : GIT_SHA1_LEN;
	struct git_command c;
	bool none_before, none_after;

	if (bytes_is(line, "push-cert"))
		return GIT_FAULT_CERT;
	if (bytes_find(line, ' ') == line.len)
		return GIT_FAULT_LINE;
	if (line.len < 2 * n + 2 || line.p[n] != ' ' || line.p[2 * n + 1] != ' ')
		return GIT_FAULT_ID;
	c.old_id = bytes_of(line.p, n);
	c.new_id = bytes_of(line.p + n + 1, n);
	c.ref = bytes_skip(line, 2 * n + 2);
	if (!git_id_valid(c.old_id, sha256) || !git_id_valid(c.new_id, sha256))
		return GIT_FAULT_ID;
	if (!git_ref_valid(c.ref))
		return GIT_FAULT_REF;
	none_before = git_id_is_zero(c.old_id);
	none_after = git_id_is_zero(c.new_id);
	if (none_before && none_after)
		return GIT_FAULT_ID;
	c.kind = none_before ? GIT_CREATE : none_after ? GIT_DELETE : GIT_UPDATE;
	*ret = c;
	return GIT_FAULT_NONE;
}

static int by_ref(const void *a, const void *b, const void *commands)
{
	const struct git_command *c = commands;

	return bytes_cmp(c[*(const uint16_t *)a].ref, c[*(const uint16_t *)b].ref);
}

static bool all_differ(const struct git_command *c, size_t n)
{
	uint16_t index[GIT_PUSH_COMMANDS_MAX];

	for (size_t i = 0; i < n; i++)
		index[i] = (uint16_t)i;
	sort(index, n, sizeof(index[0]), by_ref, c);
	for (size_t i = 1; i < n; i++)
		if (bytes_eq(c[index[i - 1]].ref, c[index[i]].ref))
			return false;
	return true;
}

/* One line before the flush. Shallow lines are only counted: how long ids are is known behind them. */
static enum git_fault read_line(struct bytes line, struct git_command *commands, size_t max, struct git_push *p)
{
	if (bytes_starts(line, bytes_str("shallow "))) {
		if (p->n_commands)
			return GIT_FAULT_ORDER;
		p->n_shallows++;
		return p->n_shallows > GIT_PUSH_SHALLOWS_MAX ? GIT_FAULT_TOO_LARGE : GIT_FAULT_NONE;
	}
	if (bytes_find(line, '\0') < line.len) {
		if (p->n_commands)
			return GIT_FAULT_ORDER;
		if (!read_capabilities(capabilities_of(line), p))
			return GIT_FAULT_CAPABILITY;
		line.len = bytes_find(line, '\0');
	}
	if (p->n_commands == max || p->n_commands == GIT_PUSH_COMMANDS_MAX)
		return GIT_FAULT_TOO_LARGE;
	return read_command(line, p->sha256, &commands[p->n_commands++]);
}

static struct bytes take_line(struct bytes *s)
{
	enum git_pkt_kind kind;
	struct bytes content = { 0 };
	size_t len = 0;

	(void)git_pkt_next(*s, &kind, &content, &len);
	*s = bytes_skip(*s, len);
	return git_line(content);
}

static enum git_fault check_shallows(struct bytes s, const struct git_push *p)
{
	for (size_t i = 0; i < p->n_shallows; i++)
		if (!git_id_valid(bytes_skip(take_line(&s), strlen("shallow ")), p->sha256))
			return GIT_FAULT_ID;
	return GIT_FAULT_NONE;
}

/* An option is text of one line; git's own server takes any bytes. */
static bool option_ok(struct bytes o)
{
	for (size_t i = 0; i < o.len; i++)
		if (o.p[i] < ' ' || o.p[i] == 0x7f)
			return false;
	return o.len && utf8_valid(o);
}

static enum git_fault check_options(struct git_push *p)
{
	struct bytes rest = p->options, option;

	while (git_push_option(&rest, &option)) {
		if (!option_ok(option))
			return GIT_FAULT_LINE;
		if (++p->n_options > GIT_PUSH_OPTIONS_MAX)
			return GIT_FAULT_TOO_LARGE;
	}
	return GIT_FAULT_NONE;
}

/* `s` is whole pkt-lines up to and with the last flush. */
static enum git_fault read_all(struct bytes s, bool with_options, struct git_command *commands, size_t max, struct git_push *p)
{
	struct bytes rest = s, line;
	enum git_fault f;

	while ((line = take_line(&rest)).p) {
		f = read_line(line, commands, max, p);
		if (f != GIT_FAULT_NONE)
			return f;
	}
	if (p->n_shallows && !p->n_commands)
		return GIT_FAULT_ORDER;
	if (with_options)
		p->options = bytes_of(rest.p, rest.len - GIT_PKT_HEAD_LEN);
	f = check_shallows(s, p);
	if (f == GIT_FAULT_NONE)
		f = check_options(p);
	if (f == GIT_FAULT_NONE && !all_differ(commands, p->n_commands))
		f = GIT_FAULT_DUPLICATE;
	for (size_t i = 0; i < p->n_commands; i++)
		p->has_pack = p->has_pack || commands[i].kind != GIT_DELETE;
	return f;
}

enum git_answer git_push_read(struct git_push_scan *s, struct bytes in, struct git_command *commands, size_t max,
			      struct git_push *ret, enum git_fault *ret_fault)
{
	enum git_answer a = find_end(s, in, ret_fault);
	struct git_push p = { .len = s->at };
	enum git_fault f;

	if (a != GIT_DONE)
		return a;
	f = read_all(bytes_of(in.p, s->at), s->wants_options, commands, max, &p);
	if (f != GIT_FAULT_NONE)
		return refuse(f, ret_fault);
	*ret = p;
	return GIT_DONE;
}

bool git_push_option(struct bytes *options, struct bytes *ret)
{
	if (options->len == 0)
		return false;
	*ret = take_line(options);
	return ret->p != NULL;
}
