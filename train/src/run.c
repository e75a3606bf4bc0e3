/* A whole training run: start or resume, iterate, report, checkpoint, show samples. Its end is in
 * run_end.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config/config_compare.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "optim/adam.h"
#include "report/history_read.h"
#include "report/report_sheets.h"
#include "save/checkpoint_dir.h"
#include "save/manifest_facts.h"
#include "save/out_lock.h"
#include "run_internal.h"
#include "validate.h"

/* Images on a sheet of samples during training: a square, quick to make. */
#define SHEET_IMAGES 36

static double seconds_since(const struct timespec *begin)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - begin->tv_sec) + 1e-9 * (double)(now.tv_nsec - begin->tv_nsec);
}

/* The model's id is the last component of the output directory. */
static const char *id_of(const char *dir)
{
    const char *slash = strrchr(dir, '/');
    return slash ? slash + 1 : dir;
}

/* --- resume --------------------------------------------------------------------------------- */

/* What differs in the settings is named rather than the vector whose length it changes. */
static ebm_status load_same(ebmt__run *r, ebmt__saved *before, ebm_error *err)
{
    char *saved = NULL;
    ebm_error loading = {0};
    ebm_status st = ebmt_checkpoint_load(r->opt->out_dir, &r->tr->state, &saved, r->opt->hooks.note,
                                         r->opt->hooks.user, &loading);
    ebm_status same = saved ? ebmt__config_compare(saved, r->config_json, before, err) : EBM_OK;
    ebm_free(saved);
    if (same != EBM_OK)
        return same;
    return st == EBM_OK ? EBM_OK : ebm_error_set(err, st, loading.where, "%s", loading.text);
}

static ebm_status check_length(const ebmt__run *r, ebm_error *err)
{
    const int64_t done = r->tr->state.iteration, asked = r->tr->config.iterations;
    if (done <= asked)
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_ARG, "iterations",
                         "%lld are asked for, and the checkpoint has %lld", (long long)asked,
                         (long long)done);
}

/* A learning rate that falls depends on the length of the run: where that has changed, the rate
 * jumps. */
static void tell_new_length(const ebmt__run *r, int64_t planned)
{
    const ebmt_config *now = &r->tr->config;
    const ebmt_state *s = &r->tr->state;
    ebmt_config before = *now;
    char line[160];
    before.iterations = planned;
    if (planned == now->iterations || now->lr_decay_from >= 1.0 || now->lr_final >= 1.0)
        return;
    snprintf(
        line, sizeof line,
        "planned for %lld iterations before, for %lld now: learning rate %.3g before, %.3g now",
        (long long)planned, (long long)now->iterations,
        ebmt__learning_rate(&before, s->iteration, s->adam_step),
        ebmt__learning_rate(now, s->iteration, s->adam_step));
    ebmt__run_note(r, line);
}

/* What is written goes on to tell which weights the run began with. The leader alone writes. */
static ebm_status keep_init(ebmt__run *r, const ebmt__saved *before, ebm_error *err)
{
    ebmt_config *c = &r->tr->config;
    if (strcmp(c->init_sha256, before->init_sha256) == 0)
        return EBM_OK;
    memcpy(c->init_sha256, before->init_sha256, sizeof c->init_sha256);
    ebm_free(r->config_json);
    return ebmt_config_to_json(c, &r->config_json, err);
}

static ebm_status resume(ebmt__run *r, ebm_error *err)
{
    char line[96];
    ebmt__saved before = {.same_kernels = true};
    ebm_status st = load_same(r, &before, err);
    if (st == EBM_OK)
        st = check_length(r, err);
    if (st == EBM_OK)
        st = keep_init(r, &before, err);
    if (st != EBM_OK)
        return st;
    if (!before.same_kernels)
        ebmt__run_note(r, "other kernels than the checkpoint's: from here on numbers are rounded "
                          "differently");
    tell_new_length(r, before.iterations);
    snprintf(line, sizeof line, "resuming at iteration %lld", (long long)r->tr->state.iteration);
    ebmt__run_note(r, line);
    return EBM_OK;
}

