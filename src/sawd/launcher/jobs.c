#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "ipc/sawd_row.h"
#include "ipc/spec.h"
#include "ipc/trust.h"
#include "ipc/types.h"
#include "os/cgroup.h"
#include "os/disk.h"
#include "os/fd.h"
#include "os/log.h"
#include "sawd/launcher/launcher.h"

/* Children that are no role. A workspace's supervisor is one only until we end: it has no PDEATHSIG and a session of its own, so
 * that it outlives us and init collects it. While we live we collect it, so that nothing stays behind as a zombie. */

#define CGROUP_PREFIX "saw-"

struct job {
	struct launcher *launcher;
	struct job *next;
	struct child child;
	struct loop_io io;
	uint64_t req; /* core's number for it */
	int why_fd; /* of a disks job: what went wrong, in its words; -1 */
	char id[SAWD_ID_LEN + 1]; /* of a workspace; "" for a disks job */
	char disks_of[SAWD_ID_LEN + 1]; /* the workspace of a disks job; "" */
};

static struct msg out;

static void answer(struct launcher *l, enum sawd_type type, uint64_t req, bool ok, const char *why)
{
	struct chan *core = l->roles[SAWD_CORE].chan;

	if (!core)
		return;
	msg_start(&out, (uint16_t)type);
	msg_u64(&out, req);
	msg_u64(&out, ok);
	msg_str(&out, why);
	chan_send(core, &out);
}

/* A supervisor of ours may have made its leaf and not moved in yet; one that an earlier sawd started has moved in long ago. */
static bool has_job(void *ctx, const char *cgroup)
{
	const struct launcher *l = ctx;

	for (const struct job *j = l->jobs; j; j = j->next)
		if (*j->id && strcmp(cgroup + strlen(CGROUP_PREFIX), j->id) == 0)
			return true;
	return false;
}

static void on_sweep(struct loop_timer *t)
{
	jobs_sweep(t->owner);
}

void jobs_sweep(struct launcher *l)
{
	unsigned n = cgroup_sweep(CGROUP_PREFIX "ws-", has_job, l);

	if (n)
		log_line("cgroups of workspaces that were killed: %u removed", n);
	(void)loop_timer_arm(l->loop, &l->sweep_timer, LAUNCHER_SWEEP_MS, on_sweep, l);
}

static void job_free(struct job *j)
{
	struct launcher *l = j->launcher;

	for (struct job **at = &l->jobs; *at; at = &(*at)->next)
		if (*at == j) {
			*at = j->next;
			l->n_jobs--;
			break;
		}
	loop_io_remove(&j->io);
	j->child.pid_fd = fd_close(j->child.pid_fd);
	j->why_fd = fd_close(j->why_fd);
	free(j);
}

static void tell_end(struct job *j, const char *how)
{
	struct chan *core = j->launcher->roles[SAWD_CORE].chan;

	if (!core)
		return;
	msg_start(&out, MSG_SAWD_ENDED);
	msg_str(&out, j->id);
	msg_u64(&out, j->req);
	msg_str(&out, how);
	chan_send(core, &out);
}

static void tell_disks(struct job *j, const struct child_end *end)
{
	char why[ERR_MAX];
	ssize_t n = read(j->why_fd, why, sizeof(why) - 1);
	bool ok = !end->signalled && end->code == 0;

	why[n > 0 ? n : 0] = '\0';
	answer(j->launcher, MSG_SAWD_DISKS_DONE, j->req, ok, ok ? "" : *why ? why : "the disks could not be made: see sawd.log");
}

static void on_job_end(struct loop_io *io, uint32_t events)
{
	struct job *j = io->owner;
	char text[CHILD_END_TEXT_MAX];
	struct child_end end;

	(void)events;
	if (!child_ended(io, &j->child, &end))
		return;
	child_end_text(&end, text);
	if (*j->id) {
		tell_end(j, text);
	} else {
		tell_disks(j, &end);
	}
	job_free(j);
}

