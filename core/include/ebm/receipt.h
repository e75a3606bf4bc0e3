/* Receipts: what made an image, as text inside its PNG, enough to make it again; lists of models;
 * sets of stopped chains. Knows operations; has never heard of requests or threads. */
#ifndef EBM_RECEIPT_H
#define EBM_RECEIPT_H

#include <stddef.h>
#include <stdint.h>

#include "ebm/compose.h"
#include "ebm/model.h"
#include "ebm/ops.h"
#include "ebm/status.h"

/* --- models ------------------------------------------------------------------------------- */

/* A model of a list. @range weight -100..100, not 0 */
typedef struct ebm_weighted {
    char id[EBM_MODEL_ID_MAX + 1];
    double weight;
} ebm_weighted;

/* Reads "id" or "id:weight,id:weight,...": at most EBM_COMPOSE_MAX_PARTS, each id once.
 * @shape list [EBM_COMPOSE_MAX_PARTS] @err ARG, RANGE (a weight) */
EBM_API EBM_MUST_CHECK ebm_status ebm_model_list_parse(const char *text, ebm_weighted *list,
                                                       int32_t *n, ebm_error *err);

/* --- receipts ----------------------------------------------------------------------------- */

#define EBM_RECEIPT_KEY "ebm" /* of the PNG text chunk */
/* In place of a kernel class where there was more than one. */
#define EBM_KERNEL_CLASS_SEVERAL "several"

/* Tensors of pictures that went in, by SHA-256 of their float32 values; "" where there is none. */
typedef struct ebm_receipt_inputs {
    char image[65], image_b[65], known[65];
} ebm_receipt_inputs;

typedef struct ebm_receipt {
    const ebm_operation *operation;
    ebm_op_params params; /* effective; pictures are NULL */
    int32_t item;
    int32_t n_models;
    ebm_weighted model[EBM_COMPOSE_MAX_PARTS];
    char sha256[EBM_COMPOSE_MAX_PARTS][65];        /* of the models' weights */
    char levels_sha256[EBM_COMPOSE_MAX_PARTS][65]; /* of their levels; "" in older receipts */
    char kernel_class[32];                         /* of all steps, or EBM_KERNEL_CLASS_SEVERAL */
    ebm_receipt_inputs inputs;
    char pixels_sha256[65]; /* of the image's 8-bit pixels [H,W,C]; "" for a whole run */
} ebm_receipt;

/* Begins the receipts of a run: operation, parameters, inputs; models are still to be added.
 * @shape dim: values of a tensor */
EBM_API void ebm_receipt_begin(const ebm_call *op, size_t dim, ebm_receipt *out);

/* Adds a model to a receipt that was begun; the first one brings the kernel class.
 * @range at most EBM_COMPOSE_MAX_PARTS times */
EBM_API void ebm_receipt_add_model(ebm_receipt *r, const ebm_model_info *model, double weight);

/* Notes of which kernel class other steps of the run are: chains may go on under another one, and
 * are chains as good, but from there on their run has no class of its own. */
EBM_API void ebm_receipt_add_class(ebm_receipt *r, const char *kernel_class);

/* False when no kernel class makes the run again: its images get no receipt. */
EBM_API bool ebm_receipt_of_one_class(const ebm_receipt *r);

/* The receipt of one item alone: number 0 of a run of one, where items do not depend on one
 * another's number; a chain counts as stopped after `steps` (0: after all). What does not change
 * the pixels is left at its default, so the receipt of an image does not depend on its company.
 * @shape pixels [bytes] */
EBM_API void ebm_receipt_item(const ebm_receipt *run, int32_t k, int64_t steps,
                              const uint8_t *pixels, size_t bytes, ebm_receipt *out);

/* Writes it as JSON in ASCII. @own *text: ebm_free() @err NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebm_receipt_text(const ebm_receipt *r, char **text,
                                                   ebm_error *err);
/* Reads it; nothing in it is trusted. @err FORMAT, LIMIT, RANGE, ARG, NOMEM; err->where is a field
 */
EBM_API EBM_MUST_CHECK ebm_status ebm_receipt_parse(const char *text, size_t size, ebm_receipt *out,
                                                    ebm_error *err);

/* One digest for all models of the receipt: that of the weights of a single one. */
EBM_API void ebm_receipt_model_digest(const ebm_receipt *r, char hex[65]);

/* One digest for all that the models of the receipt decide of a chain: their weights and levels. */
EBM_API void ebm_receipt_chain_digest(const ebm_receipt *r, char hex[65]);

/* Checks that `now` has the models that `then` tells of, in their order, by weights and levels.
 * Names and weights of the list are left to others. A receipt that does not tell of levels is taken
 * as it is.
 * @err DIGEST; err->where is the id of the model that differs */
EBM_API EBM_MUST_CHECK ebm_status ebm_receipt_same_models(const ebm_receipt *now,
                                                          const ebm_receipt *then, ebm_error *err);

/* --- sets of stopped chains ----------------------------------------------------------------- */

#define EBM_CHAIN_SET_MAX       64
#define EBM_CHAIN_SET_MAX_BYTES ((size_t)512 << 20)

/* One chain of a set: its checkpoint (ebm_mcmc_encode()) and its trace so far.
 * @shape scalars: rows times columns little-endian doubles */
typedef struct ebm_chain_part {
    const unsigned char *checkpoint;
    size_t checkpoint_bytes;
    const unsigned char *scalars;
    size_t rows;
} ebm_chain_part;

typedef struct ebm_chain_set {
    ebm_receipt run;
    int32_t n, columns; /* scalars of a row */
    bool forked;        /* states come from other seeds than the run's: no receipt tells how */
    ebm_chain_part chain[EBM_CHAIN_SET_MAX];
} ebm_chain_set;

/* Writes a set as one file: versioned, closed by a SHA-256 of all before.
 * @shape traces [set->n], in place of the parts' scalars; checkpoints from the parts
 * @own *data: ebm_free() @err NOMEM, LIMIT */
EBM_API EBM_MUST_CHECK ebm_status ebm_chain_set_encode(const ebm_chain_set *set,
                                                       const ebm_trace *traces,
                                                       unsigned char **data, size_t *size,
                                                       ebm_error *err);
/* Reads the envelope, also of the first version, which knows no forks; the checkpoints are still to
 * be decoded. @own *out points into data
 * @err FORMAT, LIMIT, DIGEST, and those of ebm_receipt_parse() */
EBM_API EBM_MUST_CHECK ebm_status ebm_chain_set_decode(const unsigned char *data, size_t size,
                                                       ebm_chain_set *out, ebm_error *err);
/* Copies the rows of chain k into a trace, which has its directions and room.
 * @err FORMAT (columns differ), LIMIT (no room) */
EBM_API EBM_MUST_CHECK ebm_status ebm_chain_set_trace(const ebm_chain_set *set, int32_t k,
                                                      ebm_trace *trace, ebm_error *err);

#endif