/* Everyone goes on from the leader's state; no other process needs the files. */
static ebm_status share_state(ebmt__run *r, ebm_error *err)
{
    ebmt_state *s = &r->tr->state;
    const struct {
        void *data;
        size_t bytes;
    } parts[] = {
        {s->params, s->size.params * sizeof(float)},
        {s->ema, s->size.params * sizeof(float)},
        {s->adam_m, s->size.params * sizeof(float)},
        {s->adam_v, s->size.params * sizeof(float)},
        {s->spectral_u, s->size.spectral * sizeof(float)},
        {s->ema_spectral_u, s->size.spectral * sizeof(float)},
        {s->watch, s->size.watch * sizeof(float)},
        {s->chains, s->size.chains * sizeof(float)},
        {&s->iteration, sizeof s->iteration},
        {&s->adam_step, sizeof s->adam_step},
        {&s->grad_norm_mean, sizeof s->grad_norm_mean},
    };
    ebm_status st = EBM_OK;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && st == EBM_OK; i++)
        st = ebmt_group_share(r->opt->group, 0, parts[i].data, parts[i].bytes, err);
    return st;
}

static ebm_status restore(ebmt__run *r, ebm_error *err)
{
    ebm_status st = ebmt__run_leads(r) ? resume(r, err) : EBM_OK;
    st = ebmt_group_agree(r->opt->group, st, NULL, err);
    return st == EBM_OK ? share_state(r, err) : st;
}

/* --- the way --------------------------------------------------------------------------------- */

static ebm_status periodic_sheet(ebmt__run *r, ebm_error *err)
{
    char name[64];
    int64_t i = r->tr->state.iteration;
    if (r->opt->samples_every == 0 || i % r->opt->samples_every != 0)
        return EBM_OK;
    snprintf(name, sizeof name, EBMT_SHEET_NAME, (long long)i);
    return ebmt__run_sheet(r, name, SHEET_IMAGES, err);
}

static ebm_status save_checkpoint(ebmt__run *r, ebm_error *err)
{
    ebm_status st = ebmt_checkpoint_save(r->opt->out_dir, &r->tr->state, r->config_json, err);
    if (st == EBM_OK)
        ebmt__run_page(r, "");
    return st;
}

/* Whether a checkpoint is to be saved now: in time, or late when the run was uneasy in between. */
static bool checkpoint_is_due(ebmt__run *r)
{
    if (r->opt->checkpoint_every > 0 && r->tr->state.iteration % r->opt->checkpoint_every == 0)
        r->checkpoint_due = true;
    if (!r->checkpoint_due || ebmt__watch_uneasy(&r->watch))
        return false;
    r->checkpoint_due = false;
    return true;
}

/* The sheet comes before the checkpoint: a run killed between the two draws it again when resumed,
   and none goes on from a checkpoint whose sheet nobody drew. */
static ebm_status periodic(ebmt__run *r, bool save, ebm_error *err)
{
    ebm_status st = periodic_sheet(r, err);
    if (st == EBM_OK && save)
        st = save_checkpoint(r, err);
    return st;
}

static bool validation_is_due(const ebmt__run *r)
{
    return ebmt__run_leads(r) && r->opt->held_out && r->opt->validation_every > 0 &&
           r->tr->state.iteration % r->opt->validation_every == 0;
}

