/* `saw policy key`: whose signature this machine takes. The files are changed here, by their owner: no process of the control plane may. But
 * the control plane writes the event, first. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/api.h"
#include "cli/policy.h"
#include "cli/policy_crypto.h"
#include "cli/policy_file.h"
#include "cli/public_key.h"
#include "cli/say.h"
#include "ipc/trust.h"
#include "os/fd.h"
#include "os/paths.h"
#include "wire/key_file.h"
#include "wire/ssh_key.h"

enum { KEY_NAME, KEY_JSON };
enum { OUT_MAX = 256 * 1024, BODY_MAX = 4096 };

struct listing {
	struct buf out;
	struct json_out json;
	bool is_json;
	size_t n;
	char name[TRUST_NAME_MAX + 1]; /* only this one; "" all */
	char fingerprint[BUNDLE_FINGERPRINT_MAX];
	uint8_t key[BUNDLE_KEY];
	bool found;
};

/* Another name under which a key is trusted. */
struct twin {
	const char *name;
	const char *fingerprint;
	char ret[TRUST_NAME_MAX + 1]; /* "": none */
};

static int folder_path(char ret[PATHS_MAX])
{
	char state[PATHS_MAX];
	struct err e = { 0 };
	int r = paths_state(state, &e);

	r = r < 0 ? r : paths_join(ret, state, TRUST_FOLDER, &e);
	return r < 0 ? say_fail(CLI_FAILED, "%s", e.text) : CLI_DONE;
}

static bool on_key(void *ctx, const char *name, const uint8_t *key, const char *why)
{
	struct listing *l = ctx;
	char fingerprint[BUNDLE_FINGERPRINT_MAX] = "";

	if (key)
		bundle_fingerprint(key, &policy_crypto, fingerprint);
	l->n++;
	if (*l->name) {
		if (strcmp(l->name, name) == 0) {
			l->found = true;
			if (key)
				memcpy(l->key, key, BUNDLE_KEY);
			memcpy(l->fingerprint, fingerprint, sizeof(fingerprint));
		}
	} else if (l->is_json) {
		json_out_object(&l->json);
		json_out_key_str(&l->json, "name", name);
		json_out_key_str(&l->json, "fingerprint", fingerprint);
		json_out_key_str(&l->json, "fault", why ? why : "");
		json_out_object_end(&l->json);
	} else {
		buf_fmt(&l->out, "%-24s %s%s\n", name, fingerprint, why ? why : "");
	}
	return true;
}

static bool on_twin(void *ctx, const char *name, const uint8_t *key, const char *why)
{
	struct twin *t = ctx;
	char fingerprint[BUNDLE_FINGERPRINT_MAX];

	(void)why;
	if (!key || strcmp(name, t->name) == 0)
		return true;
	bundle_fingerprint(key, &policy_crypto, fingerprint);
	if (strcmp(fingerprint, t->fingerprint) == 0)
		(void)snprintf(t->ret, sizeof(t->ret), "%s", name);
	return true;
}

static int find_twin(const char *folder, struct twin *t)
{
	struct err e = { 0 };

	return trust_each(folder, on_twin, t, &e) < 0 ? say_fail(CLI_FAILED, "%s", e.text) : CLI_DONE;
}

static int list(const char *folder, bool json)
{
	struct listing l = { .is_json = json };
	struct err e = { 0 };
	int r;

	buf_init(&l.out, OUT_MAX);
	json_out_init(&l.json, &l.out);
	if (json) {
		json_out_object(&l.json);
		json_out_key(&l.json, "keys");
		json_out_array(&l.json);
	}
	r = trust_each(folder, on_key, &l, &e);
	if (json) {
		json_out_array_end(&l.json);
		json_out_object_end(&l.json);
		buf_byte(&l.out, '\n');
	} else if (r == 0 && l.n == 0) {
		buf_str(&l.out, "no key is trusted: the first `saw up` makes a local one, `saw policy key add FILE` adds Security's\n");
	}
	r = r < 0 ? say_fail(CLI_FAILED, "%s", e.text) : say_out(&l.out);
	buf_deinit(&l.out);
	return r;
}

