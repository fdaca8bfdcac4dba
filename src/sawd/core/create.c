/* Calls that bring a policy along: create a workspace, and replace the policy of one. Everything that can be refused is refused before
 * the event is written; the event is on disk before the record; the record exists before anything on disk that belongs to it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "base/num.h"
#include "crypt/random.h"
#include "ipc/spec.h"
#include "ipc/types.h"
#include "os/disk.h"
#include "os/fd.h"
#include "sawd/core/api.h"
#include "sawd/core/ws.h"
#include "store/images.h"

#define MIB (1024ULL * 1024)
#define GIB (1024 * MIB)

enum { CPUS_MAX = 256, UID_BLOCK = 8 };

/* One such call on its way. */
struct call {
	struct core *core;
	uint64_t req;
	bool create;
	char id[SAWD_ID_LEN + 1]; /* of an existing workspace */
	char file[SAWD_FILE_NAME_MAX + 1];
	char channel[SAWD_CHANNEL_MAX + 1]; /* or a file */
	struct workspace row; /* of a new one */
};

static void set_text(char *to, size_t size, struct bytes text)
{
	(void)snprintf(to, size, "%.*s", (int)text.len, (const char *)text.p);
}

static void invalid(struct core *c, uint64_t req, const char *field, const char *detail, const char *remedy)
{
	api_problem(c, req, &(struct sawd_problem){ .status = 422, .exit_code = 2, .code = "invalid", .detail = detail, .field = field,
						    .remedy = remedy });
}

/* "host:port", where host is letters, digits, dots and hyphens. dialer parses it again. */
static bool proxy_ok(struct bytes p)
{
	size_t colon = bytes_find(p, ':');
	uint64_t port;

	if (p.len == 0)
		return true;
	for (size_t i = 0; i < colon; i++)
		if (!((p.p[i] >= 'a' && p.p[i] <= 'z') || (p.p[i] >= '0' && p.p[i] <= '9') || p.p[i] == '.' || p.p[i] == '-'))
			return false;
	return colon > 0 && colon < p.len && num_u64(bytes_skip(p, colon + 1), UINT16_MAX, &port) && port > 0;
}

static bool printable(struct bytes t)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.p[i] < 0x20 || t.p[i] > 0x7e)
			return false;
	return true;
}

/* The first field that is wrong is answered. */
static bool check_new(struct core *c, uint64_t req, const struct sawd_new *n)
{
	if (!sawd_name_ok(n->name))
		invalid(c, req, "name", "the name is not a DNS label", "use 1 to 40 of a-z, 0-9 and inner hyphens");
	else if (n->cpus < 1 || n->cpus > CPUS_MAX)
		invalid(c, req, "cpus", "the number of CPUs is out of range", "use 1 to 256");
	else if (n->memory_bytes < 256 * MIB || n->memory_bytes > 1024 * GIB)
		invalid(c, req, "memory", "the memory size is out of range", "use 256MiB to 1TiB");
	else if (n->disk_bytes < GIB || n->disk_bytes > DISK_BYTES_MAX)
		invalid(c, req, "disk", "the disk size is out of range", "use 1GiB to 16TiB");
	else if (!proxy_ok(n->upstream_proxy))
		invalid(c, req, "upstream_proxy", "the upstream proxy is not host:port", "write it as proxy.corp.example:3128, with a port from 1 to 65535");
	else if (!printable(n->kernel_args))
		invalid(c, req, "kernel_args", "the kernel arguments hold a byte that is not printable", "use printable ASCII");
	else if (n->driver == SPEC_DRIVER_TRY && !c->lab)
		invalid(c, req, "driver", "driver try isolates nothing and is for tests", "start sawd with --lab, or leave `driver` out");
	else
		return true;
	return false;
}

/* A machine larger than the host would be ended by the host's kernel sooner or later. */
static bool fits_host(struct core *c, uint64_t req, const struct sawd_new *n)
{
	struct sysinfo host;
	char text[128];
	char remedy[64];
	uint64_t has;

	if (n->driver == SPEC_DRIVER_TRY || sysinfo(&host) < 0)
		return true;
	has = (uint64_t)host.totalram * host.mem_unit;
	if (n->memory_bytes <= has)
		return true;
	(void)snprintf(text, sizeof(text), "%llu MiB of memory are more than this host has (%llu MiB)",
		       (unsigned long long)(n->memory_bytes / MIB), (unsigned long long)(has / MIB));
	(void)snprintf(remedy, sizeof(remedy), "use at most %lluMiB, and leave the host some", (unsigned long long)(has / MIB));
	invalid(c, req, "memory", text, remedy);
	return false;
}

