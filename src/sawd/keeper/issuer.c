/* All intermediates of one issue have one fresh key, which lives in inlet and here only as long as the issue: a leaf key that was stolen is
 * worth nothing after the next. They are renewed by the wall clock, long before they end. */
#include "sawd/keeper/issuer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "crypt/ca.h"
#include "crypt/seal.h"
#include "crypt/sha256.h"
#include "os/fd.h"
#include "os/log.h"
#include "sawd/keeper/seal_file.h"

enum { CERTS_MAX = IPC_CA_CERTS_MAX };

struct client {
	struct issuer *issuer;
	struct client *next;
	char workspace[SAWD_ID_LEN + 1];
	struct chan *chan;
	const void *names; /* mapped: a descriptor for each workspace would be half as many again; NULL: none */
	size_t names_len;
	uint64_t n_names;
	uint8_t names_sha256[SHA256_LEN];
	uint64_t issue;
	uint64_t issued_ms; /* real time; 0: nothing yet */
	struct loop_timer again;
	uint64_t said_ms;
	uint64_t retry_ms; /* after which the issue that failed is tried again; 0: the last one did not fail */
};

struct issuer {
	struct loop *loop;
	const struct secret *key;
	int dir_fd; /* ca/ */
	issuer_end_fn on_end;
	void *owner;
	struct client *first;
	struct loop_timer look;
};

static struct msg out;

static struct seal_label label(const char *workspace)
{
	return (struct seal_label){ .kind = "workspace ca", .owner = bytes_of(NULL, 0), .id = bytes_str(workspace), .version = 1 };
}

struct root {
	struct key *key;
	struct cert *cert;
};

static void root_close(struct root *r)
{
	r->key = key_free(r->key);
	r->cert = cert_free(r->cert);
}
#define ROOT_AUTO __attribute__((cleanup(root_close)))

static bool root_matches(const struct root *r)
{
	uint8_t ours[KEY_PUBLIC];

	key_public(r->key, ours);
	return memcmp(ours, r->cert->public_key, KEY_PUBLIC) == 0;
}

/* Sealed: the private key, then the certificate. */
static int root_read(struct issuer *i, const char *workspace, struct root *ret, struct err *e)
{
	struct secret *both SECRET_AUTO = NULL;
	struct seal_label l = label(workspace);
	char shown[SAWD_ID_LEN + 8];
	struct bytes v;
	int r;

	(void)snprintf(shown, sizeof(shown), "ca/%s", workspace);
	r = seal_file_get(i->dir_fd, workspace, shown, i->key, &l, &both, e);
	if (r != 1)
		return r;
	v = secret_view(both);
	if (v.len <= KEY_DER)
		return err_set(e, EBADMSG, "%s: holds no root", shown);
	ret->key = key_from_der(bytes_of(v.p, KEY_DER));
	r = cert_open(&ret->cert, bytes_skip(v, KEY_DER), e);
	if (r == 0 && (!ret->key || !root_matches(ret)))
		r = err_set(e, EBADMSG, "key and certificate do not belong together");
	return r < 0 ? err_in(e, r, "%s", shown) : 1;
}

/* It is made once and cannot be made again, since the guest trusts this one. So it does not depend on what the clock says today: it is good
 * from before there was any workspace, and no clock that stands before that, as one without a battery does, may say when it ends. */
static int put_root(const struct key *key, const char *name, const char *workspace, struct buf *ret, struct err *e)
{
	uint64_t now = clock_real_ms();

	if (now < ISSUER_EPOCH_MS)
		return err_set(e, EAGAIN, "this machine's clock stands before 2026: set it");
	return ca_root(key, name, workspace, ISSUER_EPOCH_MS, CA_ROOT_DAYS + (unsigned)((now - ISSUER_EPOCH_MS) / CERT_DAY_MS), ret, e);
}

