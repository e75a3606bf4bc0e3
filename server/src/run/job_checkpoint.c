/* Checkpoints, see job_checkpoint.h.
 *
 * head, one entry per part, the states of the parts that are BEGUN in order, and the digest of all
 * that in hex. Numbers are in the machine's order; `order` tells. */
#include "run/job_checkpoint.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"

#define MAGIC       "EBMDCKP3"
#define BEFORE      "EBMDCKP2" /* its head ends before the kernel class */
#define ORDER       0x01020304u
#define DIGEST_SIZE 64u
#define COUNT_MAX   EBMD_WORK_MAX /* of evaluations and quanta: no job comes to more */

typedef struct head {
    char magic[8];
    uint32_t order;
    int32_t parts;
    uint64_t state_size;
    char model[64]; /* digest of weights and levels */
    int64_t grad_evals, quanta;
    double side_sum;
    char kernels[32]; /* the plan's kernel class; "": nobody knows it */
} head;

typedef struct entry {
    int32_t phase, zero;
    double value[EBMD_VALUES];
    double encode_ms;
    char digest[DIGEST_SIZE]; /* of the outputs of a part that is DONE: they are kept elsewhere */
} entry;

/* fixed: head, of this size, and entries */
static bool sizes_of(const ebmd_run *run, size_t head_size, size_t begun, size_t *fixed,
                     size_t *total)
{
    size_t entries, states;

    return ebm_size_mul((size_t)run->plan.parts, sizeof(entry), &entries) &&
           ebm_size_add(entries, head_size, fixed) &&
           ebm_size_mul(begun, run->plan.state_size, &states) &&
           ebm_size_add(*fixed, states, total) && ebm_size_add(*total, DIGEST_SIZE, total);
}

static head head_of(const ebmd_run *run)
{
    head h = {.order = ORDER,
              .parts = run->plan.parts,
              .state_size = run->plan.state_size,
              .grad_evals = run->grad_evals,
              .quanta = run->quanta,
              .side_sum = run->side_sum};

    memcpy(h.magic, MAGIC, sizeof(h.magic));
    memcpy(h.model, run->plan.chain_digest, sizeof(h.model));
    snprintf(h.kernels, sizeof(h.kernels), "%s", run->plan.kernel_class);
    return h;
}

static entry entry_of(const ebmd_part *p)
{
    entry e = {.phase = (int32_t)p->phase};

    memcpy(e.digest, p->digest, sizeof(e.digest));

    if (p->phase != EBMD_PART_DONE)
        return e;
    memcpy(e.value, p->result.value, sizeof(e.value));
    e.encode_ms = p->result.encode_ms;
    return e;
}

ebm_status ebmd_job_checkpoint_pack(ebmd_run *run, unsigned char **bytes, size_t *size,
                                    ebm_error *err)
{
    const ebmd_plan *plan = &run->plan;
    head h = head_of(run);
    size_t begun = 0, at;
    unsigned char *out = NULL;
    char digest[DIGEST_SIZE + 1];

    *bytes = NULL;
    for (int32_t k = 0; k < plan->parts; k++)
        begun += run->part[k].phase == EBMD_PART_BEGUN ? 1 : 0;
    if (sizes_of(run, sizeof(h), begun, &at, size))
        out = ebm_alloc(*size, 1);
    if (!out)
        return ebm_error_set(err, EBM_ERR_NOMEM, run->lease.id, "no memory for a checkpoint");
    memcpy(out, &h, sizeof(h));
    for (int32_t k = 0; k < plan->parts; k++) {
        entry e;

        if (run->part[k].phase == EBMD_PART_DONE)
            ebmd_run_digest(run, k, run->part[k].digest);
        e = entry_of(&run->part[k]);
        memcpy(out + sizeof(h) + (size_t)k * sizeof(e), &e, sizeof(e));
        if (run->part[k].phase != EBMD_PART_BEGUN)
            continue;
        plan->kind->checkpoint(plan, k, run->part[k].state, out + at);
        at += plan->state_size;
    }
    ebm_sha256_hex(out, at, digest);
    memcpy(out + at, digest, DIGEST_SIZE);
    *bytes = out;
    return EBM_OK;
}

static bool digest_holds(const unsigned char *bytes, size_t size)
{
    char digest[DIGEST_SIZE + 1];

    ebm_sha256_hex(bytes, size - DIGEST_SIZE, digest);
    return memcmp(bytes + size - DIGEST_SIZE, digest, DIGEST_SIZE) == 0;
}

/* Reads the head, also of the version before. Returns its size. */
static size_t take_head(const unsigned char *bytes, head *h)
{
    const bool before = memcmp(bytes, BEFORE, sizeof(h->magic)) == 0;
    const size_t size = before ? offsetof(head, kernels) : sizeof(*h);

    memset(h, 0, sizeof(*h));
    memcpy(h, bytes, size);
    if (before)
        memcpy(h->magic, MAGIC, sizeof(h->magic));
    return size;
}