static bool name_is_free(struct core *c, uint64_t req, struct bytes name)
{
	struct workspace row;
	struct err e = { 0 };
	char text[128];
	int r = workspaces_by_name(c->db, c->owner, name, &row, &e);

	if (r == 0)
		return true;
	(void)snprintf(text, sizeof(text), "there is a workspace %.*s already", (int)name.len, (const char *)name.p);
	if (r < 0)
		api_error(c, req, r, &e);
	else
		api_problem(c, req, &(struct sawd_problem){ .status = 409, .exit_code = 1, .code = "exists", .detail = text,
							    .field = "name", .remedy = "choose another name, or `saw rm` it first" });
	return false;
}

static bool find_image(struct core *c, uint64_t req, const struct sawd_new *n, struct image *ret)
{
	char dir[PATHS_MAX];
	char what[SAWD_IMAGE_MAX + 1];
	char text[SAWD_IMAGE_MAX + 64];
	struct err e = { 0 };
	int r;

	*ret = (struct image){ .digest = "" };
	if (n->driver == SPEC_DRIVER_TRY)
		return true;
	set_text(what, sizeof(what), n->image);
	r = files_images(c, dir, &e);
	r = r < 0 ? r : images_find(dir, what, ret, &e);
	if (r == 0)
		return true;
	/* The store's sentence names a remedy of its own. */
	(void)snprintf(text, sizeof(text), r == -EEXIST ? "%s begins the digest of more than one image" : "there is no image \"%s\"", what);
	if (r == -ENOENT)
		api_problem(c, req, &(struct sawd_problem){ .status = 404, .exit_code = 4, .code = "image_not_found", .detail = text, .field = "image",
							    .remedy = "make it with `saw image build`, or take one that `saw image ls` lists" });
	else if (r == -EEXIST)
		invalid(c, req, "image", text, "give more of its digits");
	else
		api_error(c, req, r, &e);
	return false;
}

static void fill_row(struct call *k, const struct sawd_new *n, const struct image *i)
{
	struct workspace *w = &k->row;
	uint8_t r[6];

	random_bytes(r, sizeof(r));
	(void)snprintf(w->id, sizeof(w->id), "ws-%02x%02x%02x%02x%02x%02x", r[0], r[1], r[2], r[3], r[4], r[5]);
	set_text(w->name, sizeof(w->name), n->name);
	set_text(w->owner, sizeof(w->owner), bytes_str(k->core->owner));
	set_text(w->state, sizeof(w->state), bytes_str("requested"));
	set_text(w->desired, sizeof(w->desired), bytes_str(n->start ? "running" : "stopped"));
	w->since_ms = w->created_ms = clock_real_ms();
	w->driver = n->driver;
	set_text(w->image, sizeof(w->image), n->image);
	set_text(w->image_digest, sizeof(w->image_digest), bytes_str(i->digest));
	w->cpus = n->cpus;
	w->memory_bytes = n->memory_bytes;
	w->disk_bytes = n->disk_bytes;
	w->accel = n->accel;
	set_text(w->upstream_proxy, sizeof(w->upstream_proxy), n->upstream_proxy);
	set_text(w->kernel_args, sizeof(w->kernel_args), n->kernel_args);
	w->generation = 1;
	w->pending = WORKSPACE_PROVISION;
}

/* `rollback`: of the channel. One who chooses another policy may come to a lower serial than before: that is meant, and said; before is also what
 * was loaded last, and stands until the next start. */
