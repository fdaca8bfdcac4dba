#include <stdio.h>

#include "base/time_text.h"
#include "ipc/spec.h"
#include "ipc/types.h"
#include "sawd/front/front.h"

static const char *accel_text(uint64_t accel)
{
	return accel == IPC_ACCEL_KVM ? "kvm" : accel == IPC_ACCEL_TCG ? "tcg" : "auto";
}

void render_time(struct json_out *j, const char *key, uint64_t ms)
{
	char text[TIME_TEXT_MAX];

	time_text(ms, text);
	json_out_key_str(j, key, text);
}

static void render_policy(struct json_out *j, const struct sawd_row *r)
{
	static const char digits[] = "0123456789abcdef";
	char hex[2 * SAWD_KEY_LEN];

	for (size_t i = 0; i < r->policy_sha256.len && i < SAWD_KEY_LEN; i++) {
		hex[2 * i] = digits[r->policy_sha256.p[i] >> 4];
		hex[2 * i + 1] = digits[r->policy_sha256.p[i] & 15];
	}
	json_out_key(j, "policy");
	json_out_object(j);
	json_out_key_bytes(j, "file", r->asked.policy_file);
	json_out_key_bytes(j, "channel", r->asked.policy_channel);
	json_out_key_bytes(j, "name", r->policy_name);
	json_out_key_bytes(j, "sha256", bytes_of(hex, 2 * r->policy_sha256.len));
	json_out_key_bytes(j, "release", r->policy_release);
	json_out_key_u64(j, "serial", r->policy_serial);
	json_out_key_bool(j, "rolled_back", r->policy_rollback != 0);
	json_out_key_u64(j, "generation", r->generation);
	json_out_key_u64(j, "loaded_generation", r->loaded_generation);
	json_out_key_bool(j, "lab", r->policy_lab == 1);
	json_out_key_bytes(j, "observes", r->policy_observes);
	json_out_key_bool(j, "unread", r->policy_unread);
	json_out_object_end(j);
}

void render_workspace(struct json_out *j, const struct sawd_row *r)
{
	const struct sawd_new *n = &r->asked;

	json_out_object(j);
	json_out_key_bytes(j, "id", r->id);
	json_out_key_bytes(j, "name", n->name);
	json_out_key_bytes(j, "owner", r->owner);
	json_out_key_str(j, "driver", n->driver == SPEC_DRIVER_TRY ? "try" : "machine");
	json_out_key_str(j, "state", sawd_state_text(r->state));
	json_out_key_str(j, "desired", sawd_desired_text(r->desired));
	json_out_key_bytes(j, "detail", r->detail);
	render_time(j, "since", r->since_ms);
	render_time(j, "created_at", r->created_ms);
	json_out_key_bytes(j, "image", n->image);
	json_out_key_bytes(j, "image_digest", r->image_digest);
	json_out_key_u64(j, "cpus", n->cpus);
	json_out_key_u64(j, "memory_bytes", n->memory_bytes);
	json_out_key_u64(j, "disk_bytes", n->disk_bytes);
	json_out_key_str(j, "accel", accel_text(n->accel));
	json_out_key_str(j, "accel_in_use", r->accel_in_use ? accel_text(r->accel_in_use) : "");
	render_policy(j, r);
	json_out_key_bytes(j, "upstream_proxy", n->upstream_proxy);
	json_out_key_bytes(j, "kernel_args", n->kernel_args);
	json_out_key_u64(j, "restarts", r->restarts);
	json_out_key_u64(j, "sessions", r->tunnels);
	json_out_object_end(j);
}

void render_event(struct buf *out, const struct sawd_row *r)
{
	struct json_out j;

	json_out_init(&j, out);
	json_out_object(&j);
	render_time(&j, "at", r->since_ms);
	json_out_key_bytes(&j, "workspace", r->asked.name);
	json_out_key_bytes(&j, "id", r->id);
	json_out_key_str(&j, "state", sawd_state_text(r->state));
	json_out_key_str(&j, "desired", sawd_desired_text(r->desired));
	json_out_key_bytes(&j, "detail", r->detail);
	json_out_key_str(&j, "accel_in_use", r->accel_in_use ? accel_text(r->accel_in_use) : "");
	json_out_object_end(&j);
	(void)buf_byte(out, '\n');
}

void render_problem(struct json_out *j, const struct sawd_problem *p)
{
	char type[80];

	(void)snprintf(type, sizeof(type), "urn:saw:problem:%.50s", p->code);
	json_out_object(j);
	json_out_key_str(j, "type", type);
	json_out_key_str(j, "title", http1_phrase(p->status));
	json_out_key_u64(j, "status", p->status);
	json_out_key_str(j, "detail", p->detail);
	json_out_key_bytes_opt(j, "field", bytes_str(p->field ? p->field : ""));
	json_out_key_bytes_opt(j, "remedy", bytes_str(p->remedy ? p->remedy : ""));
	json_out_key_u64(j, "exit", p->exit_code);
}
