#include "sawd/keeper/safe.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/tap.h"
#include "crypt/secure_heap.h"
#include "wire/credential.h"

enum { HEAP = 256 * 1024 };

static char folder[] = "/tmp/saw-safe-XXXXXX";

static struct safe *open_safe(void)
{
	static bool made;
	struct safe *s = NULL;
	struct err e = { 0 };

	if (!made)
		(void)secure_heap_init_sized(HEAP, &made);
	CHECK(mkdtemp(folder) != NULL);
	CHECK_INT(safe_open(&s, folder, "", &e), 0);
	return s;
}

/* What safe_put() is given it seals: that a value is one is asked before (change.c), and again when it is loaded. */
static void put(struct safe *s, struct bytes v)
{
	const struct safe_info info = { .version = 1, .created_ms = 1, .set_ms = 1 };
	struct secret *value = secret_new(v);
	struct err e = { 0 };

	CHECK_INT(safe_put(s, bytes_str("ann"), bytes_str("github"), &info, value, &e), 0);
	secret_free(value);
}

static void keep_fault(void *ctx, struct bytes id, const struct safe_info *info, const char *fault)
{
	CHECK(bytes_is(id, "github"));
	CHECK_INT(info->version, 0);
	(void)snprintf(ctx, SAFE_FAULT_MAX, "%s", fault);
}

static void refused(struct safe *s, struct bytes v, const char *why)
{
	char fault[SAFE_FAULT_MAX] = "";
	struct secret *value = NULL;
	struct safe_info info = { 0 };
	char sentence[128];
	struct err e = { 0 };

	put(s, v);
	(void)snprintf(sentence, sizeof(sentence), "secrets/ann/github: the value %s: set it again", why);
	CHECK(safe_get(s, bytes_str("ann"), bytes_str("github"), &info, &value, &e) < 0);
	CHECK_STR(e.text, sentence);
	CHECK(!value && info.version == 0);
	secret_free(value);
	CHECK_INT(safe_list(s, bytes_str("ann"), keep_fault, fault, &e), 1);
	CHECK_STR(fault, sentence);
}

static void remove_all(void)
{
	static const char *const names[] = { "secrets/ann/github", "secrets/ann", "secrets", "seal.key" };
	char path[sizeof(folder) + 32];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		CHECK_INT(remove(path), 0);
	}
	CHECK_INT(rmdir(folder), 0);
}

/* H8 */
TEST(a_rightly_sealed_value_that_no_field_carries_is_refused_when_it_is_loaded)
{
	struct safe *s = open_safe();
	struct secret *value = NULL;
	struct safe_info info = { 0 };
	struct err e = { 0 };

	refused(s, bytes_str("a\r\nX-More: b"), credential_fault_text(CREDENTIAL_LINE_END));
	refused(s, bytes_str("a\nb"), credential_fault_text(CREDENTIAL_LINE_END));
	refused(s, bytes_str("a\rb"), credential_fault_text(CREDENTIAL_LINE_END));
	refused(s, bytes_of((const uint8_t *)"a\0b", 3), credential_fault_text(CREDENTIAL_BYTE));
	refused(s, bytes_str("a\tb"), credential_fault_text(CREDENTIAL_BYTE));
	refused(s, bytes_str("a\x7f"), credential_fault_text(CREDENTIAL_BYTE));
	refused(s, bytes_str("caf\xc3\xa9"), credential_fault_text(CREDENTIAL_BYTE));
	refused(s, bytes_str("a "), credential_fault_text(CREDENTIAL_BLANK));
	refused(s, bytes_str(""), credential_fault_text(CREDENTIAL_EMPTY));
	put(s, bytes_str("good value"));
	CHECK_INT(safe_get(s, bytes_str("ann"), bytes_str("github"), &info, &value, &e), 1);
	CHECK(value && secret_eq(value, bytes_str("good value")));
	CHECK_INT(info.version, 1);
	secret_free(value);
	safe_free(s);
	remove_all();
}
