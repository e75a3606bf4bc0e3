/* What a kind of job is: the table of functions between a request body and its results. A kind
 * knows its request, its chains and its numbers; it has never heard of the queue, the store, leases
 * or connections, and they have never heard of it.
 *
 * A job is made of `parts` that do not depend on each other, such as one image, one chain, one
 * frame. Any worker may step any part; one part is stepped by one worker at a time. Results must
 * depend on the request alone: not on the worker, on how a part's work is cut into quanta, or on
 * a checkpoint in between.
 *
 * To add a kind: a file kind_x.c with one ebmd_kind, a row in kinds.c, a row in router.c. */
#ifndef EBMD_KIND_H
#define EBMD_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebm/compose.h"
#include "ebm/ops.h"
#include "ebm/params.h"
#include "ebma/api.h"
#include "models/engine.h"
#include "store/jobrow.h"
#include "kinds/tools.h"

#define EBMD_VALUES 8

/* Bytes of the arena that a plan is parsed into: pictures as files and as tensors, for the most. */
#define EBMD_PLAN_ARENA (64u << 20)

/* Bytes that the states of parts may have in a checkpoint, which is one blob: the rest is what it
 * says of all parts. */
#define EBMD_STATES_MAX (EBMD_BLOB_MAX - (1u << 20))

/* Most gradient evaluations that one job may ask for: weeks on one machine. */
#define EBMD_JOB_WORK_MAX 1e9

typedef struct ebmd_kind ebmd_kind;

/* A checked request and what it will cost. */
typedef struct ebmd_plan {
    const ebmd_kind *kind;
    void *request; /* the kind's own struct, in the arena given to parse() */
    ebm_model *model[EBM_COMPOSE_MAX_PARTS]; /* borrowed from the engine */
    double weight[EBM_COMPOSE_MAX_PARTS];
    int32_t n_models;
    ebm_compose_kind compose;
    char digest[65];          /* of all weights */
    char chain_digest[65];    /* of all weights and levels: what chains and energies are bound to */
    const char *kernel_class; /* of all its numbers, or EBM_KERNEL_CLASS_SEVERAL; in the arena */
    uint64_t seed;            /* of all noise */
    int64_t first_index;      /* of the first image in its seed */
    bool bare;                /* replies tell of pictures, and leave them out */
    size_t work;              /* floats of scratch that a quantum needs */
    int32_t parts;            /* 1..EBMD_PARTS_MAX */
    int32_t outputs;          /* byte strings that a part gives, at least 1 */
    int32_t images;           /* outputs 0..images-1 of the job are PNG files */
    int64_t part_work;        /* gradient evaluations of one part, known before it runs */
    int64_t behind;     /* of those of all parts, what the chains that it begins with have done */
    size_t state_size;  /* bytes of one part between two quanta */
    int32_t priority;   /* 0..9; -1: left open */
    int64_t timeout_ms; /* 0: none */
} ebmd_plan;

typedef struct ebmd_output {
    unsigned char *data; /* e.g. a PNG; ebm_free() */
    size_t size;
} ebmd_output;

/* What one finished part gave. Output i of part k is number i parts + k of the job. */
typedef struct ebmd_result {
    ebmd_output *output;       /* [plan->outputs]; ebm_free() */
    double value[EBMD_VALUES]; /* what they mean is the kind's business; kept in checkpoints */
    double encode_ms;
} ebmd_result;

/* Filled in by whoever has a job to describe. */
typedef struct ebmd_facts {
    const char *id, *build;
    int64_t created_ms;
    const ebmd_result *results; /* [parts], or NULL while there are none */
    int64_t grad_evals;         /* read if there are results, as the next one */
    double batch_mean;          /* chains at work side by side, on average over its quanta */
    bool partial;               /* results of a job that was stopped before its end, */
    int32_t parts;              /* of so many of its parts, the first ones */
} ebmd_facts;

/* Where a part stands on its way. */
typedef struct ebmd_sight {
    int32_t level, levels; /* noise level it is at, of so many; levels 0: it knows none */
    int32_t step, steps;   /* within the level */
} ebmd_sight;

/* What chains show of themselves as they go. */
typedef struct ebmd_reading {
    bool has_logp, has_accept;
    double logp;        /* nats, of the density that is sampled at the chain's level */
    double accept_rate; /* of its moves, 0..1 */
} ebmd_reading;

/* One quantum of one part. */
typedef struct ebmd_quantum {
    int64_t max_evals;    /* stop after so many gradient evaluations */
    int64_t evals;        /* out: gradient evaluations done */
    bool finished;        /* out: collect() is next */
    ebmd_reading reading; /* out: zeroed is nothing */
} ebmd_quantum;

/* Where a part stands, for diagnose(): one of the two, or none before it begins. */
typedef struct ebmd_standing {
    void *state;               /* on its way */
    const ebmd_result *result; /* through */
} ebmd_standing;

