/* sawd-core: reads typed messages only, opens nothing but its folders below the state folder, and reaches nobody: the launcher makes the
 * connections to its workspaces' supervisors. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ipc/trust.h"
#include "ipc/types.h"
#include "os/fd.h"
#include "os/jail.h"
#include "os/log.h"
#include "sawd/core/secrets.h"

enum { PLACES_MAX = 32, REJOIN_MS = 1000 };

struct msg core_out;

void core_send(struct core *c, enum sawd_role to)
{
	if (c->peers[to])
		chan_send(c->peers[to], &core_out);
}

static void fail(struct core *c, const struct err *e)
{
	log_line("%s", e->text);
	msg_start(&core_out, MSG_FAILED);
	msg_bytes(&core_out, bytes_of(e->text, strnlen(e->text, 300)));
	chan_send(c->parent, &core_out);
	loop_stop(c->loop, 1);
}

/* The folders of the state folder but one: what lies in keys/ is keeper's alone, but that the trusted public keys may be
 * read. And the store's files, which are there and open. */
struct places {
	char text[PLACES_MAX][PATHS_MAX];
	struct jail_path paths[PLACES_MAX];
	size_t n;
};

static int add_place(struct places *p, const char *state, const char *name, unsigned rights, struct err *e)
{
	if (p->n == PLACES_MAX)
		return err_set(e, E2BIG, "%s: has more folders than sawd makes: move away what is not its own", state);
	p->paths[p->n] = (struct jail_path){ .path = p->text[p->n], .rights = rights };
	return paths_join(p->text[p->n++], state, name, e);
}

static int find_places(struct places *p, const char *state, struct err *e)
{
	static const char *const store[] = { "sawd.db", "sawd.db-wal", "sawd.db-shm" };
	const unsigned folder = JAIL_READ | JAIL_LIST | JAIL_WRITE | JAIL_CREATE;
	DIR *d = opendir(state);
	struct dirent *entry;
	struct stat st;
	int r = d ? 0 : err_sys(e, errno, "open %s", state);

	while (d && r == 0 && (entry = readdir(d)) != NULL)
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "keys") != 0 &&
		    fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
			r = add_place(p, state, entry->d_name, folder, e);
	if (d)
		(void)closedir(d);
	for (size_t i = 0; r == 0 && i < sizeof(store) / sizeof(store[0]); i++)
		r = add_place(p, state, store[i], JAIL_READ | JAIL_WRITE, e);
	return r;
}

static int enter_jail(struct core *c, struct err *e)
{
	static struct places places;
	int r = find_places(&places, c->state, e);

	r = r < 0 ? r : add_place(&places, c->state, TRUST_FOLDER, JAIL_READ | JAIL_LIST, e);
	r = r < 0 ? r : add_place(&places, c->run, ".", JAIL_READ | JAIL_LIST | JAIL_WRITE | JAIL_CREATE, e);
	r = r < 0 ? r : jail_capabilities(0, c->running_max + SAWD_SPARE_FDS, 0, e);
	r = r < 0 ? r : jail_files(places.paths, places.n, JAIL_NET_NONE, e);
	return r < 0 ? r : jail_syscalls(JAIL_SYS_FILES | JAIL_SYS_APPEND | JAIL_SYS_MEMFD, e);
}

static bool take_text(struct msg_in *in, char *ret, size_t size)
{
	struct bytes t = msg_get_bytes(in, size - 1);

	if (in->bad)
		return false;
	if (t.len)
		memcpy(ret, t.p, t.len);
	ret[t.len] = '\0';
	return true;
}

static int open_all(struct core *c, struct err *e)
{
	char path[PATHS_MAX];
	struct err log_e = { 0 };
	int r = paths_join(path, c->state, "sawd.db", e);

	/* libcrypto loads now what it could not load in the jail. */
	c->audit_ok = journal_ok(c, &log_e);
	if (!c->audit_ok)
		log_line("%s", log_e.text);
	r = r < 0 ? r : db_open(&c->db, path, e);
	r = r < 0 ? r : enter_jail(c, e);
	return r < 0 ? r : reconcile_start(c, e);
}

static void rejoin_later(struct core *c);

/* A channel may end while both who had it go on: a descriptor that came on it found no room, or the other did not read for too long. No
 * process ended then, so that the launcher would join nobody anew by itself. */
static void on_rejoin(struct loop_timer *t)
{
	struct core *c = t->owner;

	for (unsigned k = 1; k < SAWD_ROLE_END; k++) {
		if (k == SAWD_CORE || c->peers[k])
			continue;
		msg_start(&core_out, MSG_SAWD_JOIN);
		msg_u64(&core_out, k);
		chan_send(c->parent, &core_out);
		rejoin_later(c);
	}
}

static void rejoin_later(struct core *c)
{
	if (!c->rejoin.slot)
		(void)loop_timer_arm(c->loop, &c->rejoin, REJOIN_MS, on_rejoin, c);
}

static bool on_config(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	struct err e = { 0 };

	c->uid = msg_get_max(in, UINT32_MAX);
	c->lab = msg_get_max(in, 1) == 1;
	c->session_max_ms = msg_get_max(in, SAWD_SESSION_MAX_MS);
	c->running_max = msg_get_max(in, SAWD_RUNNING_MAX);
	if (!take_text(in, c->owner, sizeof(c->owner)) || !take_text(in, c->state, sizeof(c->state)) ||
	    !take_text(in, c->run, sizeof(c->run)) || !take_text(in, c->resolv_conf, sizeof(c->resolv_conf)) || !msg_end(in) ||
	    !c->owner[0] || !c->state[0] || !c->run[0] || c->db)
		return false;
	if (open_all(c, &e) < 0) {
		fail(c, &e);
		return true;
	}
	if (*jail_left_out())
		log_line("sanitized build: jail without %s", jail_left_out());
	sessions_start(c);
	rejoin_later(c);
	msg_start(&core_out, MSG_READY);
	chan_send(c->parent, &core_out);
	return true;
}

