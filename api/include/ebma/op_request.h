/* Requests for operations: the JSON body of POST /v1/sample, /v1/inpaint and so on, against the
 * parameter tables of core (ebm/params.h) and a few rows that only a server has. Knows fields and
 * base64; has never heard of which models exist, of tensors or of who asks. */
#ifndef EBMA_OP_REQUEST_H
#define EBMA_OP_REQUEST_H

#include "ebm/params.h"
#include "ebm/receipt.h"
#include "ebma/api.h"

/* The rows of an operation: the model, core's rows, and those that only a server has. A point in a
 * name leads into an object: "until.ess" is {"until":{"ess":1}}. */
#define EBMA_TABLE_MAX 40
typedef struct ebma_table {
    const ebm_param *row[EBMA_TABLE_MAX];
    size_t n;
} ebma_table;
EBM_API ebma_table ebma_op_table(ebm_op_kind kind);
/* True for the row of pictures in a list: "images". */
EBM_API bool ebma_row_is_list(const ebm_param *row);
/* True for an operation whose requests may hold pictures. */
EBM_API bool ebma_op_takes_pictures(const ebm_operation *op);

typedef enum ebma_format { EBMA_FORMAT_B64_JSON, EBMA_FORMAT_URL, EBMA_FORMAT_NONE } ebma_format;

/* The bytes of a PNG file; size 0: there is none. */
typedef struct ebma_picture {
    const unsigned char *png;
    size_t size;
} ebma_picture;

#define EBMA_PICTURES_MAX     64   /* of a list */
#define EBMA_PRIORITY_DEFAULT 5    /* of 0..9; 9 goes first */
#define EBMA_METADATA_MAX     4096 /* bytes */

/* A checked request. Absent fields hold the row's preset.
 * @own pictures and metadata lie in the arena of the decoder */
typedef struct ebma_op_request {
    const ebm_operation *operation;
    ebm_op_params params; /* seeds are drawn; image, mask, image_b: not NULL if there is one */
    ebm_weighted model[EBM_COMPOSE_MAX_PARTS];
    int32_t n_models; /* 0: the server's default */
    ebma_picture image, mask, image_b;
    ebma_picture images[EBMA_PICTURES_MAX];
    int32_t n_images;
    int32_t width, height; /* of an image; 0: left open */
    ebma_format format;
    bool sheet, animation;
    int32_t delay_ms;     /* of the animation */
    int32_t priority;     /* 0..9, 9 first; -1: left open */
    double timeout_s;     /* 0: none */
    const char *metadata; /* the text of a JSON object; NULL: none */
} ebma_op_request;

/* Parses and checks a body; draws the seeds that it leaves open. All bad fields are reported at
 * once, then what bounds several of them. Pictures are taken out of their base64 and must begin
 * like PNG files; nothing else of them is looked at.
 * @own pictures and field errors lie in the arena
 * @err ARG (not JSON), LIMIT (too long), RANGE (fields), NOMEM, IO (no randomness): problem says
 *      what to answer */
EBM_API EBM_MUST_CHECK ebm_status ebma_op_decode(const ebm_operation *op, const char *json,
                                                 size_t len, ebm_arena *arena, ebma_op_request *out,
                                                 ebma_problem *problem);
/* --- kept chains --------------------------------------------------------------------------- */

/* What may be asked of chains that are kept. */
typedef enum ebma_chain_call {
    EBMA_CHAINS_EXTEND, /* further steps */
    EBMA_CHAINS_FORK,   /* further steps with another seed */
    EBMA_CHAINS_RESUME  /* the steps that were asked for once */
} ebma_chain_call;

/* The rows of such a request: some of those of mcmc; steps are further ones. */
EBM_API ebma_table ebma_chain_table(ebma_chain_call call);
/* Parses and checks such a body, as ebma_op_decode(); what it does not hold are presets. Rules
 * between fields are the caller's, who knows the chains. */
EBM_API EBM_MUST_CHECK ebm_status ebma_chain_decode(ebma_chain_call call, const char *json,
                                                    size_t len, ebm_arena *arena,
                                                    ebma_op_request *out, ebma_problem *problem);

/* A stored request to go on with chains: their run as it shall be. */
typedef struct ebma_chains_request {
    ebm_receipt run;
    bool forked;          /* states come from other seeds than the run's */
    const char *metadata; /* as in ebma_op_request */
} ebma_chains_request;
/* @own *json: ebm_free() @err NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebma_chains_encode(const ebma_chains_request *request,
                                                     char **json, size_t *size, ebm_error *err);
/* @own metadata lies in the arena @err FORMAT; NOMEM; what ebm_receipt_parse() says */
EBM_API EBM_MUST_CHECK ebm_status ebma_chains_decode(const char *json, size_t size,
                                                     ebm_arena *arena, ebma_chains_request *out,
                                                     ebm_error *err);
/* Reads from a job object of chains how many there are and how many snapshots each has.
 * @range 1..64, 0..64 @err FORMAT */
EBM_API EBM_MUST_CHECK ebm_status ebma_chains_count(const char *json, size_t size, int32_t *chains,
                                                    int32_t *keep, ebm_error *err);
/* Writes what a job object says of its chains: id, status, diagnostics. @own *out: ebm_free()
 * @err FORMAT, NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebma_chains_diagnostics(const char *json, size_t size, char **out,
                                                          size_t *out_size, ebm_error *err);

/* --- forms --------------------------------------------------------------------------------- */

/* A body of multipart/form-data. */
typedef struct ebma_form {
    const char *content_type; /* with the boundary */
    const char *body;
    size_t size;
} ebma_form;
/* Turns a form into the JSON body that asks for the same: parts are named like fields, pictures are
 * PNG files, numbers are written as in JSON, a model is text. @own *json: ebm_free(); field errors
 * lie in the arena
 * @err ARG (not a form), LIMIT, RANGE (a field twice), NOMEM: problem says what to answer */
EBM_API EBM_MUST_CHECK ebm_status ebma_form_decode(const ebm_operation *op, const ebma_form *in,
                                                   ebm_arena *arena, char **json, size_t *size,
                                                   ebma_problem *problem);
/* Writes the request as a body that asks for exactly the same; unless it is whole, without pictures
 * and metadata, it is `params` of the job object. @own *json: ebm_free() @err NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebma_op_encode(const ebma_op_request *request, bool whole,
                                                 char **json, size_t *size, ebm_error *err);
/* Appends the field error of a row (a point in its name leads into an object), for a check of the
 * value that somebody else has made. code and detail as in ebma_field_error. */
EBM_API void ebma_problem_row(ebma_problem *problem, ebm_arena *arena, const char *row,
                              const char *code, const char *detail);

#endif
