#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/spec.h"
#include "os/fd.h"
#include "os/log.h"
#include "sawd/core/ws.h"
#include "store/images.h"
#include "wire/seed.h"
#include "wire/ssh_key.h"

/* Every step leaves a whole file or none, and does nothing when its result is there already: after a crash the whole chain
 * runs again from its beginning. */

enum { KEY_LINE_MAX = 256 };

static void mac_of(const char *id, uint8_t ret[6])
{
	static const char digits[] = "0123456789abcdef";

	/* As the supervisor derives it: the id's digits, made a local unicast address. */
	for (size_t i = 0; i < 6; i++)
		ret[i] = (uint8_t)((strchr(digits, id[3 + 2 * i]) - digits) << 4 | (strchr(digits, id[4 + 2 * i]) - digits));
	ret[0] = (uint8_t)((ret[0] & 0xfc) | 0x02);
}

static int make_folder(struct ws *w, char ret[PATHS_MAX], struct err *e)
{
	int r = files_path(w->core, ret, w->row.id, "", e);

	if (r == 0 && mkdir(ret, 0700) < 0 && errno != EEXIST)
		r = err_sys(e, errno, "make %s", ret);
	return r;
}

static int put_seed(struct ws *w, const char *folder, struct bytes host, struct bytes host_private, struct bytes ca, struct err *e)
{
	struct seed s = { .instance_id = bytes_str(w->row.id), .hostname = bytes_str(w->row.name), .user = bytes_str("agent"),
			  .principal = bytes_str(w->row.id), .host_key = host_private, .workspace_ca = bytes_str(w->root_pem) };
	BUF_AUTO struct buf host_line;
	BUF_AUTO struct buf ca_line;
	BUF_AUTO struct buf image;
	const char *bad;

	buf_init(&host_line, KEY_LINE_MAX);
	buf_init(&ca_line, KEY_LINE_MAX);
	buf_init_wiping(&image, SEED_IMAGE_BYTES);
	(void)ssh_key_put_line(&host_line, host.p, w->row.id);
	(void)ssh_key_put_line(&ca_line, ca.p, "saw user CA");
	s.host_key_public = buf_view(&host_line);
	s.user_ca = buf_view(&ca_line);
	mac_of(w->row.id, s.mac);
	bad = seed_check(&s);
	if (bad || !seed_build(&image, &s))
		return err_set(e, EINVAL, "seed disk: %s", bad ? bad : "too large");
	return files_put(folder, "seed.img", buf_view(&image), e);
}

/* The image of this digest is there; driver `try` has none. */
static int find_image(struct ws *w, struct image *ret, struct err *e)
{
	char dir[PATHS_MAX];
	int r;

	if (!*w->row.image_digest)
		return 0;
	r = files_images(w->core, dir, e);
	return r < 0 ? r : images_find(dir, w->row.image_digest, ret, e);
}

static int put_spec(struct ws *w, const char *folder, const struct image *image, struct err *e)
{
	const struct workspace *row = &w->row;
	struct spec s = { .driver = (enum spec_driver)row->driver, .id = bytes_str(row->id), .name = bytes_str(row->name),
			  .owner = bytes_str(row->owner), .cpus = row->cpus, .memory_bytes = row->memory_bytes, .accel = row->accel,
			  .uid_base = row->uid_base, .image_dir = bytes_str(image->dir), .kernel_args = bytes_str(row->kernel_args),
			  .upstream_proxy = bytes_str(row->upstream_proxy), .generation = row->generation,
			  .resolv_conf = bytes_str(w->core->resolv_conf),
			  .policy_channel = bytes_str(row->channel), .policy_rollback = row->rollback };

	spec_put(&core_out, &s);
	if (!msg_done(&core_out))
		return err_set(e, EMSGSIZE, "spec: too long");
	return files_put(folder, "spec", bytes_of(core_out.p, core_out.len), e);
}