static const struct chan_permit keeper_permits[] = {
	{ MSG_SAWD_HOST_KEY_DONE, ask_on_keeper }, { MSG_SAWD_CERT_DONE, ask_on_keeper },    { MSG_SAWD_SECRET_READY, ask_on_keeper },
	{ MSG_SAWD_SECRET_DONE, ask_on_keeper },   { MSG_SAWD_SECRET_ROWS, ask_on_keeper },  { MSG_SAWD_CA_ROOT_DONE, ask_on_keeper },
	{ MSG_SAWD_CHANNEL, ask_on_keeper },	   { MSG_SAWD_CHANNEL_ENDED, supply_on_ended },
	{ MSG_SAWD_SIGNED, ask_on_keeper },	   { MSG_SAWD_FORGOTTEN, ask_on_keeper },
};
static const struct chan_permit compiler_permits[] = { { MSG_SAWD_COMPILED, ask_on_compiler },
						       { MSG_SAWD_REFUSED, ask_on_compiler },
						       { MSG_SAWD_CHECKED, ask_on_compiler },
						       { MSG_SAWD_UNSOUND, ask_on_compiler },
						       { MSG_SAWD_NOT_NOW, ask_on_compiler } };

static void peer_end(struct core *c, enum sawd_role role, const char *why)
{
	if (strcmp(why, "closed") != 0)
		log_line("channel to role %d: %s", (int)role, why);
	c->peers[role] = chan_free(c->peers[role]);
	rejoin_later(c);
	ask_role_gone(c, role);
	if (role == SAWD_FRONT)
		sessions_front_gone(c);
}

static void on_front_end(void *owner, const char *why)
{
	peer_end(owner, SAWD_FRONT, why);
}

static void on_keeper_end(void *owner, const char *why)
{
	peer_end(owner, SAWD_KEEPER, why);
}

static void on_compiler_end(void *owner, const char *why)
{
	peer_end(owner, SAWD_COMPILER, why);
}

static bool on_peer(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	enum sawd_role role = (enum sawd_role)msg_get_max(in, SAWD_ROLE_END - 1);
	FD_AUTO int fd = msg_try_fd(in);
	struct err e = { .text = "no descriptor is free for the channel to another role" };
	int r = -1;

	if (!msg_end(in) || !role || role == SAWD_CORE || !c->db)
		return false;
	if (c->peers[role])
		peer_end(c, role, "closed");
	if (fd < 0)
		r = -EMFILE;
	else if (role == SAWD_FRONT)
		r = chan_new(&c->peers[role], c->loop, fd_take(&fd), api_permits, n_api_permits, on_front_end, c, &e);
	else if (role == SAWD_KEEPER)
		r = chan_new(&c->peers[role], c->loop, fd_take(&fd), keeper_permits,
			     sizeof(keeper_permits) / sizeof(keeper_permits[0]), on_keeper_end, c, &e);
	else
		r = chan_new(&c->peers[role], c->loop, fd_take(&fd), compiler_permits,
			     sizeof(compiler_permits) / sizeof(compiler_permits[0]), on_compiler_end, c, &e);
	if (r < 0) {
		log_line("%s", e.text);
		rejoin_later(c);
	} else if (role == SAWD_KEEPER) {
		ws_each(c, supply_open);
	} else if (role == SAWD_COMPILER) {
		renew_start(c);
	}
	return true;
}

static bool on_stop(void *owner, struct msg_in *in)
{
	struct core *c = owner;

	(void)in;
	loop_stop(c->loop, 0);
	return true;
}

static void on_parent_end(void *owner, const char *why)
{
	struct core *c = owner;

	if (strcmp(why, "closed") != 0)
		log_line("channel to sawd: %s", why);
	loop_stop(c->loop, 1);
}

static const struct chan_permit parent_permits[] = {
	{ MSG_SAWD_CORE_CONFIG, on_config },
	{ MSG_SAWD_PEER, on_peer },
	{ MSG_STOP, on_stop },
	{ MSG_SAWD_SPAWNED, ask_on_launcher },
	{ MSG_SAWD_CONNECTED, ask_on_launcher },
	{ MSG_SAWD_DISKS_DONE, ask_on_launcher },
	{ MSG_SAWD_ENDED, reconcile_on_ended },
};

int main(void)
{
	static struct core c;
	struct err e = { 0 };
	int r;

	log_init("sawd-core");
	/* What the launcher says about requests of an earlier core is none of ours. */
	c.next_req = clock_real_ms() << 16;
	r = jail_identity(0, &e);
	r = r < 0 ? r : loop_new(&c.loop, &e);
	r = r < 0 ? r :
		    chan_new(&c.parent, c.loop, IPC_PARENT_FD, parent_permits,
			     sizeof(parent_permits) / sizeof(parent_permits[0]), on_parent_end, &c, &e);
	r = r < 0 ? r : loop_run(c.loop, &e);
	if (r < 0)
		log_line("%s", e.text);
	for (unsigned k = 0; k < SAWD_ROLE_END; k++)
		c.peers[k] = chan_free(c.peers[k]);
	sessions_deinit(&c);
	renew_deinit(&c);
	ws_each(&c, ws_free);
	audit_log_free(c.audit);
	db_close(c.db);
	chan_free(c.parent);
	loop_free(c.loop);
	return r == 0 ? 0 : 1;
}