/* Takes `why_fd`, also on failure. `ret`: the new job, or NULL. */
static int job_start(struct launcher *l, const struct child_spec *s, uint64_t req, const char *id, int why_fd, struct job **ret, struct err *e)
{
	struct job *j;
	int r;

	j = l->n_jobs < LAUNCHER_JOBS_MAX ? calloc(1, sizeof(*j)) : NULL;
	if (!j) {
		(void)fd_close(why_fd);
		return err_set(e, EAGAIN, "no room for another child: there are %d", LAUNCHER_JOBS_MAX);
	}
	*j = (struct job){ .launcher = l, .child = CHILD_NONE, .req = req, .why_fd = why_fd, .next = l->jobs };
	(void)snprintf(j->id, sizeof(j->id), "%s", id);
	l->jobs = j;
	l->n_jobs++;
	r = child_start(&j->child, s, e);
	r = r < 0 ? r : loop_io_add(l->loop, &j->io, j->child.pid_fd, EPOLLIN, on_job_end, j, e);
	if (r < 0) {
		child_kill(&j->child);
		job_free(j);
	} else if (ret) {
		*ret = j;
	}
	return r;
}

/* A workspace of driver `try` is a command behind the gateway. Its supervisor ends with the process that asked for it; here that is
 * nobody, so it holds the other end of that channel itself. */
struct spawn {
	char path[PATHS_MAX];
	char title[80];
	char dir[PATHS_MAX];
	char run[PATHS_MAX];
	char keys[PATHS_MAX];
	char ids[32];
	int log_fd;
	int null_fd;
	int try_fds[2];
};

static int spawn_as(struct launcher *l, struct spawn *s, const char *id, bool is_try, uint64_t req, struct err *e)
{
	const char *const args[] = { "--dir", s->dir, "--run", s->run, "--keys", s->keys, is_try ? "--try" : NULL, s->ids, "--", "/bin/sleep", "infinity",
				     NULL };
	const struct child_fd fds[] = { { s->log_fd, 1 },  { s->log_fd, 2 },  { s->try_fds[0], 3 }, { s->null_fd, 4 },
					{ s->log_fd, 5 }, { s->log_fd, 6 }, { s->try_fds[1], 7 } };

	return job_start(l,
			 &(struct child_spec){ .path = s->path, .title = s->title, .args = args, .fds = fds,
					       .n_fds = is_try ? 7 : 2, .flags = CHILD_OUTLIVES },
			 req, id, -1, NULL, e);
}

static int spawn(struct launcher *l, const char *id, const char *name, bool is_try, uint64_t req, int log_fd, struct err *e)
{
	struct spawn s = { .log_fd = log_fd, .null_fd = -1, .try_fds = { -1, -1 } };
	char part[64];
	int r = paths_helper("saw-workspace", s.path, e);

	(void)snprintf(s.title, sizeof(s.title), "saw-workspace: %s", name);
	(void)snprintf(s.ids, sizeof(s.ids), "%u:%u", geteuid(), getegid());
	(void)snprintf(part, sizeof(part), "workspaces/%s", id);
	r = r < 0 ? r : paths_join(s.dir, l->state, part, e);
	/* Not from core: it is not to say which keys are trusted. */
	r = r < 0 ? r : paths_join(s.keys, l->state, TRUST_FOLDER, e);
	(void)snprintf(part, sizeof(part), "ws/%s", id);
	r = r < 0 ? r : paths_join(s.run, l->run, part, e);
	if (r == 0 && is_try) {
		r = chan_pair(s.try_fds, e);
		s.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (r == 0 && s.null_fd < 0)
			r = err_sys(e, errno, "open /dev/null");
	}
	r = r < 0 ? r : spawn_as(l, &s, id, is_try, req, e);
	(void)fd_close(s.null_fd);
	(void)fd_close(s.try_fds[0]);
	(void)fd_close(s.try_fds[1]);
	return r;
}

bool jobs_on_spawn(void *owner, struct msg_in *in)
{
	struct role *core = owner;
	struct launcher *l = core->launcher;
	uint64_t req = msg_get_u64(in);
	struct bytes id = msg_get_bytes(in, SAWD_ID_LEN);
	struct bytes name = msg_get_bytes(in, SAWD_NAME_MAX);
	uint64_t driver = msg_get_max(in, SPEC_DRIVER_TRY);
	FD_AUTO int log_fd = msg_take_fd(in);
	char id_text[SAWD_ID_LEN + 1] = { 0 };
	char name_text[SAWD_NAME_MAX + 1] = { 0 };
	struct err e = { 0 };
	int r;

	if (!msg_end(in) || !sawd_id_ok(id, "ws-") || !sawd_name_ok(name) || (driver == SPEC_DRIVER_TRY && !l->lab))
		return false;
	memcpy(id_text, id.p, id.len);
	memcpy(name_text, name.p, name.len);
	r = l->stopping ? err_set(&e, ESHUTDOWN, "sawd is going down") :
			  spawn(l, id_text, name_text, driver == SPEC_DRIVER_TRY, req, log_fd, &e);
	answer(l, MSG_SAWD_SPAWNED, req, r == 0, e.text);
	return true;
}