/* With its spec, which says before the first start, too, which image the workspace starts from: `saw image rm` looks there. */
static void finish(struct ws *w)
{
	struct image image = { .digest = "" };
	char folder[PATHS_MAX];
	struct err e = { 0 };
	int r = make_folder(w, folder, &e);

	r = r < 0 ? r : find_image(w, &image, &e);
	r = r < 0 ? r : put_spec(w, folder, &image, &e);
	if (r == 0) {
		w->row.pending &= ~(uint64_t)WORKSPACE_PROVISION;
		r = ws_save(w, &e);
	}
	reconcile_provisioned(w, r < 0 ? e.text : NULL);
}

static bool on_disks(void *owner, struct msg_in *in)
{
	struct ws *w = owner;
	bool ok = in && msg_get_max(in, 1) == 1;
	struct bytes why = in ? msg_get_bytes(in, ERR_MAX) : bytes_str("sawd is restarting");
	char text[SAWD_DETAIL_MAX];

	if (in && !msg_end(in))
		return false;
	(void)snprintf(text, sizeof(text), "%.*s", (int)why.len, (const char *)why.p);
	if (ok)
		finish(w);
	else
		reconcile_provisioned(w, text);
	return true;
}

static const struct ask_kind disks = { ASK_LAUNCHER, { MSG_SAWD_DISKS_DONE }, on_disks };

static void ask_disks(struct ws *w)
{
	struct core *c = w->core;
	uint64_t req = ask_new(c, &disks, w);

	msg_start(&core_out, MSG_SAWD_DISKS);
	msg_u64(&core_out, req);
	msg_str(&core_out, w->row.id);
	msg_u64(&core_out, w->row.disk_bytes);
	chan_send(c->parent, &core_out);
}

static bool on_host_key(void *owner, struct msg_in *in)
{
	struct ws *w = owner;
	struct bytes host = in ? msg_get_bytes(in, SAWD_KEY_LEN) : bytes_of(NULL, 0);
	struct bytes file = in ? msg_get_bytes(in, SEED_KEY_MAX) : bytes_of(NULL, 0);
	struct bytes ca = in ? msg_get_bytes(in, SAWD_KEY_LEN) : bytes_of(NULL, 0);
	char folder[PATHS_MAX];
	struct err e = { 0 };

	if (in && (!msg_end(in) || host.len != SAWD_KEY_LEN || ca.len != SAWD_KEY_LEN || !file.len))
		return false;
	if (!in) {
		reconcile_put_off(w);
		return true;
	}
	if (make_folder(w, folder, &e) < 0 || put_seed(w, folder, host, file, ca, &e) < 0)
		reconcile_provisioned(w, e.text);
	else
		ask_disks(w);
	return true;
}

static const struct ask_kind host_key = { SAWD_KEEPER, { MSG_SAWD_HOST_KEY_DONE }, on_host_key };

static void ask_host_key(struct ws *w)
{
	struct core *c = w->core;
	uint64_t req = ask_new(c, &host_key, w);

	msg_start(&core_out, MSG_SAWD_HOST_KEY);
	msg_u64(&core_out, req);
	msg_str(&core_out, w->row.id);
	core_send(c, SAWD_KEEPER);
}

/* The root of its own certificate authority, which the guest will trust. */
static bool on_root(void *owner, struct msg_in *in)
{
	struct ws *w = owner;
	struct bytes pem = in ? msg_get_bytes(in, SAWD_CA_PEM_MAX) : bytes_of(NULL, 0);
	struct bytes why = in ? msg_get_bytes(in, SAWD_SECRET_WHY_MAX) : bytes_of(NULL, 0);
	char text[SAWD_DETAIL_MAX];

	if (in && !msg_end(in))
		return false;
	if (!in) {
		reconcile_put_off(w);
		return true;
	}
	(void)snprintf(w->root_pem, sizeof(w->root_pem), "%.*s", (int)pem.len, pem.len ? (const char *)pem.p : "");
	(void)snprintf(text, sizeof(text), "%.*s", (int)why.len, (const char *)why.p);
	if (*w->root_pem)
		ask_host_key(w);
	else
		reconcile_provisioned(w, text);
	return true;
}