/* The event first; without it nothing is changed. */
static int announce(const char *change, const char *name, const char *fingerprint)
{
	struct api_doc doc API_DOC_AUTO = { 0 };
	struct buf body BUF_AUTO = { 0 };
	struct json_out j;

	buf_init(&body, BODY_MAX);
	json_out_init(&j, &body);
	json_out_object(&j);
	json_out_key_str(&j, "change", change);
	json_out_key_str(&j, "name", name);
	json_out_key_str(&j, "fingerprint", fingerprint);
	json_out_object_end(&j);
	return api_call("POST", "/v1/keys", &body, &doc);
}

static int said(bool json, const char *name, const char *fingerprint, bool trusted)
{
	struct buf out BUF_AUTO = { 0 };
	struct json_out j;

	buf_init(&out, BODY_MAX);
	if (json) {
		json_out_init(&j, &out);
		json_out_object(&j);
		json_out_key_str(&j, "name", name);
		json_out_key_str(&j, "fingerprint", fingerprint);
		json_out_key_bool(&j, "trusted", trusted);
		json_out_object_end(&j);
		(void)buf_byte(&out, '\n');
	} else if (trusted) {
		(void)buf_fmt(&out, "%s: trusted, %s\n", name, fingerprint);
	} else {
		(void)buf_fmt(&out, "%s: not trusted any more; policies in force stay, and are refused at their next load\n", name);
	}
	return say_out(&out);
}

/* "/keys/corp-2026.pub" -> "corp-2026" */
static bool name_of(const char *path, char ret[TRUST_NAME_MAX + 1])
{
	const char *slash = strrchr(path, '/');
	struct bytes name = bytes_str(slash ? slash + 1 : path);

	if (bytes_ends(name, bytes_str(".pub")) || bytes_ends(name, bytes_str(".pem")))
		name.len -= 4;
	if (!trust_name_ok(name))
		return false;
	(void)snprintf(ret, TRUST_NAME_MAX + 1, "%.*s", (int)name.len, (const char *)name.p);
	return true;
}

static int file_path(const char *folder, const char *name, char ret[PATHS_MAX])
{
	int n = snprintf(ret, PATHS_MAX, "%s/%s.pub", folder, name);

	return n > 0 && n < PATHS_MAX ? CLI_DONE : say_fail(CLI_FAILED, "the state folder's path is too long");
}

static int trusted_already(const char *name)
{
	return say_fail(CLI_FAILED, "a key %s is trusted already: choose another --name, or remove it first", name);
}

/* Whole or not at all, and never in the place of another one that came meanwhile. */
static int put_key(const char *path, const char *name, struct bytes line)
{
	char beside[PATHS_MAX + 32];
	struct err e = { 0 };
	int r;

	(void)snprintf(beside, sizeof(beside), "%s.%ld", path, (long)getpid());
	if (policy_file_write(beside, line, &e) < 0)
		return say_fail(CLI_FAILED, "%s", e.text);
	r = link(beside, path) < 0 ? errno : 0;
	(void)unlink(beside);
	if (r == EEXIST)
		return trusted_already(name);
	return r ? say_fail(CLI_FAILED, "write %s: %s", path, strerror(r)) : CLI_DONE;
}

static int add(const char *folder, const char *from, const char *given, bool json)
{
	char name[TRUST_NAME_MAX + 1];
	char path[PATHS_MAX];
	char fingerprint[BUNDLE_FINGERPRINT_MAX];
	struct twin twin = { .name = name, .fingerprint = fingerprint };
	uint8_t key[BUNDLE_KEY];
	struct buf line BUF_AUTO = { 0 };
	int r;

	if (!name_of(given ? given : from, name))
		return say_fail(CLI_USAGE, "policy key add: `%s` makes no name of a key: add `--name NAME` of a-z, 0-9, '-', '_' and '.'",
				given ? given : from);
	r = cli_public_key(from, key);
	r = r ? r : file_path(folder, name, path);
	if (r == CLI_DONE && access(path, F_OK) == 0)
		return trusted_already(name);
	if (r != CLI_DONE)
		return r;
	bundle_fingerprint(key, &policy_crypto, fingerprint);
	r = find_twin(folder, &twin);
	/* under two names, removing one would take nothing away */
	if (r == CLI_DONE && *twin.ret)
		return say_fail(CLI_FAILED, "this key is trusted already, as %s", twin.ret);
	r = r ? r : announce("add", name, fingerprint);
	if (r != CLI_DONE)
		return r;
	buf_init(&line, SSH_KEY_LINE_MAX);
	if (!ssh_key_put_line(&line, key, name) || !buf_byte(&line, '\n'))
		return say_fail(CLI_FAILED, "out of memory");
	r = put_key(path, name, buf_view(&line));
	if (r != CLI_DONE)
		return r;
	return said(json, name, fingerprint, true);
}