static int root_make(struct issuer *i, const char *workspace, const char *name, struct root *ret, struct err *e)
{
	struct secret *both SECRET_AUTO = NULL;
	struct key_der der KEY_DER_AUTO = { 0 };
	struct buf cert BUF_AUTO = { 0 };
	struct seal_label l = label(workspace);
	int r;

	buf_init(&cert, CA_ROOT_MAX);
	ret->key = key_generate();
	if (!ret->key || !key_to_der(ret->key, &der))
		return err_set(e, EIO, "no key could be made for the workspace's root");
	r = put_root(ret->key, name, workspace, &cert, e);
	r = r < 0 ? r : cert_open(&ret->cert, buf_view(&cert), e);
	if (r < 0)
		return r;
	both = secret_new_empty(KEY_DER + cert.len);
	if (!both)
		return err_set(e, ENOMEM, "out of guarded memory");
	memcpy(secret_room(both), der.p, KEY_DER);
	memcpy(secret_room(both) + KEY_DER, cert.p, cert.len);
	return seal_file_put(i->dir_fd, workspace, i->key, &l, secret_view(both), e);
}

static int root_of(struct issuer *i, const char *workspace, const char *name, struct root *ret, struct err *e)
{
	int r = root_read(i, workspace, ret, e);

	return r == 0 ? root_make(i, workspace, name, ret, e) : r < 0 ? r : 0;
}

int issuer_root(struct issuer *i, struct bytes workspace, struct bytes name, struct buf *pem, struct err *e)
{
	struct root root ROOT_AUTO = { 0 };
	char id[SAWD_ID_LEN + 1];
	char text[SAWD_NAME_MAX + 1];
	int r;

	(void)snprintf(id, sizeof(id), "%.*s", (int)workspace.len, (const char *)workspace.p);
	(void)snprintf(text, sizeof(text), "%.*s", (int)name.len, (const char *)name.p);
	r = root_of(i, id, text, &root, e);
	if (r == 0 && !cert_put_pem(pem, root.cert->der))
		r = err_set(e, ENOMEM, "out of memory for a certificate");
	return r;
}

/* The next line; false at the end. */
static bool next_line(struct bytes *text, struct bytes *ret)
{
	if (text->len == 0)
		return false;
	*ret = bytes_of(text->p, bytes_find(*text, '\n'));
	*text = bytes_skip(*text, ret->len < text->len ? ret->len + 1 : ret->len);
	return true;
}

/* One certificate for up to CA_NAMES_MAX names off the front of `text`; appended to the message. */
static int send_one(struct client *c, const struct root *root, const struct key *key, struct bytes *text, struct err *e)
{
	struct bytes names[CA_NAMES_MAX];
	uint8_t public_key[KEY_PUBLIC];
	struct buf der BUF_AUTO = { 0 };
	struct ca_intermediate ask = { .id = c->workspace, .public_key = public_key, .names = names, .now_ms = clock_real_ms(),
				       .days = CA_INTERMEDIATE_DAYS };
	int r;

	key_public(key, public_key);
	while (ask.n_names < CA_NAMES_MAX && next_line(text, &names[ask.n_names]))
		ask.n_names++;
	buf_init(&der, CA_INTERMEDIATE_MAX);
	r = ca_intermediate(root->key, root->cert, &ask, &der, e);
	if (r < 0)
		return r;
	msg_start(&out, MSG_CA_CERT);
	msg_u64(&out, c->issue);
	msg_bytes(&out, buf_view(&der));
	chan_send(c->chan, &out);
	return 0;
}

static int send_certs(struct client *c, const struct root *root, const struct key *key, uint64_t *ret_n, struct err *e)
{
	struct bytes text = bytes_of(c->names, c->names_len);
	int r = 0;

	while (r == 0 && text.len && *ret_n < CERTS_MAX) {
		r = send_one(c, root, key, &text, e);
		++*ret_n;
	}
	if (r == 0 && text.len)
		r = err_set(e, E2BIG, "the policy opens more names than %d certificates hold", CERTS_MAX);
	return r;
}

/* A fresh issue. One that fails is not ended by CA_DONE: inlet keeps the one before. */
static int issue(struct client *c, struct err *e)
{
	struct root root ROOT_AUTO = { 0 };
	struct key *key KEY_AUTO = NULL;
	struct key_der der KEY_DER_AUTO = { 0 };
	uint64_t n = 0;
	int r = root_of(c->issuer, c->workspace, "", &root, e);

	if (r < 0)
		return r;
	must(root.key && root.cert);
	key = c->n_names ? key_generate() : NULL;
	if (c->n_names && (!key || !key_to_der(key, &der)))
		return err_set(e, EIO, "no key could be made for intermediates");
	c->issue++;
	msg_start(&out, MSG_CA_KEY);
	msg_u64(&out, c->issue);
	msg_bytes(&out, root.cert->der);
	msg_bytes(&out, key ? bytes_of(der.p, KEY_DER) : bytes_of(NULL, 0));
	chan_send(c->chan, &out);
	msg_wipe(&out);
	if (key)
		r = send_certs(c, &root, key, &n, e);
	if (r < 0)
		return r;
	msg_start(&out, MSG_CA_DONE);
	msg_u64(&out, c->issue);
	msg_u64(&out, n);
	chan_send(c->chan, &out);
	c->issued_ms = clock_real_ms();
	return 0;
}

