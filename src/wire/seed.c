#include "wire/seed.h"

#include <stdio.h>

#include "base/json_out.h"
#include "wire/guest_net.h"
#include "wire/json_scan.h"

/* One source for two readers: cloud-init takes the standard members (users, ssh_keys, ca_certs, write_files), saw-guest takes the
 * values out of the same members again. Files that only sshd needs travel in write_files, under the paths below. */

#define PATH_USER_CA "/etc/ssh/saw_user_ca"
#define PATH_PRINCIPALS "/etc/ssh/saw_principals"
#define PATH_SSHD_CONFIG "/etc/ssh/sshd_config.d/10-saw.conf"
#define CLOUD_CONFIG "#cloud-config\n"
#define MAC_TEXT "%02x:%02x:%02x:%02x:%02x:%02x"

static const char sshd_config[] = "TrustedUserCAKeys " PATH_USER_CA "\n"
				  "AuthorizedPrincipalsFile " PATH_PRINCIPALS "\n"
				  "AuthorizedKeysFile none\n"
				  "HostKey /etc/ssh/ssh_host_ed25519_key\n"
				  "AuthenticationMethods publickey\n"
				  "PasswordAuthentication no\n"
				  "KbdInteractiveAuthentication no\n"
				  "PermitRootLogin no\n";

enum { NODES = 256, FILES = 3 };

static bool all_of(struct bytes s, size_t max, const char *also)
{
	if (s.len == 0 || s.len > max)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(also, c))))
			return false;
	}
	return true;
}

static bool label_ok(struct bytes s)
{
	return all_of(s, 63, "-") && s.p[0] != '-' && s.p[s.len - 1] != '-';
}

static bool user_ok(struct bytes s)
{
	if (!all_of(s, 32, "-_") || s.p[0] == '-' || (s.p[0] >= '0' && s.p[0] <= '9'))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] >= 'A' && s.p[i] <= 'Z')
			return false;
	return true;
}

/* "ssh-ed25519 AAAA..." with an optional comment of plain words. */
static bool key_line_ok(struct bytes s)
{
	return s.len >= 16 && all_of(s, SEED_LINE_MAX, " +/=-_.@:") && bytes_starts(s, bytes_str("ssh-ed25519 AAAA"));
}

/* Armour of one kind or several blocks of it, nothing but its letters between. */
static bool pem_ok(struct bytes s, size_t max, const char *kind)
{
	BUF_AUTO struct buf begin, end;

	buf_init(&begin, 100);
	buf_init(&end, 100);
	return all_of(s, max, "+/=- \n") && buf_fmt(&begin, "-----BEGIN %s-----\n", kind) &&
	       buf_fmt(&end, "\n-----END %s-----\n", kind) && bytes_starts(s, buf_view(&begin)) &&
	       bytes_ends(s, buf_view(&end));
}

const char *seed_check(const struct seed *s)
{
	if (!all_of(s->instance_id, 64, "-"))
		return "instance_id";
	if (!label_ok(s->hostname))
		return "hostname";
	if (!user_ok(s->user))
		return "user";
	if (!key_line_ok(s->user_ca))
		return "user_ca";
	if (!all_of(s->principal, SEED_TEXT_MAX, "-_.@:"))
		return "principal";
	if (!pem_ok(s->host_key, SEED_KEY_MAX, "OPENSSH PRIVATE KEY"))
		return "host_key";
	if (!key_line_ok(s->host_key_public))
		return "host_key_public";
	if (s->workspace_ca.len && !pem_ok(s->workspace_ca, SEED_CA_MAX, "CERTIFICATE"))
		return "workspace_ca";
	if (s->mac[0] & 1)
		return "mac";
	return NULL;
}

static void meta_data(struct buf *out, const struct seed *s)
{
	struct json_out j;

	json_out_init(&j, out);
	json_out_object(&j);
	json_out_key_bytes(&j, "instance-id", s->instance_id);
	json_out_key_bytes(&j, "local-hostname", s->hostname);
	json_out_object_end(&j);
	(void)buf_byte(out, '\n');
}

static void write_file(struct json_out *j, const char *path, struct bytes content)
{
	json_out_object(j);
	json_out_key_str(j, "path", path);
	json_out_key_str(j, "permissions", "0644");
	json_out_key_bytes(j, "content", content);
	json_out_object_end(j);
}

