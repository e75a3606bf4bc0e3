/* A labelled data set that any classifier can learn: bars in noise. */
#ifndef EBM_TEST_BARS_H
#define EBM_TEST_BARS_H

#include "ebmt/data.h"

/* n gray images of 8x8 with a bright bar: class 0 upright, 1 lying, 2 both. The content depends on
 * `seed` and the image's number. @own *out: ebmt_dataset_clear() */
void bars_make(int64_t n, uint64_t seed, ebmt_dataset *out);

#endif