static void on_again(struct loop_timer *t);

/* One that failed is tried again: inlet asks only when it is new, and the same names are nothing new either. */
static void issue_or_say(struct client *c)
{
	struct err e = { 0 };

	c->said_ms = loop_now_ms(c->issuer->loop);
	loop_timer_disarm(&c->again);
	if (issue(c, &e) == 0) {
		c->retry_ms = 0;
		return;
	}
	c->retry_ms = c->retry_ms ? c->retry_ms * 2 : ISSUER_RETRY_MS;
	c->retry_ms = c->retry_ms < ISSUER_LOOK_MS ? c->retry_ms : ISSUER_LOOK_MS;
	log_line("%s: no certificates for its inlet: %s", c->workspace, e.text);
	(void)loop_timer_arm(c->issuer->loop, &c->again, c->retry_ms, on_again, c);
}

static void drop_names(struct client *c)
{
	if (c->names)
		(void)munmap((void *)(uintptr_t)c->names, c->names_len);
	c->names = NULL;
	c->names_len = 0;
}

static void client_free(struct client *c)
{
	for (struct client **at = &c->issuer->first; *at; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			break;
		}
	loop_timer_disarm(&c->again);
	chan_free(c->chan);
	drop_names(c);
	free(c);
}

static struct client *find(const struct issuer *i, struct bytes workspace)
{
	struct client *c = i->first;

	while (c && !bytes_is(workspace, c->workspace))
		c = c->next;
	return c;
}

static void on_again(struct loop_timer *t)
{
	issue_or_say(t->owner);
}

/* However often it asks: all workspaces share this process. */
static bool on_wanted(void *owner, struct msg_in *in)
{
	struct client *c = owner;
	uint64_t since = loop_now_ms(c->issuer->loop) - c->said_ms;

	if (!msg_end(in))
		return false;
	if (since >= ISSUER_GAP_MS)
		issue_or_say(c);
	else if (!c->again.slot || c->retry_ms)
		return loop_timer_arm(c->issuer->loop, &c->again, ISSUER_GAP_MS - since, on_again, c);
	return true;
}

static const struct chan_permit permits[] = { { MSG_KEEPER_WANTED, on_wanted } };

static void on_end(void *owner, const char *why)
{
	struct client *c = owner;
	struct issuer *i = c->issuer;
	char workspace[SAWD_ID_LEN + 1];

	if (bytes_is(bytes_str(why), "closed"))
		log_line("%s: its inlet hung up", c->workspace);
	else
		log_line("%s: channel to its inlet: %s", c->workspace, why);
	memcpy(workspace, c->workspace, sizeof(workspace));
	client_free(c);
	i->on_end(i->owner, bytes_str(workspace));
}

/* Takes the names. False: they are the same as before, or no names at all. */
static bool take_names(struct client *c, uint64_t n, int names_fd, struct err *e)
{
	uint8_t sha256_now[SHA256_LEN] = { 0 };
	FD_AUTO int fd = names_fd;
	const void *p = NULL;
	size_t len = 0;

	if (n && fd_map_sealed(fd, SAWD_CA_NAMES_MAX, &p, &len, e) < 0)
		return false;
	if (n)
		sha256(bytes_of(p, len), sha256_now);
	if (c->issued_ms && c->n_names == n && memcmp(sha256_now, c->names_sha256, SHA256_LEN) == 0) {
		if (p)
			(void)munmap((void *)(uintptr_t)p, len);
		return false;
	}
	memcpy(c->names_sha256, sha256_now, SHA256_LEN);
	drop_names(c);
	c->n_names = n;
	c->names = p;
	c->names_len = len;
	return true;
}

