#include "proxy/problem.h"

#include "base/json_out.h"
#include "wire/http1_out.h"

void problem_put(const struct problem *p, struct buf *out)
{
	struct json_out j;

	json_out_init(&j, out);
	json_out_object(&j);
	json_out_key_str(&j, "type", "about:blank");
	json_out_key_str(&j, "title", http1_phrase(p->status));
	json_out_key_u64(&j, "status", p->status);
	if (p->reason != REASON_OK) {
		json_out_key_str(&j, "detail", reason_sentence(p->reason));
		json_out_key_str(&j, "reason", reason_code(p->reason));
		json_out_key_str(&j, "remedy", reason_remedy(p->reason));
	}
	json_out_key_bytes_opt(&j, "policy_change", p->change);
	json_out_key_bytes_opt(&j, "host", p->host);
	json_out_key_bytes_opt(&j, "rule", p->rule);
	json_out_key_bytes_opt(&j, "credential", p->credential);
	json_out_object_end(&j);
}

void problem_answer(const struct problem *p, bool last, bool to_head, struct buf *out)
{
	struct buf text BUF_AUTO = { .max = PROBLEM_MAX };

	problem_put(p, &text);
	(void)buf_fmt(out, "HTTP/1.1 %u %s\r\nContent-Type: application/problem+json\r\nContent-Length: %zu\r\n"
		      "Cache-Control: no-store\r\n%s\r\n",
		      p->status, http1_phrase(p->status), text.len, last ? "Connection: close\r\n" : "");
	if (!to_head)
		(void)buf_bytes(out, buf_view(&text));
}