static const struct ask_kind root = { SAWD_KEEPER, { MSG_SAWD_CA_ROOT_DONE }, on_root };

void provision_start(struct ws *w)
{
	struct core *c = w->core;
	char folder[PATHS_MAX];
	struct err e = { 0 };
	uint64_t req;

	if (make_folder(w, folder, &e) < 0) {
		reconcile_provisioned(w, e.text);
		return;
	}
	/* No machine: nothing that a guest would read or write. */
	if (w->row.driver == SPEC_DRIVER_TRY) {
		finish(w);
		return;
	}
	if (!c->peers[SAWD_KEEPER]) {
		reconcile_put_off(w);
		return;
	}
	req = ask_new(c, &root, w);
	msg_start(&core_out, MSG_SAWD_CA_ROOT);
	msg_u64(&core_out, req);
	msg_str(&core_out, w->row.id);
	msg_str(&core_out, w->row.name);
	core_send(c, SAWD_KEEPER);
}

bool provision_outdated(const struct ws *w)
{
	static struct seed_view view;
	static uint8_t image[SEED_IMAGE_BYTES];
	char path[PATHS_MAX];
	FD_AUTO int fd = -1;
	bool sound;

	if (w->row.driver == SPEC_DRIVER_TRY || files_path(w->core, path, w->row.id, "seed.img", NULL) < 0)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT;
	sound = pread(fd, image, sizeof(image), 0) == (ssize_t)sizeof(image) && !seed_read(bytes_of(image, sizeof(image)), &view) &&
		view.seed.workspace_ca.len;
	explicit_bzero(image, sizeof(image));
	explicit_bzero(&view, sizeof(view));
	return !sound;
}

bool provision_home_is_gone(const struct ws *w)
{
	char path[PATHS_MAX];

	return w->row.driver != SPEC_DRIVER_TRY && files_path(w->core, path, w->row.id, "home.img", NULL) == 0 && access(path, F_OK) < 0 &&
	       errno == ENOENT;
}

static int put_policy(struct ws *w, const char *folder, struct err *e)
{
	const struct workspace *row = &w->row;
	char old[PATHS_MAX];
	int r;

	if (!*row->release)
		return err_set(e, ENOENT, "its policy was stored by an older saw, without its text: give it again with `saw set-policy %s FILE` (it "
					  "was %s)", row->name, *row->policy_file ? row->policy_file : "not a file");
	r = bundles_copy(w->core, row->release, folder, e);
	/* Of an older saw. */
	if (r == 0 && paths_join(old, folder, "policy.blob", NULL) == 0)
		(void)unlink(old);
	return r;
}

int provision_refresh(struct ws *w, struct err *e)
{
	char folder[PATHS_MAX];
	struct image image = { .digest = "" };
	int r = make_folder(w, folder, e);

	r = r < 0 ? r : find_image(w, &image, e);
	if (r == 0 && *image.digest)
		r = images_check(&image, e);
	r = r < 0 ? r : put_policy(w, folder, e);
	return r < 0 ? r : put_spec(w, folder, &image, e);
}

int provision_drop_overlay(struct ws *w, struct err *e)
{
	char path[PATHS_MAX];
	int r = files_path(w->core, path, w->row.id, "overlay.img", e);

	if (r == 0 && unlink(path) < 0 && errno != ENOENT)
		r = err_sys(e, errno, "remove %s", path);
	return r;
}

/* After a crash of the machine some of the log may stand in its journal alone, and the workspace was not started since. What cannot be put
 * in order is kept as it is. -EWOULDBLOCK: somebody still writes. */
