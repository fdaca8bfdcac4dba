/* Questions to a blob that are about names, ports and reach; and blobs that are refused. */
#include "rules/policy_hash.h"
#include "rules/policy_test_kit.h"

#define TEXT                                                                                                                    \
	"version: 1\nname: test\nlab: true\nverdicts: {read: allow}\nnetwork:\n"                                                \
	"  - {name: pinned, hosts: [pass.example, two.example], ports: [443, 8443], mode: passthrough, reason: x}\n"            \
	"  - {name: wild, hosts: ['*.wild.example'], ports: [80], mode: http, protocol: rest, access: read-only, budget: 40}\n" \
	"  - {name: deep, hosts: ['**.wild.example'], ports: [81], mode: http, protocol: rest, access: read-only}\n"            \
	"  - {name: db, hosts: [db.wild.example], ports: [5432], mode: tcp, reason: x}\n"

TEST(exact_names_win_then_the_longest_wildcard)
{
	struct kit k = kit_compile(TEXT);
	struct policy_host h;

	CHECK(policy_find_host(&k.policy, bytes_str("db.wild.example"), &h) && !h.wildcard &&
	      h.budget == 0);
	CHECK(policy_find_host(&k.policy, bytes_str("x.wild.example"), &h) && h.wildcard &&
	      h.budget == 40 && bytes_is(h.text, "*.wild.example"));
	CHECK(policy_find_host(&k.policy, bytes_str("x.y.wild.example"), &h) &&
	      h.budget == POLICY_WILDCARD_BUDGET && bytes_is(h.text, "**.wild.example"));
	CHECK(!policy_find_host(&k.policy, bytes_str("wild.example"), &h) &&
	      !policy_find_host(&k.policy, bytes_str(""), &h));
	CHECK(!policy_find_host(&k.policy, bytes_str("pass.example.evil.example"), &h));
	CHECK(!policy_find_host(&k.policy, bytes_str("evilpass.example"), &h));
	kit_free(&k);
}

TEST(name_and_port_have_one_entry)
{
	struct kit k = kit_compile(TEXT);
	struct policy_entry e;

	CHECK_INT(policy_find(&k.policy, bytes_str("two.example"), 8443, &e), REASON_OK);
	CHECK(e.mode == POLICY_PASSTHROUGH && bytes_is(e.rule, "pinned") && !e.observe);
	CHECK_INT(policy_find(&k.policy, bytes_str("two.example"), 80, &e), REASON_PORT_UNLISTED);
	CHECK_INT(policy_find(&k.policy, bytes_str("db.wild.example"), 5432, &e), REASON_OK);
	CHECK_INT(e.mode, POLICY_TCP);
	CHECK_INT(policy_find(&k.policy, bytes_str("db.wild.example"), 80, &e),
		  REASON_OK); /* the wildcard lists this port */
	CHECK(bytes_is(e.rule, "wild"));
	CHECK_INT(policy_find(&k.policy, bytes_str("nobody.example"), 443, &e),
		  REASON_NAME_UNLISTED);
	kit_free(&k);
}

TEST(ports_and_reach_are_listed)
{
	static const uint16_t want[] = { 80, 81, 443, 5432, 8443 };
	struct kit k = kit_compile(TEXT);
	uint16_t ports[POLICY_PORTS_MAX];
	struct policy_reach reach;
	uint32_t n = 0;

	CHECK_INT(policy_ports(&k.policy, ports), 5);
	CHECK(memcmp(ports, want, sizeof(want)) == 0);
	while (policy_reach_at(&k.policy, n, &reach))
		n++;
	CHECK_INT(n, 5);
	CHECK(policy_reach_at(&k.policy, 3, &reach) && bytes_is(reach.host, "pass.example") &&
	      reach.n_ports == 2 && reach.ports[1] == 8443);
	CHECK(policy_lab(&k.policy) && bytes_is(policy_label(&k.policy), "test"));
	kit_free(&k);
}

TEST(the_entries_that_only_observe_are_named_as_far_as_there_is_room)
{
	struct buf text BUF_AUTO = { .max = 65536 };
	struct buf said BUF_AUTO = { .max = POLICY_OBSERVES_MAX + 1 };
	struct kit k = kit_compile(TEXT);

	policy_observes(&k.policy, &said);
	CHECK_INT(said.len, 0);
	kit_free(&k);
	(void)buf_str(&text, "version: 1\nname: t\nverdicts: {read: allow}\nnetwork:\n");
	for (int i = 0; i < 200; i++)
		(void)buf_fmt(&text, "  - {name: entry-%03d, hosts: [h%d.example], ports: [80], mode: http, protocol: rest, access: read-only%s}\n", i, i,
			      i % 2 ? ", observe: true" : "");
	k = kit_compile(buf_cstr(&text));
	policy_observes(&k.policy, &said);
	CHECK(!said.failed && said.len <= POLICY_OBSERVES_MAX);
	CHECK(strncmp(buf_cstr(&said), "entry-001, entry-003, ", 22) == 0 && strstr(buf_cstr(&said), "entry-087, and 56 more"));
	kit_free(&k);
}

