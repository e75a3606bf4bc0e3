/* Floors of earlier evaluations, kept in a file: they depend on data, ruler, number and seed, and
 * on no model. Knows comparisons; has never heard of how they are made. */
#ifndef EBMT_FLOOR_CACHE_H
#define EBMT_FLOOR_CACHE_H

#include "ebmt/eval.h"

/* Digest of all that floors depend on. @shape hex [65] */
void ebmt__floors_key(const ebmt_eval_options *opt, const ebmt_floor_file *file, char *hex);

/* Takes over the three floors that are kept under a key; their names and those of the report stay.
 * False: there are none, and out is untouched. A file that is damaged, or not of ours, holds none
 * and is noted. */
bool ebmt__floors_take(const ebmt_floor_file *file, const char *key, ebmt_ruler_report *out);

/* Keeps floors under a key, with the newest few that the file held before. A file that cannot be
 * written is noted: the evaluation has its floors anyway. */
void ebmt__floors_keep(const ebmt_floor_file *file, const char *key, ebmt_ruler_report *report);

#endif