static void use_release(struct workspace *w, const struct release *r, const char *file, const char *channel, uint64_t rollback)
{
	w->rollback = r->serial < w->serial || r->serial < w->loaded_serial ? r->serial : rollback;
	w->serial = r->serial;
	w->policy_lab = r->policy_lab;
	set_text(w->policy_observes, sizeof(w->policy_observes), bytes_str(r->policy_observes));
	set_text(w->policy_file, sizeof(w->policy_file), bytes_str(file));
	set_text(w->policy_name, sizeof(w->policy_name), bytes_str(r->policy_name));
	set_text(w->policy_sha256, sizeof(w->policy_sha256), bytes_str(r->policy_sha256));
	set_text(w->release, sizeof(w->release), bytes_str(r->id));
	set_text(w->channel, sizeof(w->channel), bytes_str(channel));
}

static void finish_create(struct call *k)
{
	struct core *c = k->core;
	struct workspace *row = &k->row;
	struct err e = { 0 };
	struct ws *w;
	int r = 0;

	if (!name_is_free(c, k->req, bytes_str(row->name)))
		return;
	/* The command of driver try keeps our own uid: it is no isolation anyway. */
	if (c->uid == 0 && row->driver != SPEC_DRIVER_TRY)
		r = workspaces_free_uid(c->db, SAWD_ROLE_UIDS + UID_BLOCK, UID_BLOCK, &row->uid_base, &e);
	r = r < 0 ? r : journal_call(c, "workspaces.create", row->id, row->name, row->policy_name, &e);
	if (r == 0) {
		r = workspaces_insert(c->db, row, &e);
		if (r < 0)
			journal_failed(c, REASON_CHANGE_FAILED, "workspaces.create", row->id, e.text);
	}
	if (r < 0) {
		api_error(c, k->req, r, &e);
		return;
	}
	api_row(c, k->req, row);
	api_row(c, 0, row);
	w = ws_new(c, row);
	if (w)
		ws_kick(w);
}

struct policy_wait {
	struct core *core;
	uint64_t req;
	char id[SAWD_ID_LEN + 1];
};

static void on_policy_taken(void *owner, bool ok, const char *why)
{
	struct policy_wait *p = owner;
	struct core *c = p->core;
	struct workspace row;
	struct err e = { 0 };
	char text[SAWD_DETAIL_MAX];

	(void)snprintf(text, sizeof(text), "stored, but the gateway keeps the last good policy: %.800s", why);
	if (!ok)
		api_problem(c, p->req, &(struct sawd_problem){ .status = 409, .exit_code = 1, .code = "conflict", .detail = text,
							       .remedy = "see `saw audit`; the next start tries it again" });
	else if (workspaces_by_id(c->db, bytes_str(p->id), &row, &e) == 1)
		api_row(c, p->req, &row);
	else
		api_error(c, p->req, -ENOENT, &e);
	free(p);
}

static void hand_over(struct call *k, struct ws *w)
{
	struct core *c = k->core;
	struct policy_wait *p = w->control && w->loaded_generation ? calloc(1, sizeof(*p)) : NULL;

	if (!p) {
		api_row(c, k->req, &w->row);
		ws_kick(w);
		return;
	}
	*p = (struct policy_wait){ .core = c, .req = k->req };
	memcpy(p->id, w->row.id, sizeof(p->id));
	control_policy(w, on_policy_taken, p);
}

static void finish_policy(struct call *k, const struct release *release, uint64_t rollback)
{
	struct core *c = k->core;
	struct ws *w = NULL;
	struct workspace before;
	char text[SAWD_CHANNEL_MAX + 256];
	struct err e = { 0 };
	int r = ws_wake(c, bytes_str(k->id), &w, &e);

	if (r == 0)
		api_not_found(c, k->req, bytes_str(k->id));
	if (r < 0)
		api_error(c, k->req, r, &e);
	if (r != 1)
		return;
	before = w->row;
	use_release(&w->row, release, k->file, k->channel, rollback);
	w->row.generation++;
	(void)snprintf(text, sizeof(text), "%s%sserial %llu after %llu, release %s", k->channel, *k->channel ? ", " : "",
		       (unsigned long long)w->row.serial, (unsigned long long)before.serial, w->row.release);
	r = journal_call(c, "workspaces.policy", w->row.id, w->row.name, text, &e);
	if (r == 0) {
		r = ws_save(w, &e);
		if (r < 0)
			journal_failed(c, REASON_CHANGE_FAILED, "workspaces.policy", w->row.id, e.text);
	}
	if (r < 0) {
		w->row = before;
		api_error(c, k->req, r, &e);
		ws_kick(w);
		return;
	}
	hand_over(k, w);
}

