#include "wire/param_name.h"

enum param_name_byte param_name_byte(size_t n, uint8_t c)
{
	if (c == '\0')
		return PARAM_NAME_ENDS;
	if (c == '[' || c == ']')
		return n ? PARAM_NAME_ENDS : PARAM_NAME_SKIPS;
	return c == ' ' && n == 0 ? PARAM_NAME_SKIPS : PARAM_NAME_HAS;
}

bool param_name_unclosed(uint8_t *c)
{
	if (*c == '[')
		*c = '_';
	return *c != ']';
}
