/* `ebm mcmc`: long chains in rounds; between rounds the stop rules are looked at. Chains can be
 * stored and gone on with; a run in parts has the bits of the undivided one. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/mcmc_run.h"
#include "cli/op_draw.h"
#include "cli/op_remote.h"
#include "cli/open_any.h"
#include "ebm/io.h"
#include "ebm/memory.h"

#define AT(member) offsetof(ebmt__op_args, member)

static const ebmt_option rows[] = {
    {"--out", EBMT_OPT_STRING, AT(out), 0, 0, NULL, "DIR",
     "where chain000000.png ... go, numbered by index; made if missing. Required without --server",
     false},
    {"--traces", EBMT_OPT_STRING, AT(traces), 0, 0, NULL, "FILE",
     "write energies, acceptance and projections of every thin-th step as JSON", false},
    {"--checkpoint", EBMT_OPT_STRING, AT(checkpoint), 0, 0, NULL, "FILE",
     "keep the chains where they stop", false},
    {"--resume", EBMT_OPT_STRING, AT(resume), 0, 0, NULL, "FILE",
     "go on with kept chains, up to --steps in all; what is not --keep or --until is the file's",
     false},
};

/* --- starts -------------------------------------------------------------------------------- */

static ebm_status make_room(ebmt__mcmc *m, ebm_error *err)
{
    const size_t d = m->run.dim, n = (size_t)m->n, columns = 2 + EBM_TRACE_DIRECTIONS;
    const int64_t thin = m->run.call.params.thin;
    m->plan = ebm_call_plan(&m->run.call);
    m->total = ebm_mcmc_total_steps(&m->plan, m->run.levels, (int32_t)m->run.call.params.level);
    const size_t room = (size_t)(m->total / thin) + 1;
    m->chain = ebm_alloc(n, sizeof *m->chain);
    m->trace = ebm_alloc(n, sizeof *m->trace);
    m->floats = ebm_alloc(d, (2 * n + EBM_TRACE_DIRECTIONS) * sizeof(float));
    m->scalars = ebm_alloc(n * room, columns * sizeof(double));
    if (!m->chain || !m->trace || !m->floats || !m->scalars)
        return ebm_error_set(err, EBM_ERR_NOMEM, "--chains", "no memory for %d chains", m->n);
    float *directions = m->floats + 2 * n * d;
    ebm_trace_directions(EBM_TRACE_DIRECTIONS, d, directions);
    for (size_t k = 0; k < n; k++) {
        m->chain[k].y = m->floats + 2 * k * d;
        m->chain[k].anchor = m->chain[k].y + d;
        m->trace[k] = (ebm_trace){.thin = thin,
                                  .n_directions = EBM_TRACE_DIRECTIONS,
                                  .directions = directions,
                                  .room = room,
                                  .scalars = m->scalars + k * room * columns};
    }
    return EBM_OK;
}

static ebm_mcmc_setup setup_of(const ebmt__mcmc *m, const ebmt__bench *b)
{
    return (ebm_mcmc_setup){&b->density, m->run.levels, &m->plan};
}

static ebm_status start_task(void *user, int32_t k, ebmt__bench *b, ebm_error *err)
{
    ebmt__mcmc *m = user;
    const ebm_mcmc_setup setup = setup_of(m, b);
    ebm_status st = EBM_OK;
    const float *from = ebmt__op_origin(&m->run, k, b, &st, err);
    return st == EBM_OK ? ebm_call_start(&m->run.call, &setup, k, from, NULL, &m->chain[k], err)
                        : st;
}

/* --- checkpoints --------------------------------------------------------------------------- */

/* Encodes all chains. @own set->chain[k].checkpoint: ebm_free() */
static ebm_status encode_chains(const ebmt__mcmc *m, const char *digest, unsigned char **blobs,
                                ebm_chain_set *set, ebm_error *err)
{
    const ebm_mcmc_setup setup = setup_of(m, &m->run.bench[0]);
    ebm_status st = EBM_OK;
    for (int32_t k = 0; k < m->n && st == EBM_OK; k++) {
        st = ebm_mcmc_encode(&m->chain[k], &setup, digest, &blobs[k],
                             &set->chain[k].checkpoint_bytes, err);
        set->chain[k].checkpoint = blobs[k];
    }
    return st;
}