struct ebmd_kind {
    const char *name; /* "sample": the kind member of job objects; at most 15 characters */
    ebm_op_kind operation;
    bool lasts; /* a request is answered 202 at once, unless it says that it waits */
    bool keeps; /* a job that was stopped keeps what its parts had come to; of other jobs that draw
                   images it keeps those that were done, up to the first that was not */

    /* Checks a request body, or the canonical form that canon() wrote, which must give the same
     * plan; finds the models; fills all of *plan but `kind`, which the caller has set.
     * @own request and problem lie in the arena
     * @err anything: *problem says what to answer */
    ebm_status (*parse)(const ebmd_engine *engine, const char *json, size_t size, ebm_arena *arena,
                        ebmd_plan *plan, ebma_problem *problem);
    /* Writes the request with everything that was left open decided: seed, defaults, model.
     * @own *json: ebm_free() @err NOMEM */
    ebm_status (*canon)(const ebmd_plan *plan, char **json, size_t *size, ebm_error *err);
    /* Writes the job object; what depends on the job's state is filled in later (jobview.h).
     * @own *json: ebm_free() @err NOMEM */
    ebm_status (*document)(const ebmd_plan *plan, const ebmd_facts *facts, char **json,
                           size_t *size, ebm_error *err);

    /* Puts a part at its beginning. @shape state: plan->state_size zeroed bytes, 64-byte aligned */
    void (*start)(const ebmd_plan *plan, int32_t part, void *state);
    /* Goes on until q->max_evals are spent or the part is through; at least one evaluation.
     * @err DIVERGED; the job fails */
    ebm_status (*advance)(const ebmd_plan *plan, int32_t part, void *state, ebmd_tools *tools,
                          ebmd_quantum *q, ebm_error *err);
    /* Makes the result of a part that is through; if `keeps`, also of one that is not, without
     * tools (NULL), when the job was stopped. out->output has plan->outputs places, all empty.
     * @own out->output[] @err DIVERGED, NOMEM */
    ebm_status (*collect)(const ebmd_plan *plan, int32_t part, void *state, ebmd_tools *tools,
                          ebmd_result *out, ebm_error *err);
    /* True if collect() can keep something of a part that is stopped here; state NULL: at its
     * beginning. No part goes on before all have come so far, so that whoever stops the job loses
     * no more than that. NULL: at once. */
    bool (*keepable)(const ebmd_plan *plan, int32_t part, const void *state);
    /* Gradient evaluations that a part has behind it, at most plan->part_work: work units, and
     * usage. */
    int64_t (*spent)(const ebmd_plan *plan, int32_t part, const void *state);

    /* What the first outputs of parts are, e.g. "image/png"; NULL: nothing that a client is shown.
     */
    const char *media;
    bool weighed; /* the first value of a result is the log density of its picture */
    /* Tells where a part stands that is not through. NULL: it cannot be told. */
    void (*look)(const ebmd_plan *plan, int32_t part, const void *state, ebmd_sight *out);
    /* Makes a PNG of a part that is not through. NULL: there is nothing to see.
     * @own *png: ebm_free() @err DIVERGED, NOMEM */
    ebm_status (*preview)(const ebmd_plan *plan, int32_t part, const void *state, ebmd_tools *tools,
                          unsigned char **png, size_t *size, ebm_error *err);

    /* Says what the chains of a job tell together so far, while none of them moves. NULL: nothing.
     * @shape parts [plan->parts] @err NOT_FOUND: nothing yet; RANGE, NOMEM */
    ebm_status (*diagnose)(const ebmd_plan *plan, const ebmd_standing *parts,
                           ebm_chains_report *out, ebm_error *err);

    /* Writes a part's state as plan->state_size bytes that another process can read. */
    void (*checkpoint)(const ebmd_plan *plan, int32_t part, const void *state, void *bytes);
    /* Takes a state back. The bytes are hostile: whatever they hold, advance() must be safe.
     * @err FORMAT: the part starts again from its beginning */
    ebm_status (*restore)(const ebmd_plan *plan, int32_t part, const void *bytes, void *state);
    /* Notes that states which are taken back were made by kernels of this class: if that is not the
     * plan's, there are several from here on. NULL: states of another class are of no use, and all
     * parts start again from their beginning. */
    void (*add_class)(const ebmd_plan *plan, const char *kernel_class);
};

/* Gradient evaluations that a job of this plan has ahead of it when it begins. */
int64_t ebmd_plan_work(const ebmd_plan *plan);
/* One after the other; NULL: there are no more. */
const ebmd_kind *ebmd_kind_at(size_t i);
/* @err NULL: no kind of this name */
const ebmd_kind *ebmd_kind_find(const char *name);

extern const ebmd_kind ebmd_kind_sample;
extern const ebmd_kind ebmd_kind_inpaint;
extern const ebmd_kind ebmd_kind_interpolate;
extern const ebmd_kind ebmd_kind_energy;
extern const ebmd_kind ebmd_kind_mcmc;
extern const ebmd_kind ebmd_kind_likelihood;

#endif