TEST(a_damaged_blob_is_refused_whole)
{
	struct kit k = kit_compile(TEXT);
	struct policy p = { 0 };
	struct err e = { 0 };
	struct blob_header *h = (struct blob_header *)(void *)k.blob.p;

	for (size_t len = 0; len < k.blob.len; len++)
		if (!CHECK(!policy_open(&p, bytes_of(k.blob.p, len), &e)))
			return;
	h->version++;
	CHECK(!policy_open(&p, buf_view(&k.blob), &e) && strstr(e.text, "version 3") &&
	      strstr(e.text, "compile"));
	h->version--;
	for (int s = 0; s < BLOB_SECTIONS; s++) {
		struct blob_section good = h->section[s];

		h->section[s].n = UINT32_MAX;
		CHECK(!policy_open(&p, buf_view(&k.blob), &e));
		h->section[s] = good;
		h->section[s].off = UINT32_MAX - 7;
		CHECK(!policy_open(&p, buf_view(&k.blob), &e));
		h->section[s] = good;
	}
	CHECK(policy_open(&p, buf_view(&k.blob), &e));
	h->magic[0] = 'X';
	CHECK(!policy_open(&p, buf_view(&k.blob), &e) && strstr(e.text, "policy compile"));
	kit_free(&k);
}

TEST(a_blob_whose_table_names_a_host_twice_is_refused)
{
	struct kit k = kit_compile(TEXT);
	struct policy p = { 0 };
	struct err e = { 0 };
	struct blob_header *h = (struct blob_header *)(void *)k.blob.p;
	uint32_t *slots = (uint32_t *)(void *)(k.blob.p + h->section[BLOB_SLOTS].off);
	uint32_t n = h->section[BLOB_SLOTS].n, empty = 0;

	CHECK(n >= 8 && policy_open(&p, buf_view(&k.blob), &e));
	for (uint32_t i = 0; i < n; i++) {
		if (slots[i] != BLOB_NONE)
			continue;
		empty++;
		slots[i] = 0;
		CHECK(!policy_open(&p, buf_view(&k.blob), &e));
		slots[i] = BLOB_NONE;
	}
	CHECK(empty >= n / 2 && policy_open(&p, buf_view(&k.blob), &e));
	kit_free(&k);
}

/* A policy of `n` hosts whose hashes agree in the bits that choose their slot. */
static void crowd(struct buf *text, uint32_t n)
{
	char name[32];

	buf_init(text, 1 << 20);
	(void)buf_str(text, "version: 1\nname: test\nverdicts: {read: allow}\nnetwork:\n"
			  "  - {name: a, ports: [80], mode: http, protocol: rest, access: read-only, hosts: [b.example");
	for (uint32_t i = 0, found = 0; found < n; i++) {
		(void)snprintf(name, sizeof(name), "h%u.example", i);
		if (blob_hash(bytes_str(name), BLOB_EXACT) % 1024 != 7)
			continue;
		(void)buf_str(text, ", ");
		(void)buf_str(text, name);
		found++;
	}
	(void)buf_str(text, "]}\n");
}

TEST(hosts_whose_names_were_chosen_to_fall_together_are_refused)
{
	BUF_AUTO struct buf few, many;
	struct kit k;

	crowd(&few, BLOB_RUN_MAX - 2);
	k = kit_compile(buf_cstr(&few));
	kit_free(&k);
	crowd(&many, BLOB_RUN_MAX + 40);
	kit_refused(buf_cstr(&many), 1, 1, "same hash");
}

TEST(every_flipped_byte_still_answers_or_is_refused)
{
	struct kit k = kit_compile(TEXT);
	struct policy p = { 0 };
	struct err e = { 0 };

	for (size_t i = 0; i < k.blob.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			struct policy_entry entry;

			k.blob.p[i] ^= (uint8_t)(1 << bit);
			if (policy_open(&p, buf_view(&k.blob), &e))
				(void)policy_find(&p, bytes_str("x.wild.example"), 80, &entry);
			k.blob.p[i] ^= (uint8_t)(1 << bit);
		}
	CHECK(policy_open(&p, buf_view(&k.blob), &e));
	kit_free(&k);
}

TEST(the_seal_covers_everything_behind_it)
{
	struct kit k = kit_compile(TEXT);
	uint8_t digest[32];

	kit_hash(policy_sealed(&k.policy), digest);
	CHECK(bytes_eq(policy_sha256(&k.policy), bytes_of(digest, 32)));
	CHECK_INT(policy_sealed(&k.policy).len, k.blob.len - BLOB_SEALED_AT);
	kit_free(&k);
}