static ebm_status write_checkpoint(const ebmt__mcmc *m, const char *file, ebm_error *err)
{
    unsigned char *blobs[EBM_CHAIN_SET_MAX] = {0}, *data = NULL;
    char digest[65];
    size_t size = 0;
    ebm_chain_set *set = ebm_alloc(1, sizeof *set);
    if (!set)
        return ebm_error_set(err, EBM_ERR_NOMEM, "--checkpoint", "no memory");
    set->run = m->run.receipt;
    set->n = m->n;
    set->forked = m->forked;
    set->columns = 2 + EBM_TRACE_DIRECTIONS;
    ebm_receipt_model_digest(&m->run.receipt, digest);
    ebm_status st = encode_chains(m, digest, blobs, set, err);
    if (st == EBM_OK)
        st = ebm_chain_set_encode(set, m->trace, &data, &size, err);
    if (st == EBM_OK)
        st = ebm_file_write(file, data, size, err);
    for (int32_t k = 0; k < m->n; k++)
        ebm_free(blobs[k]);
    ebm_free(data);
    ebm_free(set);
    return st;
}

/* What the file has decided cannot change: a flag that says it otherwise would be idle. */
static ebm_status check_idle(const ebmt__op_args *a, const ebm_op_params *taken, ebm_error *err)
{
    const ebm_operation *op = ebm_operation_of(EBM_OP_MCMC);
    for (size_t i = 0; i < op->n_params; i++) {
        const ebm_param *row = &op->params[i];
        char flag[EBMT__OP_FLAG_MAX];
        const bool same = row->type != EBM_PARAM_IMAGE &&
                          ebm_param_number(row, &a->params) == ebm_param_number(row, taken);
        ebmt__op_flag(row->name, flag);
        if (a->given[i] && !same)
            return ebm_error_set(err, EBM_ERR_ARG, flag,
                                 "differs from what the chains of --resume have: leave it out");
    }
    return EBM_OK;
}

/* Fewer steps than are done cannot be had, and a warm-up has to end. Traces tell what is done. */
static ebm_status check_steps(const ebm_chain_set *set, const ebm_op_params *p, ebm_error *err)
{
    int64_t done = 0;
    for (int32_t k = 0; k < set->n; k++) {
        const int64_t own = (int64_t)set->chain[k].rows * set->run.params.thin;
        done = own > done ? own : done;
    }
    const int64_t least = done > p->warmup ? done : p->warmup + 1;
    if (p->ladder && p->steps != set->run.params.steps)
        return ebm_error_set(err, EBM_ERR_ARG, "--steps",
                             "chains down the ladder cannot be extended: leave it at %lld",
                             (long long)set->run.params.steps);
    if (!p->ladder && p->steps < least)
        return ebm_error_set(err, EBM_ERR_ARG, "--steps",
                             "must be at least %lld: the chains of --resume have done %lld "
                             "steps, their warm-up is %lld",
                             (long long)least, (long long)done, (long long)p->warmup);
    return EBM_OK;
}

/* The file's parameters, with the steps, snapshots and rules of the call. */
static ebm_status take_params(const ebm_chain_set *set, ebmt__op_args *args, ebm_error *err)
{
    const ebm_op_params *wanted = &args->params;
    ebm_op_params p = set->run.params;
    p.steps = wanted->steps;
    p.keep = wanted->keep;
    p.until_ess = wanted->until_ess;
    p.until_rhat = wanted->until_rhat;
    p.until_max_seconds = wanted->until_max_seconds;
    ebm_status st = check_idle(args, &p, err);
    if (st == EBM_OK)
        st = check_steps(set, &p, err);
    args->params = p;
    return st;
}

static ebm_status restore_chain(ebmt__mcmc *m, const ebm_chain_set *set, int32_t k,
                                const char *digest, ebm_error *err)
{
    const ebm_mcmc_room room = {.dim = m->run.dim,
                                .levels = m->run.levels,
                                .model_digest = digest,
                                .y = m->chain[k].y,
                                .anchor = m->chain[k].anchor};
    ebm_mcmc_plan plan;
    ebm_status st = ebm_mcmc_decode(set->chain[k].checkpoint, set->chain[k].checkpoint_bytes, &room,
                                    &m->chain[k], &plan, err);
    if (st == EBM_OK && m->chain[k].total > m->total)
        st = ebm_error_set(err, EBM_ERR_ARG, "--steps", "must be at least %lld: so many are done",
                           (long long)m->chain[k].total);
    return st == EBM_OK ? ebm_chain_set_trace(set, k, &m->trace[k], err) : st;
}

/* Chains that go on under another kernel class are as good, but nobody can make them again. */
static void take_class(ebmt__mcmc *m, const char *kept)
{
    const char *now = m->run.receipt.kernel_class;
    ebm_error note = {0};
    if (strcmp(now, kept) != 0) {
        (void)ebm_error_set(
            &note, EBM_ERR_DIGEST, "--resume",
            "chains of kernel class %s go on under %s: their images have no receipt", kept, now);
        ebmt__cli_say("mcmc", &note);
    }
    ebm_receipt_add_class(&m->run.receipt, kept);
}