/* Before anything is added to them. */
static bool counts_ok(const head *h)
{
    return h->grad_evals >= 0 && h->grad_evals <= COUNT_MAX && h->quanta >= 0 &&
           h->quanta <= COUNT_MAX && isfinite(h->side_sum) && h->side_sum >= 0.0;
}

/* A head of this very job: all but what it counts is known beforehand. Checkpoints of before name
 * the weights alone, and are taken as they are. What kernels of another class have done is of use
 * to kinds that say so; with the others, not even of what is DONE: all results of a job are of the
 * class that it names. */
static bool head_fits(const head *h, const ebmd_run *run)
{
    head same = head_of(run);

    if (memcmp(h->model, run->plan.digest, sizeof(h->model)) == 0)
        memcpy(same.model, h->model, sizeof(same.model));
    if (run->plan.kind->add_class && h->kernels[sizeof(h->kernels) - 1] == '\0')
        memcpy(same.kernels, h->kernels, sizeof(same.kernels));
    same.grad_evals = h->grad_evals;
    same.quanta = h->quanta;
    same.side_sum = h->side_sum;
    return memcmp(&same, h, sizeof(same)) == 0 && counts_ok(h);
}

static bool entry_ok(const entry *e)
{
    for (int i = 0; i < EBMD_VALUES; i++) {
        if (!isfinite(e->value[i]))
            return false;
    }
    return e->phase >= EBMD_PART_NEW && e->phase <= EBMD_PART_DONE && isfinite(e->encode_ms) &&
           e->encode_ms >= 0.0;
}

static ebm_status take_state(ebmd_run *run, int32_t k, const unsigned char *bytes)
{
    ebmd_part *p = &run->part[k];

    p->state = ebm_alloc(run->plan.state_size, 1);
    if (!p->state)
        return EBM_ERR_NOMEM;
    return run->plan.kind->restore(&run->plan, k, bytes, p->state);
}

/* bytes begin behind the head, states at `at`. */
static ebm_status take_parts(ebmd_run *run, const unsigned char *bytes, size_t at, size_t end)
{
    ebm_status st = EBM_OK;

    for (int32_t k = 0; k < run->plan.parts && st == EBM_OK; k++) {
        ebmd_part *p = &run->part[k];
        entry e;

        memcpy(&e, bytes + (size_t)k * sizeof(e), sizeof(e));
        if (!entry_ok(&e))
            return EBM_ERR_FORMAT;
        p->phase = (ebmd_part_phase)e.phase;
        memcpy(p->result.value, e.value, sizeof(e.value));
        p->result.encode_ms = e.encode_ms;
        memcpy(p->digest, e.digest, sizeof(e.digest));
        if (p->phase != EBMD_PART_BEGUN)
            continue;
        if (run->plan.state_size > end - at)
            return EBM_ERR_FORMAT;
        st = take_state(run, k, bytes + at);
        at += run->plan.state_size;
    }
    return st == EBM_OK && at != end ? EBM_ERR_FORMAT : st;
}

ebm_status ebmd_job_checkpoint_unpack(const void *bytes, size_t size, ebmd_run *run, ebm_error *err)
{
    const unsigned char *in = bytes;
    ebm_status st = EBM_ERR_FORMAT;
    size_t begin = 0, fixed, least;
    head h = {.parts = 0};

    if (size >= sizeof(h) + DIGEST_SIZE)
        begin = take_head(in, &h);
    if (begin > 0 && sizes_of(run, begin, 0, &fixed, &least) && size >= least &&
        digest_holds(in, size) && head_fits(&h, run))
        st = take_parts(run, in + begin, fixed - begin, size - DIGEST_SIZE - begin);
    if (st != EBM_OK)
        return ebm_error_set(err, st, run->lease.id, "the checkpoint cannot be used");
    if (run->plan.kind->add_class)
        run->plan.kind->add_class(&run->plan, h.kernels);
    run->grad_evals = h.grad_evals;
    run->quanta = h.quanta;
    run->side_sum = h.side_sum;
    return EBM_OK;
}

void ebmd_job_checkpoint_forget(ebmd_run *run)
{
    for (int32_t k = 0; k < run->plan.parts; k++) {
        ebmd_part *p = &run->part[k], fresh = {.phase = EBMD_PART_NEW};

        if (p->phase == EBMD_PART_DONE)
            memcpy(fresh.earlier, p->digest, sizeof(fresh.earlier));
        ebm_free(p->state);
        ebmd_run_clear_result(&run->plan, &p->result);
        *p = fresh;
    }
    run->grad_evals = 0;
    run->quanta = 0;
    run->side_sum = 0.0;
}