int issuer_open(struct issuer *i, struct bytes workspace, uint64_t n, int names_fd, int *ret_fd, struct err *e)
{
	struct client *old = find(i, workspace);
	struct client *c = calloc(1, sizeof(*c));
	int fds[2] = { -1, -1 };
	int r;

	if (!c) {
		(void)fd_close(names_fd);
		return err_set(e, ENOMEM, "out of memory for a workspace's certificates");
	}
	if (old)
		client_free(old);
	*c = (struct client){ .issuer = i, .next = i->first };
	i->first = c;
	(void)snprintf(c->workspace, sizeof(c->workspace), "%.*s", (int)workspace.len, (const char *)workspace.p);
	r = take_names(c, n, names_fd, e) ? chan_pair(fds, e) : -EBADMSG;
	if (r < 0) {
		client_free(c);
		return r;
	}
	r = chan_new(&c->chan, i->loop, fds[0], permits, 1, on_end, c, e);
	if (r < 0) {
		(void)fd_close(fds[1]);
		client_free(c);
		return r;
	}
	chan_wipe(c->chan);
	issue_or_say(c);
	*ret_fd = fds[1];
	return 0;
}

void issuer_bind(struct issuer *i, struct bytes workspace, uint64_t n, int names_fd)
{
	struct client *c = find(i, workspace);
	struct err e = { 0 };

	if (!c)
		(void)fd_close(names_fd);
	else if (take_names(c, n, names_fd, &e))
		issue_or_say(c);
	else if (*e.text)
		log_line("%s: %s", c->workspace, e.text);
}

int issuer_forget(struct issuer *i, struct bytes workspace, struct err *e)
{
	struct client *c = find(i, workspace);
	char name[SAWD_ID_LEN + 1];

	if (c)
		client_free(c);
	(void)snprintf(name, sizeof(name), "%.*s", (int)workspace.len, (const char *)workspace.p);
	return unlinkat(i->dir_fd, name, 0) < 0 && errno != ENOENT ? err_sys(e, errno, "remove ca/%s", name) : 0;
}

/* By the wall clock, since that is what certificates end by. They are good from a day before they were made. */
static bool is_due(const struct client *c)
{
	uint64_t now = clock_real_ms();

	return now < c->issued_ms ? c->issued_ms - now > CERT_DAY_MS / 2 :
				    now - c->issued_ms > (uint64_t)ISSUER_RENEW_DAYS * CERT_DAY_MS;
}

static void on_look(struct loop_timer *t)
{
	struct issuer *i = t->owner;

	for (struct client *c = i->first; c; c = c->next)
		if (c->n_names && is_due(c))
			issue_or_say(c);
	(void)loop_timer_arm(i->loop, &i->look, ISSUER_LOOK_MS, on_look, i);
}

void issuer_clock_was_set(struct issuer *i)
{
	for (struct client *c = i->first; c; c = c->next)
		if (c->n_names && (c->retry_ms || is_due(c)))
			issue_or_say(c);
}

int issuer_new(struct issuer **ret, struct loop *l, const char *folder, const struct secret *key, issuer_end_fn on_end_fn, void *owner,
	       struct err *e)
{
	FD_AUTO int key_dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct issuer *i = calloc(1, sizeof(*i));
	int r;

	if (!i)
		return err_set(e, ENOMEM, "out of memory");
	*i = (struct issuer){ .loop = l, .key = key, .dir_fd = -1, .on_end = on_end_fn, .owner = owner };
	r = key_dir_fd < 0 || (mkdirat(key_dir_fd, "ca", 0700) < 0 && errno != EEXIST) ? err_sys(e, errno, "make %s/ca", folder) : 0;
	if (r == 0) {
		i->dir_fd = openat(key_dir_fd, "ca", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		r = i->dir_fd < 0 ? err_sys(e, errno, "open %s/ca", folder) : 0;
	}
	if (r == 0 && !loop_timer_arm(l, &i->look, ISSUER_LOOK_MS, on_look, i))
		r = err_set(e, ENOMEM, "out of memory");
	if (r < 0) {
		issuer_free(i);
		return r;
	}
	*ret = i;
	return 0;
}

struct issuer *issuer_free(struct issuer *i)
{
	if (!i)
		return NULL;
	for (struct client *c = i->first, *next; c; c = next) {
		next = c->next;
		client_free(c);
	}
	loop_timer_disarm(&i->look);
	(void)fd_close(i->dir_fd);
	free(i);
	return NULL;
}