/* Its roles and its machine end with it. */
bool jobs_on_kill(void *owner, struct msg_in *in)
{
	struct role *core = owner;
	struct launcher *l = core->launcher;
	struct bytes id = msg_get_bytes(in, SAWD_ID_LEN);
	bool ours = false;

	if (!msg_end(in) || !sawd_id_ok(id, "ws-"))
		return false;
	for (const struct job *j = l->jobs; j; j = j->next)
		if (bytes_is(id, j->id)) {
			log_line("%s: its supervisor does not end by itself: it is ended", j->id);
			child_signal(&j->child, SIGKILL);
			ours = true;
		}
	if (!ours)
		reach_kill(l, id);
	return true;
}

static int make_disks(struct launcher *l, struct bytes id, uint64_t bytes, uint64_t req, struct err *e)
{
	char folder[PATHS_MAX];
	char part[64];
	char size[32];
	char self[PATHS_MAX];
	const char *const args[] = { "--make-disks", folder, size, NULL };
	struct job *j = NULL;
	int why[2] = { -1, -1 };
	int r = paths_helper("sawd", self, e);

	(void)snprintf(part, sizeof(part), "workspaces/%.*s", (int)id.len, (const char *)id.p);
	(void)snprintf(size, sizeof(size), "%llu", (unsigned long long)bytes);
	r = r < 0 ? r : paths_join(folder, l->state, part, e);
	if (r == 0 && pipe2(why, O_CLOEXEC | O_NONBLOCK) < 0)
		r = err_sys(e, errno, "make a pipe");
	if (r < 0)
		return r;
	r = job_start(l,
		      &(struct child_spec){ .path = self, .title = "sawd: making disks", .args = args,
					    .fds = (struct child_fd[]){ { why[1], 1 }, { l->log_fd, 2 } }, .n_fds = 2 },
		      req, "", why[0], &j, e);
	(void)fd_close(why[1]);
	if (r == 0)
		(void)snprintf(j->disks_of, sizeof(j->disks_of), "%.*s", (int)id.len, (const char *)id.p);
	return r;
}

/* Core died meanwhile, and asks anew: two that make the same disks would spoil each other's. */
static void abandon_disks(struct launcher *l, struct bytes id)
{
	for (struct job *j = l->jobs, *next; j; j = next) {
		next = j->next;
		if (!bytes_is(id, j->disks_of))
			continue;
		loop_io_remove(&j->io);
		child_kill(&j->child);
		job_free(j);
	}
}

bool jobs_on_disks(void *owner, struct msg_in *in)
{
	struct role *core = owner;
	uint64_t req = msg_get_u64(in);
	struct bytes id = msg_get_bytes(in, SAWD_ID_LEN);
	uint64_t bytes = msg_get_u64(in);
	struct err e = { 0 };

	if (!msg_end(in) || !sawd_id_ok(id, "ws-"))
		return false;
	abandon_disks(core->launcher, id);
	if (make_disks(core->launcher, id, bytes, req, &e) < 0)
		answer(core->launcher, MSG_SAWD_DISKS_DONE, req, false, e.text);
	return true;
}

void jobs_deinit(struct launcher *l)
{
	struct job *j;

	loop_timer_disarm(&l->sweep_timer);
	while ((j = l->jobs) != NULL) {
		l->jobs = j->next;
		if (!*j->id)
			child_kill(&j->child);
		job_free(j);
	}
}

int jobs_make_disks(const char *folder, const char *size)
{
	static const char *const disks[][2] = { { "overlay.img", "saw-system" }, { "home.img", "saw-home" } };
	char path[PATHS_MAX];
	struct err e = { 0 };
	uint64_t bytes;
	int r = num_u64(bytes_str(size), DISK_BYTES_MAX, &bytes) ? 0 : err_set(&e, EINVAL, "size %.40s", size);

	for (size_t i = 0; r == 0 && i < sizeof(disks) / sizeof(disks[0]); i++) {
		r = paths_join(path, folder, disks[i][0], &e);
		r = r < 0 ? r : disk_create(path, bytes, disks[i][1], &e);
	}
	if (r < 0) {
		log_line("make disks in %s: %s", folder, e.text);
		(void)!write(1, e.text, strlen(e.text));
	}
	return r < 0 ? 1 : 0;
}