static void user_data(struct buf *out, const struct seed *s)
{
	struct json_out j;

	(void)buf_str(out, CLOUD_CONFIG);
	json_out_init(&j, out);
	json_out_object(&j);
	json_out_key(&j, "users");
	json_out_array(&j);
	json_out_object(&j);
	json_out_key_bytes(&j, "name", s->user);
	json_out_key_str(&j, "sudo", "ALL=(ALL) NOPASSWD:ALL");
	json_out_key_str(&j, "shell", "/bin/bash");
	json_out_key_bool(&j, "lock_passwd", true);
	json_out_object_end(&j);
	json_out_array_end(&j);
	json_out_key_bool(&j, "disable_root", true);
	json_out_key_bool(&j, "ssh_pwauth", false);
	json_out_key(&j, "ssh_keys");
	json_out_object(&j);
	json_out_key_bytes(&j, "ed25519_private", s->host_key);
	json_out_key_bytes(&j, "ed25519_public", s->host_key_public);
	json_out_object_end(&j);
	if (s->workspace_ca.len) {
		json_out_key(&j, "ca_certs");
		json_out_object(&j);
		json_out_key(&j, "trusted");
		json_out_array(&j);
		json_out_bytes(&j, s->workspace_ca);
		json_out_array_end(&j);
		json_out_object_end(&j);
	}
	json_out_key(&j, "write_files");
	json_out_array(&j);
	write_file(&j, PATH_USER_CA, s->user_ca);
	write_file(&j, PATH_PRINCIPALS, s->principal);
	write_file(&j, PATH_SSHD_CONFIG, bytes_str(sshd_config));
	json_out_array_end(&j);
	json_out_object_end(&j);
	(void)buf_byte(out, '\n');
}

