#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "wire/json_number.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A number equals itself however it is spelled, and nobody else's double is the same unless it is the same double. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes s = bytes_of(data, size);
	size_t cut = bytes_find(s, ' ');
	struct bytes a = bytes_of(data, cut), b = cut < size ? bytes_skip(s, cut + 1) : a;
	char x[JSON_NUMBER_MAX + 4], y[JSON_NUMBER_MAX + 1];

	if (!json_number_valid(a))
		return 0;
	must(json_number_same(a, a));
	(void)snprintf(x, sizeof(x), "%.*s%s", (int)a.len, (const char *)a.p, bytes_find(a, '.') < a.len ? "" : "e0");
	if (bytes_find(a, '.') == a.len && bytes_find(a, 'e') == a.len && bytes_find(a, 'E') == a.len && a.len + 2 <= JSON_NUMBER_MAX)
		must(json_number_same(a, bytes_str(x)));
	if (json_number_is_double(a)) {
		(void)snprintf(x, sizeof(x), "%.*s", (int)a.len, (const char *)a.p);
		must(strtod(x, NULL) < 1e308 && strtod(x, NULL) > -1e308);
	}
	if (json_number_valid(b) && json_number_same(a, b)) {
		(void)snprintf(x, sizeof(x), "%.*s", (int)a.len, (const char *)a.p);
		(void)snprintf(y, sizeof(y), "%.*s", (int)b.len, (const char *)b.p);
		must(strtod(x, NULL) == strtod(y, NULL) || !json_number_is_double(a));
	}
	return 0;
}
