/* Bits per dimension of held-out images: particles and images shared out over a pool. The
 * estimators are core's; has never heard of files or rulers. */
#include <math.h>
#include <string.h>

#include "ebm/forward.h"
#include "ebm/memory.h"
#include "ebm/sampler.h"
#include "ebmt/eval.h"
#include "eval/image_sets.h"

/* Scratch of one thread. @shape floats: image [dim], x_0 [dim], work [ebm_ais_work()], path
 * [T,dim], start [dim] */
typedef struct bits_worker {
    ebm_session *session;
    ebm_density density;
    float *image, *x0, *work, *path, *start;
    double *log_g;
    ebm_particle *weight;
    ebm_error error; /* the first one it met */
} bits_worker;

typedef struct bits_job {
    const ebm_levels *levels;
    const ebmt_bits_options *opt;
    size_t dim;
    bits_worker *workers;
    double *tuned;                   /* [T], of the estimate that is running */
    ebm_particle *forward, *reverse; /* [particles] */
    ebm_particle *back;              /* [particles] of the highest level, reverse */
    double *rungs;                   /* [particles, T] */
    ebm_log_z top, top_reverse;      /* log Z of the highest level */
    double *f;                       /* [images] f_0(A_0 x_0) + D log A_0 */
    ebm_bound *bound;                /* [images] */
} bits_job;

ebmt_bits_options ebmt_bits_options_default(void)
{
    return (ebmt_bits_options){.seed = 1,
                               .particles = 16,
                               .temperatures = 100,
                               .paths = 2,
                               .local_particles = 2,
                               .burn_in = 50,
                               .tuning = 200};
}

static ebm_ais plan_of(const bits_job *job, const bits_worker *w)
{
    ebm_ais how = ebm_ais_default(&w->density, job->levels, job->opt->seed);
    how.temperatures = job->opt->temperatures;
    how.burn_in = job->opt->burn_in;
    how.tuned = job->tuned;
    return how;
}

static ebm_status get_image(const bits_job *job, int64_t i, float *x, ebm_error *err)
{
    return ebmt_dataset_get(job->opt->images, i % job->opt->images->count, 0, x, err);
}

/* --- the ladder ---------------------------------------------------------------------------- */

/* Reverse particles start at draws of the model, numbered on: those of the ladder, those of its
 * highest level, and the one that tuning begins at. */
static ebm_status reverse_particle(const bits_job *job, bits_worker *w, const ebm_ais *how,
                                   int32_t i)
{
    const int32_t n = job->opt->particles, top = job->levels->count - 1;
    ebm_status st = ebm_ais_origin(how, i < n ? 0 : top, (uint32_t)i, w->work, w->start, &w->error);
    if (st != EBM_OK)
        return st;
    if (i < n)
        return ebm_ais_ladder(how, w->start, (uint32_t)i, w->work, NULL, &job->reverse[i],
                              &w->error);
    return ebm_ais_top(how, w->start, (uint32_t)(i - n), w->work, &job->back[i - n], &w->error);
}

static void ladder_task(void *user, int32_t i, int32_t worker)
{
    bits_job *job = user;
    bits_worker *w = &job->workers[worker];
    const ebm_ais how = plan_of(job, w);
    const int32_t n = job->opt->particles;
    if (w->error.status != EBM_OK)
        return;
    if (i >= n)
        w->error.status = reverse_particle(job, w, &how, i - n);
    else
        w->error.status = ebm_ais_ladder(&how, NULL, (uint32_t)i, w->work,
                                         job->rungs + (ptrdiff_t)i * job->levels->count,
                                         &job->forward[i], &w->error);
}

static ebm_status join_ladder(bits_job *job, ebmt_bits_report *out, ebm_error *err)
{
    const size_t n = (size_t)job->opt->particles;
    const int32_t levels = job->levels->count;
    ebm_status st = ebm_log_z_of(job->forward, n, false, &out->forward, err);
    if (st == EBM_OK)
        st = ebm_log_z_of(job->reverse, n, true, &out->reverse, err);
    if (st == EBM_OK)
        st = ebm_log_z_of(job->back, n, true, &job->top_reverse, err);
    return st == EBM_OK
               ? ebm_log_z_of_level(job->forward, job->rungs, n, levels, levels - 1, &job->top, err)
               : st;
}

/* --- images -------------------------------------------------------------------------------- */