static void mac_text(const uint8_t mac[6], char ret[18])
{
	(void)snprintf(ret, 18, MAC_TEXT, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static void text_list(struct json_out *j, const char *key, const char *text)
{
	json_out_key(j, key);
	json_out_array(j);
	json_out_str(j, text);
	json_out_array_end(j);
}

static void network_config(struct buf *out, const struct seed *s)
{
	struct json_out j;
	char mac[18];

	mac_text(s->mac, mac);
	json_out_init(&j, out);
	json_out_object(&j);
	json_out_key_u64(&j, "version", 2);
	json_out_key(&j, "ethernets");
	json_out_object(&j);
	json_out_key(&j, NET_GUEST_DEVICE);
	json_out_object(&j);
	json_out_key(&j, "match");
	json_out_object(&j);
	json_out_key_str(&j, "macaddress", mac);
	json_out_object_end(&j);
	json_out_key_str(&j, "set-name", NET_GUEST_DEVICE);
	text_list(&j, "addresses", NET_GUEST_TEXT "/24");
	json_out_key(&j, "routes");
	json_out_array(&j);
	json_out_object(&j);
	json_out_key_str(&j, "to", "0.0.0.0/0");
	json_out_key_str(&j, "via", NET_GATEWAY_TEXT);
	json_out_object_end(&j);
	json_out_array_end(&j);
	json_out_key(&j, "nameservers");
	json_out_object(&j);
	text_list(&j, "addresses", NET_GATEWAY_TEXT);
	json_out_object_end(&j);
	json_out_key_u64(&j, "mtu", NET_MTU);
	json_out_object_end(&j);
	json_out_object_end(&j);
	json_out_object_end(&j);
	(void)buf_byte(out, '\n');
}

/* A volume serial that differs between instances (FNV-1a): some readers cache by it. */
static uint32_t serial_of(struct bytes s)
{
	uint32_t h = 2166136261U;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ s.p[i]) * 16777619U;
	return h;
}

bool seed_build(struct buf *out, const struct seed *s)
{
	BUF_AUTO struct buf meta, user, network;

	buf_init(&meta, FAT_IMAGE_BYTES);
	buf_init(&user, FAT_IMAGE_BYTES);
	buf_init(&network, FAT_IMAGE_BYTES);
	if (seed_check(s))
		return false;
	meta_data(&meta, s);
	user_data(&user, s);
	network_config(&network, s);
	if (meta.failed || user.failed || network.failed)
		return false;
	return fat_write(out, "CIDATA", serial_of(s->instance_id),
			 (const struct fat_file[FILES]){ { bytes_str("meta-data"), buf_view(&meta) },
							 { bytes_str("user-data"), buf_view(&user) },
							 { bytes_str("network-config"), buf_view(&network) } },
			 FILES);
}

struct doc {
	struct buf text;
	struct json_node nodes[NODES];
};

static void doc_deinit(struct doc *d)
{
	buf_deinit(&d->text);
}
#define DOC_AUTO __attribute__((cleanup(doc_deinit)))

/* Reads and scans one file of the volume. */
static bool doc_read(struct bytes image, const char *name, const char *head, struct doc *d)
{
	struct bytes s;
	uint32_t n;
	size_t at;

	buf_init(&d->text, FAT_IMAGE_BYTES);
	if (fat_read(image, name, &d->text) != FAT_OK)
		return false;
	s = buf_view(&d->text);
	if (!bytes_starts(s, bytes_str(head)))
		return false;
	return json_scan(bytes_skip(s, strlen(head)), d->nodes, NODES, &n, &at) == JSON_OK;
}

static bool take(struct seed_view *v, const struct json_node *n, struct bytes *ret)
{
	BUF_AUTO struct buf b;

	buf_init(&b, sizeof(v->text));
	if (!json_text(n, &b) || b.len > sizeof(v->text) - v->used)
		return false;
	if (b.len)
		memcpy(v->text + v->used, b.p, b.len);
	*ret = bytes_of(v->text + v->used, b.len);
	v->used += b.len;
	return true;
}

static const struct json_node *file_of(const struct doc *d, const char *path)
{
	const struct json_node *files = json_get(d->nodes, d->nodes, "write_files"), *file;

	for (uint32_t i = 0; (file = json_at(d->nodes, files, i)); i++)
		if (json_is(json_get(d->nodes, file, "path"), path))
			return json_get(d->nodes, file, "content");
	return NULL;
}

static const char *take_meta(struct seed_view *v, struct bytes image)
{
	DOC_AUTO struct doc d = { 0 };

	if (!doc_read(image, "meta-data", "", &d))
		return "meta-data";
	if (!take(v, json_get(d.nodes, d.nodes, "instance-id"), &v->seed.instance_id))
		return "instance-id";
	return take(v, json_get(d.nodes, d.nodes, "local-hostname"), &v->seed.hostname) ? NULL : "local-hostname";
}

static const char *take_user(struct seed_view *v, struct bytes image)
{
	DOC_AUTO struct doc d = { 0 };
	const struct json_node *user, *keys, *ca;

	if (!doc_read(image, "user-data", CLOUD_CONFIG, &d))
		return "user-data";
	user = json_at(d.nodes, json_get(d.nodes, d.nodes, "users"), 0);
	keys = json_get(d.nodes, d.nodes, "ssh_keys");
	ca = json_at(d.nodes, json_get(d.nodes, json_get(d.nodes, d.nodes, "ca_certs"), "trusted"), 0);
	if (!take(v, json_get(d.nodes, user, "name"), &v->seed.user))
		return "user";
	if (!take(v, json_get(d.nodes, keys, "ed25519_private"), &v->seed.host_key) ||
	    !take(v, json_get(d.nodes, keys, "ed25519_public"), &v->seed.host_key_public))
		return "ssh_keys";
	if (!take(v, file_of(&d, PATH_USER_CA), &v->seed.user_ca))
		return "user_ca";
	if (!take(v, file_of(&d, PATH_PRINCIPALS), &v->seed.principal))
		return "principals";
	return !ca || take(v, ca, &v->seed.workspace_ca) ? NULL : "ca_certs";
}

static int hex(uint8_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool mac_parse(struct bytes s, uint8_t ret[6])
{
	uint8_t mac[6];

	if (s.len != 17)
		return false;
	for (size_t i = 0; i < 6; i++) {
		int high = hex(s.p[i * 3]), low = hex(s.p[i * 3 + 1]);

		if (high < 0 || low < 0 || (i < 5 && s.p[i * 3 + 2] != ':'))
			return false;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(ret, mac, 6);
	return true;
}

static const char *take_network(struct seed_view *v, struct bytes image)
{
	DOC_AUTO struct doc d = { 0 };
	const struct json_node *eth;
	struct bytes mac;

	if (!doc_read(image, "network-config", "", &d))
		return "network-config";
	eth = json_get(d.nodes, json_get(d.nodes, d.nodes, "ethernets"), NET_GUEST_DEVICE);
	if (!take(v, json_get(d.nodes, json_get(d.nodes, eth, "match"), "macaddress"), &mac) ||
	    !mac_parse(mac, v->seed.mac))
		return "macaddress";
	return NULL;
}

const char *seed_read(struct bytes image, struct seed_view *ret)
{
	const char *bad;

	*ret = (struct seed_view){ 0 };
	if (!fat_has_label(image, "CIDATA"))
		return "label";
	bad = take_meta(ret, image);
	if (!bad)
		bad = take_user(ret, image);
	if (!bad)
		bad = take_network(ret, image);
	return bad ? bad : seed_check(&ret->seed);
}