/* Nobody but keeper has it, and keeper brings it back no more. */
static void say_local(const uint8_t key[BUNDLE_KEY])
{
	struct buf line BUF_AUTO = { 0 };

	buf_init(&line, SSH_KEY_LINE_MAX);
	if (ssh_key_put_line(&line, key, TRUST_LOCAL))
		say_warn("policy files are refused from now on, policies of channels are not; to take it back, `saw policy key add FILE --name " TRUST_LOCAL
			 "` with this line in FILE: %s", buf_cstr(&line));
}

static int rm(const char *folder, const char *name, bool json)
{
	struct listing l = { .n = 0 };
	struct twin twin = { .name = name, .fingerprint = l.fingerprint };
	char path[PATHS_MAX];
	struct err e = { 0 };
	int r;

	if (!trust_name_ok(bytes_str(name)))
		return say_fail(CLI_USAGE, "policy key rm: `%s` is no name of a key; `saw policy key ls` lists them", name);
	(void)snprintf(l.name, sizeof(l.name), "%s", name);
	if (trust_each(folder, on_key, &l, &e) < 0)
		return say_fail(CLI_FAILED, "%s", e.text);
	if (!l.found)
		return say_fail(CLI_NOT_FOUND, "no key %s is trusted; `saw policy key ls` lists them", name);
	r = file_path(folder, name, path);
	r = r ? r : find_twin(folder, &twin);
	r = r ? r : announce("remove", name, l.fingerprint);
	if (r != CLI_DONE)
		return r;
	if (unlink(path) < 0)
		return say_fail(CLI_FAILED, "remove %s: %s", path, strerror(errno));
	if (*twin.ret)
		say_warn("the same key is still trusted as %s: its signature counts until `saw policy key rm %s`", twin.ret, twin.ret);
	else if (strcmp(name, TRUST_LOCAL) == 0 && *l.fingerprint)
		say_local(l.key);
	return said(json, name, l.fingerprint, false);
}

static int key_run(const struct cli_args *a)
{
	const char *what = a->n_words ? a->word[0] : "ls";
	char folder[PATHS_MAX];
	int r = folder_path(folder);

	if (r != CLI_DONE)
		return r;
	if (a->value[KEY_NAME] && strcmp(what, "add") != 0)
		return say_fail(CLI_USAGE, "policy key: --name belongs to add");
	if (strcmp(what, "ls") == 0 && a->n_words < 2)
		return list(folder, a->value[KEY_JSON]);
	if (strcmp(what, "add") == 0 && a->n_words == 2)
		return add(folder, a->word[1], a->value[KEY_NAME], a->value[KEY_JSON] != NULL);
	if (strcmp(what, "rm") == 0 && a->n_words == 2)
		return rm(folder, a->word[1], a->value[KEY_JSON] != NULL);
	return say_fail(CLI_USAGE, "policy key: say ls, add FILE or rm NAME; see `saw policy key --help`");
}

const struct cli_verb policy_key_verb = {
	.name = "policy key",
	.args = "[ls | add FILE | rm NAME]",
	.help = "whose signature of a policy is taken here",
	.more = "`local` is the key that `saw up` made: it signs policies given as plain files. Without it only Security's bundles are loaded.",
	.options =
		(const struct cli_option[]){
			[KEY_NAME] = { "name", "NAME", "for add: what to call it; by itself the file's name", CLI_TEXT },
			[KEY_JSON] = { "json", NULL, "print JSON", CLI_TEXT },
			{ NULL, NULL, NULL, CLI_TEXT },
		},
	.places =
		(const struct cli_place[]){
			{ 1, NULL, CLI_CHOICE, "ls|add|rm" },
			{ 2, "add", CLI_FILE, NULL },
			{ 2, "rm", CLI_KEY, NULL },
			{ 0, NULL, CLI_TEXT, NULL },
		},
	.words_max = 2,
	.run = key_run,
};
