/* Kept chains, see chain_keep.h. */
#include "kinds/chain_keep.h"

#include <string.h>

#include "ebm/memory.h"

#define ROW (EBMD_TRACE_COLUMNS * sizeof(double))

static ebmd_kept head_of(const ebmd_chain_layout *l, void *state, int32_t i, double logp)
{
    const ebmd_chain_head *h = state;
    ebmd_kept k = {.logp = logp,
                   .snapshots = h->snapshots,
                   .stopped = h->stopped,
                   .forked = l->op->forked,
                   .slot = *ebmd_chain_slot_at(l, state, i)};

    memcpy(k.mark, h->mark, sizeof(k.mark));
    k.rows = (uint64_t)k.slot.rows;
    return k;
}

/* Head, trace, checkpoint, receipt behind each other. */
static ebm_status put_together(const ebmd_kept *head, const ebm_trace *trace,
                               const unsigned char *checkpoint, const char *receipt,
                               ebmd_output *out, ebm_error *err)
{
    const size_t rows = trace->count * ROW;
    unsigned char *at;

    out->size = sizeof(*head) + rows + (size_t)head->checkpoint_bytes + (size_t)head->receipt_bytes;
    out->data = at = ebm_alloc(out->size, 1);
    if (!at)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a chain");
    memcpy(at, head, sizeof(*head));
    at += sizeof(*head);
    memcpy(at, trace->scalars, rows);
    memcpy(at + rows, checkpoint, (size_t)head->checkpoint_bytes);
    memcpy(at + rows + head->checkpoint_bytes, receipt, (size_t)head->receipt_bytes);
    return EBM_OK;
}

ebm_status ebmd_kept_write(const ebmd_chain_layout *l, void *state, int32_t i, const char *digest,
                           double logp, ebmd_output *out, ebm_error *err)
{
    const ebm_density shape = {.dim = l->op->dim};
    const ebm_mcmc_setup setup = {&shape, l->op->levels, &l->op->chains};
    const ebm_mcmc chain = ebmd_chain_view(l, state, i);
    const ebm_trace trace = ebmd_chain_trace(l, state, i);
    ebmd_kept head = head_of(l, state, i, logp);
    unsigned char *checkpoint = NULL;
    char *receipt = NULL;
    size_t bytes = 0;
    ebm_status st = ebm_mcmc_encode(&chain, &setup, digest, &checkpoint, &bytes, err);

    if (st == EBM_OK)
        st = ebm_receipt_text(&l->op->receipt, &receipt, err);
    if (st == EBM_OK) {
        head.checkpoint_bytes = bytes;
        head.receipt_bytes = strlen(receipt);
        st = put_together(&head, &trace, checkpoint, receipt, out, err);
    }
    ebm_free(checkpoint);
    ebm_free(receipt);
    return st;
}

ebm_status ebmd_kept_read(const void *data, size_t size, ebmd_kept *head, ebm_chain_part *part,
                          ebm_error *err)
{
    const unsigned char *bytes = data;
    size_t trace, all;

    if (size < sizeof(*head))
        return ebm_error_set(err, EBM_ERR_FORMAT, "chains", "a kept chain is cut off");
    memcpy(head, bytes, sizeof(*head));
    if (!ebm_size_mul((size_t)head->rows, ROW, &trace) ||
        !ebm_size_add(trace, (size_t)head->checkpoint_bytes, &all) ||
        !ebm_size_add(all, (size_t)head->receipt_bytes, &all) || all != size - sizeof(*head) ||
        head->snapshots < 0 || head->snapshots > EBMD_SNAPSHOTS_MAX)
        return ebm_error_set(err, EBM_ERR_FORMAT, "chains", "a kept chain does not fit its size");
    *part = (ebm_chain_part){.checkpoint = bytes + sizeof(*head) + trace,
                             .checkpoint_bytes = (size_t)head->checkpoint_bytes,
                             .scalars = bytes + sizeof(*head),
                             .rows = (size_t)head->rows};
    return EBM_OK;
}