/* Tells metrics and caller of the iteration; *go_on becomes false when the caller wants to stop. */
static ebm_status report(ebmt__run *r, bool *go_on, ebm_error *err)
{
    const ebmt__trainer *tr = r->tr;
    double *gap = validation_is_due(r) ? r->validation : NULL;
    double *error = gap ? gap + tr->levels->count : NULL;
    ebm_status st = gap ? ebmt__validate(r->tr, r->opt->held_out, gap, error, err) : EBM_OK;
    if (st != EBM_OK)
        return st;
    const ebmt_report line = {.iteration = tr->state.iteration,
                              .iterations = tr->config.iterations,
                              .seconds = seconds_since(&r->begin),
                              .loss = tr->loss,
                              .matching = tr->matching,
                              .grad_norm = tr->grad_norm,
                              .lr = tr->lr,
                              .levels = tr->levels->count,
                              .gap = tr->stats.gap,
                              .displacement = tr->stats.displacement,
                              .acceptance = tr->stats.acceptance,
                              .level_matching = tr->stats.matching,
                              .persistent = tr->visits > 0,
                              .persistent_gap = tr->stats.persistent_gap,
                              .persistent_acceptance = tr->stats.persistent_acceptance,
                              .seen = tr->stats.seen,
                              .validation_gap = gap,
                              .validation_error = error};
    ebmt__history_add(r->history, &line);
    *go_on = !r->opt->hooks.report || r->opt->hooks.report(r->opt->hooks.user, &line);
    return ebmt__run_leads(r) ? ebmt__metrics_append(r->metrics, &line, err) : EBM_OK;
}

/* One iteration, and whether it was a healthy one. */
static ebm_status step(ebmt__run *r, ebm_error *err)
{
    const ebmt__level_stats *s = &r->tr->stats;
    ebm_status st = ebmt__trainer_step(r->tr, err);
    if (st != EBM_OK)
        return st;
    const ebmt__signs signs = {.displacement = s->displacement,
                               .matching = s->matching,
                               .chains = s->seen,
                               .matched = s->matched};
    ebmt__watch_see(&r->watch, &signs);
    return ebmt__watch_check(&r->watch, r->tr->state.iteration, err);
}

/* What follows a step: first what all processes do together, then what may fail in one alone. */
static ebm_status after_step(ebmt__run *r, bool *stop, ebm_error *err)
{
    bool go_on = true, save = checkpoint_is_due(r);
    ebm_status st = save ? ebmt__run_check_weights(r, err) : EBM_OK;
    if (st == EBM_OK)
        st = report(r, &go_on, err);
    if (st == EBM_OK && ebmt__run_leads(r))
        st = periodic(r, save, err);
    *stop = !go_on;
    return ebmt_group_agree(r->opt->group, st, stop, err);
}

/* A step ends alike in all processes. */
static ebm_status iterate(ebmt__run *r, ebm_error *err)
{
    bool stop = false;
    ebm_status st = EBM_OK;
    while (st == EBM_OK && !stop && r->tr->state.iteration < r->tr->config.iterations) {
        st = step(r, err);
        if (st == EBM_OK)
            st = after_step(r, &stop, err);
    }
    return st;
}

/* --- the beginning --------------------------------------------------------------------------- */

static ebm_status make_watch(ebmt__run *r, ebm_error *err)
{
    size_t levels = (size_t)r->tr->levels->count;
    r->validation = calloc(2 * levels, sizeof *r->validation);
    if (!r->validation)
        return ebm_error_set(err, EBM_ERR_NOMEM, "validation", "no memory");
    return ebmt__watch_init(r->tr->levels, r->tr->config.divergence_limit, r->tr->state.watch,
                            &r->watch, err);
}

/* What the manifest would refuse is refused before hours of training. */
static ebm_status check_texts(const ebmt_run_options *opt, ebm_error *err)
{
    ebm_status st =
        ebmt__manifest_text_check("title", opt->title, sizeof((ebm_model_info *)0)->title, err);
    if (st == EBM_OK)
        st = ebmt__manifest_text_check("licence", opt->licence,
                                       sizeof((ebm_model_info *)0)->licence, err);
    return st;
}

/* What the first look at held-out images would refuse. */
static ebm_status check_held_out(const ebmt_run_options *opt, ebm_error *err)
{
    const ebmt_dataset *h = opt->held_out, *d = opt->data;
    if (!h || (h->width == d->width && h->height == d->height && h->channels == d->channels))
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_SHAPE, "held-out",
                         "held-out images are %dx%dx%d, training images %dx%dx%d", (int)h->width,
                         (int)h->height, (int)h->channels, (int)d->width, (int)d->height,
                         (int)d->channels);
}