static ebm_status restore(ebmt__mcmc *m, const ebm_chain_set *set, ebm_error *err)
{
    char digest[65];
    ebm_status st = ebm_receipt_same_models(&m->run.receipt, &set->run, err);
    ebm_receipt_model_digest(&m->run.receipt, digest);
    if (st == EBM_OK)
        take_class(m, set->run.kernel_class);
    m->forked = set->forked;
    m->run.receipt.inputs = set->run.inputs;
    m->run.receipt.params.init = set->run.params.init;
    for (int32_t k = 0; k < m->n && st == EBM_OK; k++)
        st = restore_chain(m, set, k, digest, err);
    return st;
}

/* --- rounds -------------------------------------------------------------------------------- */

static ebm_status advance_task(void *user, int32_t k, ebmt__bench *b, ebm_error *err)
{
    ebmt__mcmc *m = user;
    const ebm_mcmc_setup setup = setup_of(m, b);
    int64_t steps = m->boundary - m->chain[k].total;
    return steps > 0 ? ebm_mcmc_advance(&m->chain[k], &setup, steps, &m->trace[k], b->work, err)
                     : EBM_OK;
}

static ebm_status image_of(const ebmt__mcmc *m, int32_t k, const char *name, ebmt__bench *b,
                           char sha256[65], ebm_error *err)
{
    const ebm_shape *s = &m->run.shape;
    const ebm_call *call = &m->run.call;
    ebm_receipt receipt;
    ebm_call_image(m->run.levels, m->run.dim, &m->chain[k], b->x);
    ebm_image_from_tensor(b->x, s->channels, s->height, s->width, b->pixels);
    ebm_receipt_item(&m->run.receipt, k, call->params.ladder ? 0 : m->chain[k].total, b->pixels,
                     m->run.dim, &receipt);
    /* in the middle of a ladder or of the warm-up no run of its own ends */
    bool whole =
        call->params.ladder ? m->chain[k].level < 0 : m->chain[k].total > call->params.warmup;
    whole = whole && !m->forked && ebm_receipt_of_one_class(&receipt);
    return ebmt__op_write(&m->run, name, b->pixels, whole ? &receipt : NULL, sha256, err);
}

static ebm_status snapshots(const ebmt__mcmc *m, ebm_error *err)
{
    ebm_status st = EBM_OK;
    for (int32_t k = 0; k < m->n && st == EBM_OK; k++) {
        char name[64];
        (void)snprintf(name, sizeof name, "chain%06u-step%lld.png", m->chain[k].noise.index,
                       (long long)m->chain[k].total);
        st = image_of(m, k, name, &m->run.bench[0], NULL, err);
    }
    return st;
}

static ebm_status diagnose(ebmt__mcmc *m, ebm_error *err)
{
    const ebm_op_params *p = &m->run.call.params;
    bool banded = m->calibration.mean && !p->ladder;
    ebm_band band = {0, 0};
    if (banded)
        band = ebm_calibration_band(&m->calibration, (int32_t)p->level);
    return ebm_chains_report_of(m->trace, (size_t)m->n,
                                ebm_mcmc_settled(&m->plan, m->run.levels, (int32_t)p->level),
                                banded ? &band : NULL, &m->report, err);
}

static int64_t least_done(const ebmt__mcmc *m)
{
    int64_t least = INT64_MAX;
    for (int32_t k = 0; k < m->n; k++)
        least = m->chain[k].total < least ? m->chain[k].total : least;
    return least;
}

static ebm_status run_rounds(ebmt__mcmc *m, ebm_error *err)
{
    const double start = ebmt__cli_now();
    ebm_status st = EBM_OK;
    const int64_t from = least_done(m);
    int64_t at = from;
    while (st == EBM_OK && at < m->total && !m->stopped) {
        bool snapshot;
        m->boundary = at = ebm_until_next_from(&m->run.call.params, from, m->total, at, &snapshot);
        st = ebmt__op_each(&m->run, m->n, advance_task, m, err);
        if (st == EBM_OK && snapshot)
            st = snapshots(m, err);
        if (st == EBM_OK)
            st = diagnose(m, err);
        m->seconds = ebmt__cli_now() - start;
        m->stopped = st == EBM_OK && ebm_until_met(&m->run.call.params, &m->report, m->seconds);
    }
    return st;
}

/* --- the command --------------------------------------------------------------------------- */

