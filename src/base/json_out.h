/* A JSON writer (RFC 8259) into a buf: commas and escapes are its business, never the caller's. */
#ifndef SAW_BASE_JSON_OUT_H
#define SAW_BASE_JSON_OUT_H

#include "base/buf.h"

enum { JSON_OUT_DEPTH_MAX = 16 };

/* Borrows `out`. Errors are out->failed. Misuse (a value without a key in an object) is must(). */
struct json_out {
	struct buf *out;
	unsigned depth;
	bool first[JSON_OUT_DEPTH_MAX + 1];
	bool after_key;
};

void json_out_init(struct json_out *j, struct buf *out);

void json_out_object(struct json_out *j);
void json_out_object_end(struct json_out *j);
void json_out_array(struct json_out *j);
void json_out_array_end(struct json_out *j);
/* A key from anywhere. */
void json_out_key_name(struct json_out *j, struct bytes key);
/* A key of ours, which needs no escape: it is not looked at. */
void json_out_plain_key(struct json_out *j, struct bytes key);
static inline void json_out_key(struct json_out *j, const char *key)
{
	json_out_plain_key(j, bytes_str(key));
}
/* Members of the open object that were rendered before, without the comma before the first: at least one. */
void json_out_members(struct json_out *j, struct bytes members);

/* Text: bytes that are not valid UTF-8, and NUL (which readers, ours too, refuse), are written as U+FFFD each; control
 * characters, quotes and U+2028/2029 are escaped. The output is always valid UTF-8 JSON. */
void json_out_bytes(struct json_out *j, struct bytes text);
static inline void json_out_str(struct json_out *j, const char *text)
{
	json_out_bytes(j, bytes_str(text));
}
void json_out_u64(struct json_out *j, uint64_t v);
void json_out_bool(struct json_out *j, bool v);
void json_out_null(struct json_out *j);

/* key + value in one call. The _opt form writes nothing for an empty text. */
static inline void json_out_key_str(struct json_out *j, const char *key, const char *text)
{
	json_out_key(j, key);
	json_out_str(j, text);
}
static inline void json_out_key_bytes(struct json_out *j, const char *key, struct bytes text)
{
	json_out_key(j, key);
	json_out_bytes(j, text);
}
static inline void json_out_key_bytes_opt(struct json_out *j, const char *key, struct bytes text)
{
	if (text.len)
		json_out_key_bytes(j, key, text);
}
static inline void json_out_key_u64(struct json_out *j, const char *key, uint64_t v)
{
	json_out_key(j, key);
	json_out_u64(j, v);
}
static inline void json_out_key_bool(struct json_out *j, const char *key, bool v)
{
	json_out_key(j, key);
	json_out_bool(j, v);
}

#endif
