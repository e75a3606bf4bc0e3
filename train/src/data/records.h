/* Images as records of one size, one after the other, in a few files or in memory: IDX, CIFAR,
 * NumPy arrays. Knows offsets; has never heard of the formats. */
#ifndef EBMT_DATA_RECORDS_H
#define EBMT_DATA_RECORDS_H

#include "data/input.h"
#include "data/source.h"

#define EBMT_RECORDS_MAX_PARTS 5
#define EBMT_RECORDS_NAME      256

/* One file. @unit header: bytes before its first record */
typedef struct ebmt__records_part {
    ebmt__input in;
    char name[EBMT_RECORDS_NAME];
    size_t header;
    int64_t count;
} ebmt__records_part;

typedef struct ebmt__records {
    int32_t channels, height, width;
    bool planar;          /* [C,H,W]; else [H,W,C] */
    size_t skip;          /* bytes of each record before its pixels */
    unsigned char *bytes; /* one part in memory instead of a file, ebm_free(), or NULL */
    int32_t n_parts;
    ebmt__records_part part[EBMT_RECORDS_MAX_PARTS];
} ebmt__records;

/* An empty set of records, NULL without memory. @own ebmt__records_free() */
ebmt__records *ebmt__records_create(void);
/* Opens DIR/NAME (dir may be NULL) as the next part; its header and count are the caller's.
 * @err as ebmt__input_open() */
EBM_MUST_CHECK ebm_status ebmt__records_add(ebmt__records *r, const char *dir, const char *name,
                                            ebm_error *err);
void ebmt__records_free(void *records); /* NULL allowed */

/* Bytes of one record. */
size_t ebmt__records_stride(const ebmt__records *r);
/* Turns finished records into a source, which owns them from then on. */
void ebmt__records_source(ebmt__records *r, ebmt__source *out);

#endif