static void image_task(void *user, int32_t i, int32_t worker)
{
    bits_job *job = user;
    bits_worker *w = &job->workers[worker];
    const ebm_ais how = plan_of(job, w);
    const ebm_noise noise = {.seed = job->opt->seed, .index = (uint32_t)i};
    const ebm_bound_plan plan = {.paths = job->opt->paths,
                                 .particles = job->opt->local_particles,
                                 .index = (uint32_t)i,
                                 .top = job->top,
                                 .top_reverse = job->top_reverse};
    const ebm_bound_room room = {.work = w->work,
                                 .path = w->path,
                                 .start = w->start,
                                 .log_g = w->log_g,
                                 .weight = w->weight};
    if (w->error.status != EBM_OK || get_image(job, i, w->image, &w->error) != EBM_OK)
        return;
    ebm_forward_path(job->levels, &noise, job->dim, w->image, 0, w->x0);
    job->f[i] = ebm_ladder_logp(&how, w->x0, 0.0, w->work);
    w->error.status = ebm_recovery_bound(&how, &plan, w->image, &room, &job->bound[i], &w->error);
}

/* Mean over images in bits per dimension; `se` adds the normaliser's error, common to all. */
static ebmt_number bits_of(const bits_job *job, double (*logp)(const bits_job *, int64_t),
                           double log_z, double se)
{
    const int64_t n = job->opt->images->count;
    const double to_bits = 1.0 / ((double)job->dim * log(2.0));
    double mean = 0.0, m2 = 0.0;
    for (int64_t i = 0; i < n; i++) {
        const double v = logp(job, i), d = v - mean;
        mean += d / (double)(i + 1);
        m2 += d * (v - mean);
    }
    const double spread = n > 1 ? m2 / ((double)n * ((double)n - 1.0)) : NAN;
    return (ebmt_number){ebm_bits_per_dim(mean - log_z, job->dim, job->levels),
                         sqrt(spread + se * se) * to_bits, n};
}

static double f_of(const bits_job *job, int64_t i)
{
    return job->f[i];
}
static double forward_of(const bits_job *job, int64_t i)
{
    return job->bound[i].forward;
}
static double reverse_of(const bits_job *job, int64_t i)
{
    return job->bound[i].reverse;
}

static void join_images(const bits_job *job, ebmt_bits_report *out)
{
    const ebm_log_z *f = &out->forward, *r = &out->reverse;
    out->n = job->opt->images->count;
    out->ladder_low = bits_of(job, f_of, f->value, f->std_error);
    out->ladder_high = bits_of(job, f_of, r->value, r->std_error);
    out->bound_low = bits_of(job, forward_of, 0.0, job->top.std_error);
    out->bound_high = bits_of(job, reverse_of, 0.0, job->top_reverse.std_error);
    for (int64_t i = 0; i < out->n; i++)
        out->acceptance += job->bound[i].acceptance / (double)out->n;
}

/* --- all of it ----------------------------------------------------------------------------- */

static ebm_status init_worker(ebm_model *m, const bits_job *job, bits_worker *w, ebm_error *err)
{
    const size_t dim = job->dim, levels = (size_t)job->levels->count;
    w->image = ebm_alloc((3 + levels) * dim + ebm_ais_work(dim), sizeof(float));
    w->log_g = ebm_alloc(levels, sizeof *w->log_g);
    w->weight = ebm_alloc((size_t)job->opt->local_particles, sizeof *w->weight);
    if (!w->image || !w->log_g || !w->weight)
        return ebm_error_set(err, EBM_ERR_NOMEM, "likelihood", "no memory for a chain");
    w->x0 = w->image + dim;
    w->start = w->x0 + dim;
    w->path = w->start + dim;
    w->work = w->path + levels * dim;
    ebm_status st = ebm_session_create(m, NULL, &w->session, err);
    if (st == EBM_OK)
        w->density = ebm_density_of_session(w->session);
    return st;
}

static ebm_status init_job(ebm_model *m, bits_job *job, ebm_error *err)
{
    const size_t n = (size_t)job->opt->particles, levels = (size_t)job->levels->count;
    const size_t images = (size_t)job->opt->images->count;
    const int32_t threads = ebmt_pool_threads(job->opt->pool);
    ebm_status st = EBM_OK;
    job->workers = ebm_alloc((size_t)threads, sizeof *job->workers);
    job->tuned = ebm_alloc(levels, sizeof *job->tuned);
    job->forward = ebm_alloc(n, sizeof *job->forward);
    job->reverse = ebm_alloc(n, sizeof *job->reverse);
    job->back = ebm_alloc(n, sizeof *job->back);
    job->rungs = ebm_alloc(n, levels * sizeof *job->rungs);
    job->f = ebm_alloc(images, sizeof *job->f);
    job->bound = ebm_alloc(images, sizeof *job->bound);
    if (!job->workers || !job->tuned || !job->forward || !job->reverse || !job->back ||
        !job->rungs || !job->f || !job->bound)
        return ebm_error_set(err, EBM_ERR_NOMEM, "likelihood", "no memory for particles");
    for (int32_t i = 0; i < threads && st == EBM_OK; i++)
        st = init_worker(m, job, &job->workers[i], err);
    return st;
}