/* Before anything in it is read or swept away: what looks left behind may be another run's. */
static ebm_status take_out_dir(ebmt__run *r, ebm_error *err)
{
    ebm_status st = ebm_dir_make(r->opt->out_dir, err);
    return st == EBM_OK ? ebmt__out_lock(r->opt->out_dir, &r->lock, err) : st;
}

/* What every process has. */
static ebm_status make_parts(ebmt__run *r, ebm_error *err)
{
    ebm_status st = check_texts(r->opt, err);
    if (st == EBM_OK)
        st = check_held_out(r->opt, err);
    if (st == EBM_OK && ebmt__run_leads(r))
        st = take_out_dir(r, err);
    if (st == EBM_OK)
        st = ebmt__trainer_create(r->opt, id_of(r->opt->out_dir), &r->tr, err);
    if (st == EBM_OK)
        st = make_watch(r, err);
    if (st == EBM_OK)
        st = ebmt__history_create(r->tr->config.lowest_level, ebmt__highest_level(r->tr),
                                  &r->history, err);
    if (st == EBM_OK)
        st = ebmt_config_to_json(&r->tr->config, &r->config_json, err);
    return st;
}

static ebm_status check_group(const ebmt__run *r, ebm_error *err)
{
    ebm_status st =
        ebmt_group_check_same(r->opt->group, "kernel class", r->opt->kernels->kernel_class, err);
    if (st == EBM_OK)
        st = ebmt_group_check_same(r->opt->group, "settings or data", r->config_json, err);
    return st;
}

static ebm_status open_files(ebmt__run *r, ebm_error *err)
{
    const char *dir = r->opt->out_dir;
    ebmt__checkpoint_sweep(dir);
    ebm_status st = ebmt__metrics_open(dir, r->tr->state.iteration, &r->metrics, err);
    if (st == EBM_OK && r->opt->resume)
        st = ebmt__history_read(r->history, r->tr->levels->count, dir, EBMT_HISTORY_BYTES, err);
    return st;
}

static ebm_status prepare(ebmt__run *r, ebm_error *err)
{
    ebm_status st = ebmt_group_agree(r->opt->group, make_parts(r, err), NULL, err);
    if (st == EBM_OK)
        st = check_group(r, err);
    if (st == EBM_OK && r->opt->resume)
        st = restore(r, err);
    if (st != EBM_OK)
        return st;
    return ebmt_group_agree(r->opt->group, ebmt__run_leads(r) ? open_files(r, err) : EBM_OK, NULL,
                            err);
}

/* From here on the page in out_dir is this run's, and tells how it ends. */
static ebm_status go(ebmt__run *r, ebm_error *err)
{
    const ebmt_config *c = &r->tr->config;
    if (c->objective == EBMT_HYBRID && c->warm_start >= c->iterations)
        ebmt__run_note(r, "the warm start takes all iterations: matching alone");
    ebm_status st = iterate(r, err);
    if (st == EBM_OK)
        return ebmt__run_finish(r, err);
    if (st == EBM_ERR_DIVERGED)
        ebmt__run_end_diverged(r, err);
    else
        ebmt__run_end_failed(r, err);
    return st;
}

ebm_status ebmt_run(const ebmt_run_options *opt, ebm_error *err)
{
    ebmt__run r = {.opt = opt, .lock = -1};
    ebm_error own = {0};
    ebm_error *e = err ? err : &own;
    clock_gettime(CLOCK_MONOTONIC, &r.begin);
    ebm_status st = prepare(&r, e);
    if (st == EBM_OK)
        st = go(&r, e);
    ebmt__watch_clear(&r.watch);
    free(r.validation);
    ebmt__metrics_close(r.metrics);
    ebmt__history_free(r.history);
    ebmt__trainer_free(r.tr);
    ebm_free(r.config_json);
    if (r.lock >= 0)
        (void)close(r.lock);
    return st;
}
