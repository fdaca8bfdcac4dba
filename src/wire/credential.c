#include "wire/credential.h"

static bool id_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool credential_id_ok(struct bytes id)
{
	if (id.len == 0 || id.len > CREDENTIAL_ID_MAX || !id_byte(id.p[0]))
		return false;
	for (size_t i = 0; i < id.len; i++)
		if (!id_byte(id.p[i]) && id.p[i] != '-' && id.p[i] != '_' && id.p[i] != '.')
			return false;
	return true;
}

enum credential_fault credential_check(struct bytes value)
{
	if (value.len == 0)
		return CREDENTIAL_EMPTY;
	if (value.len > CREDENTIAL_MAX)
		return CREDENTIAL_TOO_LONG;
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] == '\r' || value.p[i] == '\n')
			return CREDENTIAL_LINE_END;
		if (value.p[i] < 0x20 || value.p[i] > 0x7e)
			return CREDENTIAL_BYTE;
	}
	return value.p[0] == ' ' || value.p[value.len - 1] == ' ' ? CREDENTIAL_BLANK : CREDENTIAL_OK;
}

const char *credential_fault_text(enum credential_fault f)
{
	switch (f) {
	case CREDENTIAL_EMPTY:
		return "is empty";
	case CREDENTIAL_TOO_LONG:
		return "is longer than 16 KiB";
	case CREDENTIAL_LINE_END:
		return "has a line end inside: a credential is one line";
	case CREDENTIAL_BYTE:
		return "has a byte that no header field may carry: use visible ASCII";
	case CREDENTIAL_BLANK:
		return "begins or ends with a blank";
	case CREDENTIAL_OK:
		break;
	}
	return "";
}

struct bytes credential_trim(struct bytes text)
{
	if (text.len && text.p[text.len - 1] == '\n')
		text.len--;
	else
		return text;
	if (text.len && text.p[text.len - 1] == '\r')
		text.len--;
	return text;
}
