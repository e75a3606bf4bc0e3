/* What the files of api/ share: JSON output, base64, suggestions, the body pre-scan.
 * Not for other rooms. */
#ifndef EBMA_API_INTERNAL_H
#define EBMA_API_INTERNAL_H

#include <jansson.h>

#include "ebma/api.h"
#include "ebma/op_request.h"
#include "ebma/op_results.h"

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

/* The same for "a.b": the member b of the object a, which is made if it is missing. */
void ebma__set_path(json_t *root, const char *path, json_t *value, bool *ok);
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

/* Appends a field error at a path of rows' names: "until.ess" becomes /until/ess. */
void ebma__problem_path(ebma_problem *problem, ebm_arena *arena, const char *path,
                        const ebma_field_error *error);

/* Appends a field error at a name that a client chose, of an object of rows; group NULL: of the
 * body. */
void ebma__problem_member(ebma_problem *problem, ebm_arena *arena, const char *group,
                          const char *name, const ebma_field_error *error);

/* --- requests ------------------------------------------------------------------------------ */

#define EBMA_NOT_A_PNG_FIELD "not_a_png" /* code of a field error */

/* What is wrong with a picture's text. */
typedef enum ebma__base64_fault {
    EBMA__BASE64_OK,
    EBMA__BASE64_BAD,
    EBMA__BASE64_LONG,
    EBMA__BASE64_NOT_PNG,
    EBMA__BASE64_NOMEM
} ebma__base64_fault;
/* Takes a PNG file out of base64, with or without "data:image/png;base64," before it; of another
 * type's data the first bytes decide. text ends in a NUL.
 * @own out lies in the arena */
ebma__base64_fault ebma__picture_decode(const char *text, size_t len, ebm_arena *arena,
                                        ebma_picture *out);

/* Checks one member against its row and stores it, or records why not. */
typedef struct ebma__decoder {
    ebm_arena *arena;
    ebma_problem *problem;
    ebma_op_request *out;
} ebma__decoder;
void ebma__decode_member(ebma__decoder *d, const ebm_param *row, const json_t *value);

/* A number of a row as JSON: null for one that counts as absent. NULL without memory. */
json_t *ebma__param_value(const ebm_param *row, double value);
/* The request as the object that asks for it again, as ebma_op_encode(). NULL without memory. */
json_t *ebma__op_object(const ebma_op_request *request, bool whole);
/* The text to keep of an object that a request brought: no blanks, numbers as short as their bits
 * allow. @own *out lies in the arena @err LIMIT (over EBMA_METADATA_MAX), NOMEM */
ebm_status ebma__metadata_take(const json_t *value, ebm_arena *arena, const char **out);
/* The object of that text. NULL without memory. */
json_t *ebma__metadata(const char *text);
/* What chains say together. NULL without memory. */
json_t *ebma__report_object(const struct ebma_chains *chains);
/* A number, or null for one that is not finite. */
json_t *ebma__number(double v);
/* Sets data and what else the results of a job consist of. */
void ebma__set_results(json_t *root, const ebma_job *job, bool *ok);

#endif
