/* `saw create` and `saw set-policy`: the policy is compiled here first, so that its faults are shown with the file's own name, line
 * and column before anything is asked of the control plane. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "cli/api.h"
#include "cli/policy_file.h"
#include "cli/say.h"
#include "cli/verbs.h"
#include "cli/watch.h"
#include "wire/credential.h"
#include "wire/manifest.h"

enum { BODY_MAX = 2 * POLICY_TEXT_MAX };

/* A channel's name, unless a file lies there: then nobody could tell which is meant. 1, 0, or -1 after saying so. */
static int is_channel(const char *text)
{
	if (!manifest_channel_ok(bytes_str(text)))
		return 0;
	if (access(text, F_OK) < 0)
		return 1;
	(void)say_fail(CLI_USAGE, "%s may be a channel, and is a file here: write ./%s for the file", text, text);
	return -1;
}

static void put_channel(struct json_out *j, const char *key, const char *channel)
{
	if (key) {
		json_out_key(j, key);
		json_out_object(j);
	}
	json_out_key_str(j, "channel", channel);
	if (key)
		json_out_object_end(j);
}

static bool is_stored(const struct api_doc *d, struct bytes id)
{
	const struct json_node *list = json_get(d->nodes, d->nodes, "secrets");
	const struct json_node *one;
	struct buf text BUF_AUTO = { 0 };

	for (uint32_t i = 0; (one = json_at(d->nodes, list, i)) != NULL; i++)
		if (bytes_is(id, api_member(d, one, "id", &text)))
			return true;
	return false;
}

static void say_unless_stored(const struct api_doc *secrets, struct bytes id)
{
	if (!is_stored(secrets, id))
		say_warn("credential %.*s has no value yet, and what needs it is refused: `saw secret set %.*s`", (int)id.len, (const char *)id.p, (int)id.len,
			 (const char *)id.p);
}

static void say_missing_of_channel(const struct api_doc *secrets, const char *channel)
{
	struct api_doc doc API_DOC_AUTO = { 0 };
	struct buf text BUF_AUTO = { 0 };
	const struct json_node *list, *one, *id;
	struct err e = { "" };

	if (api_try("GET", "/v1/channels", NULL, &doc, &e) != CLI_DONE || !doc.nodes)
		return;
	list = json_get(doc.nodes, doc.nodes, "channels");
	for (uint32_t i = 0; (one = json_at(doc.nodes, list, i)) != NULL; i++)
		for (uint32_t k = 0; json_is(json_get(doc.nodes, one, "name"), channel) &&
				     (id = json_at(doc.nodes, json_get(doc.nodes, one, "credentials"), k)) != NULL; k++) {
			buf_deinit(&text);
			buf_init(&text, CREDENTIAL_ID_MAX);
			if (json_text(id, &text) && credential_id_ok(buf_view(&text)))
				say_unless_stored(secrets, buf_view(&text));
		}
}

/* What needs a credential without a value is refused: better said now than by the first refusal. `blob` is empty for a channel. */
static void say_missing(const struct buf *blob, const char *channel)
{
	struct api_doc doc API_DOC_AUTO = { 0 };
	struct policy_credential c;
	struct policy p;
	struct err e = { "" };

	if (blob->len && (!policy_open(&p, buf_view(blob), &e) || !policy_credential_at(&p, 0, &c)))
		return;
	if (api_try("GET", "/v1/secrets", NULL, &doc, &e) != CLI_DONE || !doc.nodes)
		return;
	if (!blob->len)
		say_missing_of_channel(&doc, channel);
	for (uint32_t i = 0; blob->len && policy_credential_at(&p, i, &c); i++)
		say_unless_stored(&doc, c.id);
}

/* "policy": {"file": ..., "text": ...} or {"channel": ...}, or its members alone when `key` is NULL. A file's is compiled into `blob`. */
static int put_policy(struct json_out *j, const char *key, const char *path, struct buf *blob)
{
	struct policy_problems problems POLICY_PROBLEMS_AUTO = { .v = NULL };
	struct buf text BUF_AUTO = { 0 };
	struct err e = { "" };
	int channel = is_channel(path);
	bool ok;
	int r;

	if (channel > 0)
		put_channel(j, key, path);
	if (channel)
		return channel > 0 ? CLI_DONE : CLI_USAGE;
	r = policy_file_read(path, &text, &e);
	if (r != CLI_DONE)
		return say_fail((enum cli_exit)r, "policy: %s", e.text);
	buf_init(blob, POLICY_BLOB_MAX);
	ok = policy_file_compile(buf_view(&text), false, blob, &problems);
	policy_file_print(path, &problems);
	if (!ok)
		return say_fail(CLI_FAILED, "policy %s: refused; nothing was changed", path);
	if (key) {
		json_out_key(j, key);
		json_out_object(j);
	}
	json_out_key_str(j, "file", path);
	json_out_key_bytes(j, "text", buf_view(&text));
	if (key)
		json_out_object_end(j);
	return CLI_DONE;
}