static int complete_audit(struct ws *w, struct err *e)
{
	static const struct ocsf_source nobody;
	struct audit_log *l = NULL;
	char path[PATHS_MAX];
	int r = files_path(w->core, path, w->row.id, "audit.jsonl", e);

	if (r < 0 || access(path, F_OK) < 0)
		return r;
	r = audit_log_open(&l, path, &nobody, e);
	if (r == -EWOULDBLOCK)
		return r;
	if (r < 0)
		log_line("%s is kept as it is, with its journal beside it: %s", path, e->text);
	else if (audit_log_torn(l))
		log_line("%s: %llu bytes of a torn end were put aside", path, (unsigned long long)audit_log_torn(l));
	audit_log_free(l);
	return 0;
}

/* Log, what was torn off it, and the journal of a log that could not be completed. */
static int keep_audit(struct ws *w, struct err *e)
{
	static const char *const ends[] = { "", ".torn", ".journal" };
	int r = complete_audit(w, e);

	for (size_t i = 0; r >= 0 && i < sizeof(ends) / sizeof(ends[0]); i++) {
		char from[PATHS_MAX];
		char to[PATHS_MAX];
		char part[64];

		(void)snprintf(part, sizeof(part), "audit.jsonl%s", ends[i]);
		r = files_path(w->core, from, w->row.id, part, e);
		(void)snprintf(part, sizeof(part), "audit/workspaces/%s.jsonl%s", w->row.id, ends[i]);
		r = r < 0 ? r : paths_join(to, w->core->state, part, e);
		r = r < 0 ? r : files_move(from, to, e);
	}
	return r;
}

int provision_destroy(struct ws *w, struct err *e)
{
	char path[PATHS_MAX];
	char part[64];
	int r = keep_audit(w, e);

	r = r < 0 ? r : files_path(w->core, path, w->row.id, "", e);
	r = r < 0 ? r : files_remove_tree(path, e);
	(void)snprintf(part, sizeof(part), "ws/%s", w->row.id);
	r = r < 0 ? r : paths_join(path, w->core->run, part, e);
	return r < 0 ? r : files_remove_tree(path, e);
}

static bool has_home(const char *folder)
{
	char path[PATHS_MAX];

	return paths_join(path, folder, "home.img", NULL) < 0 || access(path, F_OK) == 0;
}

static void sweep_one(struct core *c, const char *folder, const char *id)
{
	char path[PATHS_MAX];
	char lock[PATHS_MAX];
	struct workspace row;
	struct err e = { 0 };
	int n = snprintf(lock, sizeof(lock), "%s/ws/%s/lock", c->run, id);

	if (n < 0 || n >= PATHS_MAX || paths_join(path, folder, id, &e) < 0 || workspaces_by_id(c->db, bytes_str(id), &row, &e) != 0 ||
	    files_locked(lock))
		return;
	if (has_home(path)) {
		log_line("%s belongs to no workspace but holds somebody's home: remove it by hand, or restore sawd.db", path);
		return;
	}
	log_line("removing %s, which belongs to no workspace", path);
	if (files_remove_tree(path, &e) < 0)
		log_line("%s", e.text);
}

static void sweep_folder(struct core *c, const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *entry;

	while (d && (entry = readdir(d)) != NULL)
		if (sawd_id_ok(bytes_str(entry->d_name), "ws-"))
			sweep_one(c, folder, entry->d_name);
	if (d)
		(void)closedir(d);
}

/* Folders are made after their record and removed before it: one without a record is left over from an older state of the store. A
 * home is never removed on such a guess. */
void provision_sweep(struct core *c)
{
	char folder[PATHS_MAX];
	struct err e = { 0 };

	if (paths_join(folder, c->run, "ws", &e) == 0)
		sweep_folder(c, folder);
	if (paths_join(folder, c->state, "workspaces", &e) == 0)
		sweep_folder(c, folder);
}