/* An aligned block and a head of whole numbers: the numbers behind it lie as they have to. */
_Static_assert(sizeof(ebmd_kept) % sizeof(double) == 0, "a trace is aligned");

ebm_trace ebmd_kept_trace(const ebmd_output *kept, const ebm_op_params *run,
                          const ebm_chain_part *part)
{
    return (ebm_trace){.thin = run->thin,
                       .n_directions = EBM_TRACE_DIRECTIONS,
                       .room = part->rows,
                       .count = part->rows,
                       .scalars = (double *)(void *)(kept->data + sizeof(ebmd_kept))};
}

ebm_status ebmd_kept_receipt(const ebmd_output *kept, ebm_receipt *run, bool *forked,
                             ebm_error *err)
{
    ebmd_kept head = {0};
    ebm_chain_part part = {0};
    ebm_status st = ebmd_kept_read(kept->data, kept->size, &head, &part, err);

    if (st != EBM_OK)
        return st;
    *forked = head.forked == 1;
    return ebm_receipt_parse((const char *)part.checkpoint + part.checkpoint_bytes,
                             (size_t)head.receipt_bytes, run, err);
}

/* Aligned copies of all traces: in a blob they lie as they come. */
static ebm_status copy_traces(const ebm_chain_set *set, ebm_trace *traces, double **numbers,
                              ebm_error *err)
{
    size_t rows = 0, at = 0;

    for (int32_t k = 0; k < set->n; k++)
        rows += set->chain[k].rows;
    *numbers = ebm_alloc(rows, ROW);
    if (!*numbers)
        return ebm_error_set(err, EBM_ERR_NOMEM, "chains", "no memory for traces");
    for (int32_t k = 0; k < set->n; k++) {
        traces[k] = (ebm_trace){.thin = 1,
                                .n_directions = EBM_TRACE_DIRECTIONS,
                                .room = set->chain[k].rows,
                                .count = set->chain[k].rows,
                                .scalars = *numbers + at * EBMD_TRACE_COLUMNS};
        if (set->chain[k].rows > 0)
            memcpy(traces[k].scalars, set->chain[k].scalars, set->chain[k].rows * ROW);
        at += set->chain[k].rows;
    }
    return EBM_OK;
}

/* Run of the set, whose chains may have ended under different kernel classes. */
static ebm_status take_run(const ebmd_output *kept, int32_t n, ebm_chain_set *set, ebm_error *err)
{
    ebm_receipt other;
    ebm_status st = ebmd_kept_receipt(&kept[0], &set->run, &set->forked, err);

    for (int32_t k = 1; k < n && st == EBM_OK; k++) {
        st = ebmd_kept_receipt(&kept[k], &other, &set->forked, err);
        if (st == EBM_OK)
            ebm_receipt_add_class(&set->run, other.kernel_class);
    }
    return st;
}

ebm_status ebmd_kept_file(const ebmd_output *kept, int32_t n, unsigned char **data, size_t *size,
                          ebm_error *err)
{
    ebm_chain_set *set = ebm_alloc(1, sizeof(*set));
    ebm_trace *traces = ebm_alloc((size_t)n, sizeof(*traces));
    double *numbers = NULL;
    ebmd_kept head;
    ebm_status st = EBM_OK;

    if (!set || !traces)
        st = ebm_error_set(err, EBM_ERR_NOMEM, "chains", "no memory for a set of chains");
    if (st == EBM_OK)
        st = take_run(kept, n, set, err);
    for (int32_t k = 0; k < n && st == EBM_OK; k++) {
        set->n = k + 1;
        st = ebmd_kept_read(kept[k].data, kept[k].size, &head, &set->chain[k], err);
    }
    if (st == EBM_OK)
        st = copy_traces(set, traces, &numbers, err);
    if (st == EBM_OK) {
        set->columns = EBMD_TRACE_COLUMNS;
        st = ebm_chain_set_encode(set, traces, data, size, err);
    }
    ebm_free(numbers);
    ebm_free(traces);
    ebm_free(set);
    return st;
}
