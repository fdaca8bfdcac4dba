#include "base/sort.h"

#include <stdint.h>

#include "base/tap.h"

static int by_value(const void *a, const void *b, const void *context)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	++*(size_t *)(uintptr_t)context;
	return (x > y) - (x < y);
}

TEST(every_length_and_shape_comes_out_in_order_within_n_log_n)
{
	uint32_t v[1000];

	for (size_t n = 0; n <= 1000; n = n < 20 ? n + 1 : n * 7)
		for (size_t shape = 0; shape < 5; shape++) {
			uint64_t sum = 0, got = 0;
			size_t compared = 0, log = 1;

			for (size_t i = 0; i < n; i++) {
				v[i] = (uint32_t)(shape == 0 ? i : shape == 1 ? n - i : shape == 2 ? 7 : shape == 3 ? i * 7919 % 1009 : i % 3);
				sum += v[i];
			}
			sort(v, n, sizeof(v[0]), by_value, &compared);
			for (size_t i = 0; i < n; i++) {
				got += v[i];
				if (i)
					CHECK(v[i - 1] <= v[i]);
			}
			CHECK_INT(got, sum);
			while ((size_t)1 << log <= n)
				log++;
			CHECK(compared <= 2 * n * log);
		}
}
