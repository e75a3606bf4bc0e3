/* What the files of api/ share: JSON output, base64, suggestions, the body pre-scan.
 * Not for other rooms. */
#ifndef EBMA_API_INTERNAL_H
#define EBMA_API_INTERNAL_H

#include <jansson.h>

#include "ebma/api.h"

/* What is wrong with a body before it is parsed. */
typedef enum ebma__scan {
    EBMA__SCAN_OK,
    EBMA__SCAN_EMPTY,
    EBMA__SCAN_TOO_LONG,
    EBMA__SCAN_TOO_DEEP,
    EBMA__SCAN_TOO_MANY_KEYS
} ebma__scan;
/* Counts brackets and colons outside strings in one pass, without allocating: the JSON library
 * would spend 77 bytes per hostile byte before its own limit stops it. */
ebma__scan ebma__json_scan(const char *json, size_t len);

/* Serialises and releases a value (NULL means that building it failed).
 * @own consumes root; *json: ebm_free() @err NOMEM */
ebm_status ebma__json_write(json_t *root, char **json, size_t *size, ebm_error *err);

/* The same with the members of every object in order of their names. */
ebm_status ebma__json_write_sorted(json_t *root, char **json, size_t *size, ebm_error *err);

/* Sets a member and folds failure into *ok; consumes value, which may be NULL after failure. */
void ebma__set(json_t *object, const char *key, json_t *value, bool *ok);

/* A duration or share with as many digits as mean something; scale is a power of ten. */
double ebma__digits(double value, double scale);

/* The progress member of job objects and the data of progress events, or NULL. */
json_t *ebma__progress_object(const ebma_progress *p, double eta_s);

/* A JSON string of bytes in base64, or NULL. */
json_t *ebma__base64(const unsigned char *data, size_t size);

/* A time as a JSON string, null for 0. */
json_t *ebma__time(int64_t unix_ms);

/* The members of the problem with this code as a JSON object without field errors, or NULL. */
json_t *ebma__problem_object(ebma_problem_code code);

/* Closest row name to a misspelt one, or NULL if none is close. */
const char *ebma__suggest(const ebma_table *table, const char *name);

/* Checks one member against its row and stores it, or records why not. */
typedef struct ebma__decoder {
    ebm_arena *arena;
    ebma_problem *problem;
    ebma_sample_request *out;
    bool seed_given;
} ebma__decoder;
void ebma__decode_member(ebma__decoder *d, const ebm_param *row, const json_t *value);

#endif
