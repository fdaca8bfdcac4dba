/* Sorting in place without memory of its own, in n log n comparisons whatever the input is. (qsort() takes memory, and glibc's asks the
 * system how much there is, which no jail of ours permits.) */
#ifndef SAW_BASE_SORT_H
#define SAW_BASE_SORT_H

#include <stddef.h>

enum { SORT_SIZE_MAX = 64 }; /* of one element */

/* <0, 0, >0 */
typedef int sort_order_fn(const void *a, const void *b, const void *context);

/* `n` elements of `size` bytes, ascending; equal ones in any order. */
void sort(void *p, size_t n, size_t size, sort_order_fn *order, const void *context);

#endif