static ebm_status read_calibration(ebmt__mcmc *m, ebm_error *err)
{
    char dir[4096];
    if (m->run.n_models > 1 || m->run.part[0].weight != 1.0)
        return EBM_OK;
    int n = snprintf(dir, sizeof dir, "%s/%s", m->run.args->models, m->run.part[0].id);
    if (n < 0 || (size_t)n >= sizeof dir)
        return ebm_error_set(err, EBM_ERR_ARG, "--models", "the path is too long");
    const ebm_calibrated of = {m->run.receipt.sha256[0], m->run.levels};
    return ebmt__open_calibration("--models", dir, &of, &m->calibration, err);
}

static ebm_status write_images(const ebmt__mcmc *m, ebm_error *err)
{
    ebmt__bench *b = &m->run.bench[0];
    ebm_status st = EBM_OK;
    for (int32_t k = 0; k < m->n && st == EBM_OK; k++) {
        char name[32], sha256[65];
        (void)snprintf(name, sizeof name, "chain%06u.png", m->chain[k].noise.index);
        st = image_of(m, k, name, b, sha256, err);
        if (st == EBM_OK)
            ebmt__mcmc_print_chain(
                m, k, name, sha256,
                ebm_call_logp(&b->density, m->run.levels, &m->chain[k], b->work));
    }
    return st;
}

static ebm_status write_all(const ebmt__mcmc *m, ebm_error *err)
{
    const ebmt__op_args *a = m->run.args;
    ebm_status st = write_images(m, err);
    if (st == EBM_OK && a->traces)
        st = ebmt__mcmc_write_traces(m, a->traces, err);
    if (st == EBM_OK && a->checkpoint)
        st = write_checkpoint(m, a->checkpoint, err);
    if (st == EBM_OK)
        ebmt__mcmc_print_report(m);
    return st;
}

static ebm_status run(ebmt__mcmc *m, const ebmt__op_args *args, const ebm_chain_set *set,
                      ebm_error *err)
{
    m->n = (int32_t)args->params.chains;
    ebm_status st = ebmt__op_open(&m->run, EBM_OP_MCMC, args, m->n, err);
    if (st == EBM_OK)
        st = read_calibration(m, err);
    if (st == EBM_OK)
        st = make_room(m, err);
    if (st == EBM_OK)
        st = set ? restore(m, set, err) : ebmt__op_each(&m->run, m->n, start_task, m, err);
    if (st == EBM_OK)
        st = run_rounds(m, err);
    if (st == EBM_ERR_DIVERGED && args->traces) { /* what led there is what one wants to see */
        ebm_status kept = ebmt__mcmc_write_traces(m, args->traces, err);
        return kept == EBM_OK ? st : kept;
    }
    if (st == EBM_OK)
        st = diagnose(m, err);
    return st == EBM_OK ? write_all(m, err) : st;
}

static void clear(ebmt__mcmc *m)
{
    ebmt__op_close(&m->run);
    ebm_calibration_clear(&m->calibration);
    ebm_free(m->chain);
    ebm_free(m->trace);
    ebm_free(m->floats);
    ebm_free(m->scalars);
}

/* Chains that are gone on with need no picture: they hold where they are. */
static ebm_status resume(ebmt__mcmc *m, ebmt__op_args *args, ebm_error *err)
{
    unsigned char *data = NULL;
    size_t size = 0;
    ebm_error inner = {0};
    ebm_chain_set *set = ebm_alloc(1, sizeof *set);
    if (!set)
        return ebm_error_set(err, EBM_ERR_NOMEM, "--resume", "no memory");
    ebm_status st =
        ebm_file_read(NULL, args->resume, EBM_CHAIN_SET_MAX_BYTES, &data, &size, &inner);
    if (st == EBM_OK)
        st = ebm_chain_set_decode(data, size, set, &inner);
    if (st != EBM_OK)
        st = ebmt__cli_blame("--resume", args->resume, &inner, err);
    if (st == EBM_OK)
        st = take_params(set, args, err);
    if (st == EBM_OK && args->params.init == EBM_INIT_IMAGE)
        args->params.init = EBM_INIT_NOISE; /* until restore() */
    if (st == EBM_OK)
        st = run(m, args, set, err);
    ebm_free(data);
    ebm_free(set);
    return st;
}

int ebmt__cmd_mcmc(int argc, char **argv)
{
    const ebmt__op_command command = {EBM_OP_MCMC, rows, sizeof rows / sizeof rows[0], 0};
    ebmt__op_args args = {0};
    ebmt__mcmc m = {0};
    ebm_error err = {0};
    int code;
    if (!ebmt__op_begin(&command, argc, argv, &args, &code))
        return code;
    ebm_status st = args.resume ? resume(&m, &args, &err) : run(&m, &args, NULL, &err);
    clear(&m);
    return st == EBM_OK ? EBMT_EXIT_OK : ebmt__cli_fail("mcmc", &err);
}