static void finish(struct call *k, const struct release *r, uint64_t rollback)
{
	if (k->create) {
		use_release(&k->row, r, k->file, k->channel, rollback);
		finish_create(k);
	} else {
		finish_policy(k, r, rollback);
	}
}

static void on_signed(void *owner, const struct release *r)
{
	struct call *k = owner;

	if (r)
		finish(k, r, 0);
	free(k);
}

static void no_channel(struct call *k)
{
	char text[SAWD_CHANNEL_MAX + 64];

	(void)snprintf(text, sizeof(text), "there is no channel %s", k->channel);
	api_problem(k->core, k->req, &(struct sawd_problem){ .status = 404, .exit_code = 4, .code = "channel_not_found", .detail = text,
							     .field = "policy.channel", .remedy = "`saw policy channel ls` lists those there are" });
}

static void from_channel(struct call *k)
{
	struct core *c = k->core;
	struct channel ch = { .name = "" };
	struct release release;
	struct err e = { 0 };
	int r = channels_get(c->db, bytes_str(k->channel), &ch, &e);

	if (r == 0) {
		no_channel(k);
		return;
	}
	r = r < 0 ? r : releases_find(c->db, bytes_str(ch.release), &release, &e);
	if (r == 1)
		finish(k, &release, ch.rollback);
	else
		api_error(c, k->req, r < 0 ? r : err_set(&e, ENOENT, "the channel's release is gone: restore sawd.db from a backup"), &e);
}

/* Takes `text_fd`; -1: by its channel. */
static void begin(struct call *k, int text_fd, uint64_t serial_above)
{
	const struct sign_order o = { .file = k->file, .text_fd = text_fd, .serial_above = serial_above,
				      .remedy = k->create ? "correct it; nothing was created" :
							    "correct it; the last good policy stays in force" };

	if (!*k->channel) {
		sign_policy(k->core, k->req, &o, on_signed, k);
		return;
	}
	from_channel(k);
	free(k);
}

static struct call *call_new(struct core *c, uint64_t req, struct bytes file, struct bytes channel)
{
	struct call *k = calloc(1, sizeof(*k));

	if (!k) {
		api_error(c, req, -ENOMEM, &(struct err){ "out of memory for a call" });
		return NULL;
	}
	k->core = c;
	k->req = req;
	set_text(k->channel, sizeof(k->channel), channel);
	if (!channel.len)
		set_text(k->file, sizeof(k->file), file.len ? file : bytes_str("policy.yaml"));
	return k;
}

bool create_on_create(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	uint64_t req = msg_get_u64(in);
	FD_AUTO int fd = -1;
	struct sawd_new n;
	struct image image;
	struct call *k;

	if (!sawd_new_get(in, &n))
		return false;
	if (!n.policy_channel.len)
		fd = msg_take_fd(in);
	if (!msg_end(in))
		return false;
	if (!api_may_change(c, req) || !check_new(c, req, &n) || !fits_host(c, req, &n) || !name_is_free(c, req, n.name) || !find_image(c, req, &n, &image))
		return true;
	k = call_new(c, req, n.policy_file, n.policy_channel);
	if (!k)
		return true;
	k->create = true;
	fill_row(k, &n, &image);
	begin(k, fd_take(&fd), 0);
	return true;
}

bool create_on_policy(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	uint64_t req = msg_get_u64(in);
	struct bytes name = msg_get_bytes(in, SAWD_NAME_MAX);
	struct bytes file = msg_get_bytes(in, SAWD_FILE_NAME_MAX);
	struct bytes channel = msg_get_bytes(in, SAWD_CHANNEL_MAX);
	FD_AUTO int fd = channel.len ? -1 : msg_take_fd(in);
	struct workspace row;
	struct call *k;

	if (!msg_end(in))
		return false;
	if (!api_may_change(c, req) || !api_record(c, req, name, &row))
		return true;
	if (strcmp(row.desired, "deleted") == 0) {
		api_being_deleted(c, req);
		return true;
	}
	k = call_new(c, req, file, channel);
	if (!k)
		return true;
	memcpy(k->id, row.id, sizeof(k->id));
	begin(k, fd_take(&fd), row.serial);
	return true;
}