enum { C_POLICY, C_IMAGE, C_CPUS, C_MEMORY, C_DISK, C_ACCEL, C_PROXY, C_KERNEL_ARGS, C_DRIVER, C_NO_START, C_NO_WAIT, C_JSON };
static const struct cli_option create_options[] = {
	[C_POLICY] = { "policy", "FILE|CHANNEL", "what it may reach; required", CLI_POLICY },
	[C_IMAGE] = { "image", "NAME", "image or digest (default debian)", CLI_IMAGE },
	[C_CPUS] = { "cpus", "N", "virtual CPUs (default 2)", CLI_TEXT },
	[C_MEMORY] = { "memory", "SIZE", "memory (default 2GiB)", CLI_TEXT },
	[C_DISK] = { "disk", "SIZE", "most that system and home may each grow to (default 10GiB)", CLI_TEXT },
	[C_ACCEL] = { "accel", "auto|kvm|tcg", "KVM, emulation, or what is there (default auto)", CLI_CHOICE },
	[C_PROXY] = { "upstream-proxy", "HOST:PORT", "CONNECT proxy that the gateway uses", CLI_TEXT },
	[C_KERNEL_ARGS] = { "kernel-args", "TEXT", "appended to the kernel's command line", CLI_TEXT },
	[C_DRIVER] = { "driver", "machine|try", "try: no machine, no isolation; only with `saw up --lab`", CLI_CHOICE },
	[C_NO_START] = { "no-start", NULL, "only create it", CLI_TEXT },
	[C_NO_WAIT] = { "no-wait", NULL, "do not wait until it runs", CLI_TEXT },
	[C_JSON] = { "json", NULL, "print the workspace as JSON", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};

/* Sizes and counts are read here for a good message; the control plane reads them again. */
static int check_numbers(const struct cli_args *a)
{
	static const int sizes[] = { C_MEMORY, C_DISK };
	uint64_t v;

	if (a->value[C_CPUS] && (!num_u64(bytes_str(a->value[C_CPUS]), 256, &v) || v == 0))
		return say_fail(CLI_USAGE, "create: --cpus %s: give a number from 1 to 256", a->value[C_CPUS]);
	for (size_t i = 0; i < 2; i++) {
		const char *text = a->value[sizes[i]];

		if (text && !num_size(bytes_str(text), UINT64_MAX, &v))
			return say_fail(CLI_USAGE, "create: --%s %s: give a whole number and KiB, MiB, GiB or TiB, such as 2GiB",
					create_options[sizes[i]].name, text);
	}
	return CLI_DONE;
}

static int create_body(const struct cli_args *a, struct buf *body, struct buf *blob)
{
	static const struct {
		int option;
		const char *key;
	} texts[] = { { C_IMAGE, "image" },	     { C_MEMORY, "memory" },	       { C_DISK, "disk" },    { C_ACCEL, "accel" },
		      { C_PROXY, "upstream_proxy" }, { C_KERNEL_ARGS, "kernel_args" }, { C_DRIVER, "driver" } };
	struct json_out j;
	uint64_t cpus;
	int r;

	json_out_init(&j, body);
	json_out_object(&j);
	json_out_key_str(&j, "name", a->word[0]);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (a->value[texts[i].option])
			json_out_key_str(&j, texts[i].key, a->value[texts[i].option]);
	if (a->value[C_CPUS] && num_u64(bytes_str(a->value[C_CPUS]), 256, &cpus))
		json_out_key_u64(&j, "cpus", cpus);
	if (a->value[C_NO_START])
		json_out_key_bool(&j, "start", false);
	r = put_policy(&j, "policy", a->value[C_POLICY], blob);
	if (r == CLI_DONE)
		json_out_object_end(&j);
	return r;
}

static void say_emulated(const char *name)
{
	fprintf(stderr, "%s%s: EMULATED (no KVM on this host): slow, for trying out%s\n", say_colour(stderr, SAY_YELLOW), name,
		say_colour(stderr, SAY_PLAIN));
}

static int wait_and_show(const struct cli_args *a, const char *id, struct api_doc *doc)
{
	struct watch w WATCH_AUTO;
	char target[128];
	int r = watch_begin(&w, id, true);

	if (r == CLI_DONE) {
		r = watch_until(&w, WATCH_RUNNING);
		if (strcmp(w.accel, "tcg") == 0)
			say_emulated(a->word[0]);
	}
	if (r != CLI_DONE)
		return r;
	snprintf(target, sizeof(target), "/v1/workspaces/%s", id);
	return api_call("GET", target, NULL, doc);
}

static int create_run(const struct cli_args *a)
{
	struct buf body BUF_AUTO = { 0 };
	struct buf text BUF_AUTO = { 0 };
	struct buf blob BUF_AUTO = { 0 };
	struct api_doc doc API_DOC_AUTO = { 0 };
	char id[API_NAME_MAX + 1];
	int r;

	if (!api_name_ok(a->word[0]))
		return say_fail(CLI_USAGE, "create: `%s` is no name: use a-z, 0-9 and inner hyphens, at most 40", a->word[0]);
	if (!a->value[C_POLICY])
		return say_fail(CLI_USAGE, "create: --policy FILE or --policy CHANNEL is required: it says what the workspace may reach");
	buf_init(&body, BODY_MAX);
	r = check_numbers(a);
	if (r == CLI_DONE)
		r = create_body(a, &body, &blob);
	if (r == CLI_DONE)
		r = api_call("POST", "/v1/workspaces", &body, &doc);
	if (r != CLI_DONE)
		return r;
	snprintf(id, sizeof(id), "%s", api_text(&doc, "id", &text));
	if (!api_name_ok(id))
		return say_fail(CLI_FAILED, "create: the control plane's answer has no id");
	say_missing(&blob, a->value[C_POLICY]);
	if (!a->value[C_NO_WAIT] && !a->value[C_NO_START])
		r = wait_and_show(a, id, &doc);
	if (r != CLI_DONE)
		return r;
	if (a->value[C_JSON]) {
		buf_byte(&doc.text, '\n');
		return say_out(&doc.text);
	}
	printf("%s: %s\n", a->word[0], api_text(&doc, "state", &text));
	return CLI_DONE;
}

const struct cli_verb cli_create_verb = {
	.name = "create",
	.args = "NAME --policy FILE|CHANNEL [OPTIONS]",
	.help = "create a workspace and start it",
	.more = "Waits until it runs. The policy is checked first; a faulty one changes nothing. Sizes: 512MiB, 2GiB, 1TiB.",
	.options = create_options,
	.words_min = 1,
	.words_max = 1,
	.run = create_run,
};

static int set_policy_run(const struct cli_args *a)
{
	struct buf body BUF_AUTO = { 0 };
	struct buf text BUF_AUTO = { 0 };
	struct buf blob BUF_AUTO = { 0 };
	struct api_doc doc API_DOC_AUTO = { 0 };
	const struct json_node *policy;
	struct json_out j;
	char target[128];
	int r;

	if (!api_name_ok(a->word[0]))
		return say_fail(CLI_USAGE, "set-policy: `%s` is no name of a workspace", a->word[0]);
	buf_init(&body, BODY_MAX);
	json_out_init(&j, &body);
	json_out_object(&j);
	r = put_policy(&j, NULL, a->word[1], &blob);
	if (r != CLI_DONE)
		return r;
	json_out_object_end(&j);
	snprintf(target, sizeof(target), "/v1/workspaces/%s/policy", a->word[0]);
	r = api_call("PUT", target, &body, &doc);
	if (r != CLI_DONE)
		return r;
	say_missing(&blob, a->word[1]);
	if (a->value[0]) {
		buf_byte(&doc.text, '\n');
		return say_out(&doc.text);
	}
	policy = doc.nodes ? json_get(doc.nodes, doc.nodes, "policy") : NULL;
	printf("%s: policy %s, generation %llu\n", a->word[0], api_member(&doc, policy, "name", &text),
	       (unsigned long long)api_number(&doc, policy, "generation"));
	return CLI_DONE;
}

static const struct cli_option json_option[] = {
	{ "json", NULL, "print the workspace as JSON", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};

const struct cli_verb cli_set_policy_verb = {
	.name = "set-policy",
	.args = "NAME FILE|CHANNEL",
	.help = "give a workspace another policy; a running one gets it live",
	.more = "Connections that the new policy still allows go on. A faulty file changes nothing. On a channel it follows what Security pushes.",
	.options = json_option,
	.words = CLI_WORKSPACE,
	.places = (const struct cli_place[]){ { 2, NULL, CLI_POLICY, NULL }, { 0, NULL, CLI_TEXT, NULL } },
	.words_min = 2,
	.words_max = 2,
	.run = set_policy_run,
};