static void clear_job(bits_job *job)
{
    for (int32_t i = 0; job->workers && i < ebmt_pool_threads(job->opt->pool); i++) {
        ebm_session_free(job->workers[i].session);
        ebm_free(job->workers[i].image);
        ebm_free(job->workers[i].log_g);
        ebm_free(job->workers[i].weight);
    }
    ebm_free(job->workers);
    ebm_free(job->tuned);
    ebm_free(job->forward);
    ebm_free(job->reverse);
    ebm_free(job->back);
    ebm_free(job->rungs);
    ebm_free(job->f);
    ebm_free(job->bound);
}

/* Step sizes by a chain from a draw of the model, then the tasks. */
static ebm_status run(bits_job *job, bool tether, int32_t n,
                      void (*task)(void *user, int32_t i, int32_t worker), ebm_error *err)
{
    bits_worker *first = &job->workers[0];
    ebm_ais how = plan_of(job, first);
    how.tuned = NULL;
    ebm_status st =
        ebm_ais_origin(&how, 0, 2 * (uint32_t)job->opt->particles, first->work, first->image, err);
    for (size_t k = 0; k < job->dim; k++)
        first->image[k] /= (float)job->levels->scale[0];
    if (st == EBM_OK)
        st = ebm_ais_tune(&how, tether, first->image, job->opt->tuning, first->work, job->tuned,
                          err);
    if (st != EBM_OK)
        return st;
    ebmt_pool_run(job->opt->pool, n, task, job);
    for (int32_t i = 0; i < ebmt_pool_threads(job->opt->pool) && st == EBM_OK; i++) {
        const ebm_error *e = &job->workers[i].error;
        if (e->status != EBM_OK)
            st = ebm_error_set(err, e->status, e->where, "%s", e->text);
    }
    return st;
}

static ebm_status check(const ebm_model_info *info, const ebmt_bits_options *opt, ebm_error *err)
{
    const ebm_graph_info *g = info->graph;
    const ebmt_dataset *d = opt->images;
    if (d->channels != g->channels || d->height != g->height || d->width != g->width)
        return ebm_error_set(err, EBM_ERR_SHAPE, "likelihood",
                             "the model draws %dx%dx%d, these are %dx%dx%d", g->width, g->height,
                             g->channels, d->width, d->height, d->channels);
    if (d->count < 2 || d->count > 1000000)
        return ebm_error_set(err, EBM_ERR_RANGE, "images", "%lld, allowed 2..1000000",
                             (long long)d->count);
    if (opt->particles < 2 || opt->particles > 1000000)
        return ebm_error_set(err, EBM_ERR_RANGE, "particles", "must be 2..1000000");
    if (opt->local_particles < 2 || opt->local_particles > 1000000)
        return ebm_error_set(err, EBM_ERR_RANGE, "local_particles", "must be 2..1000000");
    return EBM_OK;
}

ebm_status ebmt_bits_per_dim(ebm_model *m, const ebmt_bits_options *opt, ebmt_bits_report *out,
                             ebm_error *err)
{
    const ebm_model_info *info = ebm_model_describe(m);
    bits_job job = {.levels = info->levels, .opt = opt, .dim = ebmt__image_bytes(opt->images)};
    memset(out, 0, sizeof *out);
    ebm_status st = check(info, opt, err);
    if (st != EBM_OK)
        return st;
    st = init_job(m, &job, err);
    if (st == EBM_OK)
        st = run(&job, false, 3 * opt->particles, ladder_task, err);
    if (st == EBM_OK)
        st = join_ladder(&job, out, err);
    if (st == EBM_OK)
        st = run(&job, true, (int32_t)opt->images->count, image_task, err);
    if (st == EBM_OK) {
        out->particles = opt->particles;
        out->temperatures = opt->temperatures;
        join_images(&job, out);
    }
    clear_job(&job);
    return st;
}
