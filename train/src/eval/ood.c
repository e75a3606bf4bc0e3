/* Out-of-distribution test: the model's score tells real images from foreign ones, or doesn't. Has
 * never heard of files or classifiers. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "ebm/memory.h"
#include "ebm/session.h"
#include "ebmt/eval.h"
#include "eval/image_sets.h"

/* Scratch of one thread. @shape floats [4*dim]: image, work; features [EBM_FEATURES,T] */
typedef struct score_worker {
    ebm_session *session;
    float *floats;
    double *features;
    ebm_error error; /* the first one */
} score_worker;

typedef struct scoring {
    const ebm_levels *levels;
    const ebmt_ood_options *opt;
    const ebmt_dataset *images;
    size_t dim;
    score_worker *workers;
    double *scores;
} scoring;

static void score_task(void *user, int32_t i, int32_t worker)
{
    scoring *s = user;
    score_worker *w = &s->workers[worker];
    const ebm_density density = ebm_density_of_session(w->session);
    const ebm_scoring how = {&density, s->levels, s->opt->seed, s->opt->calibration->draws};
    if (w->error.status != EBM_OK ||
        ebmt_dataset_get(s->images, i, false, w->floats, &w->error) != EBM_OK)
        return;
    ebm_score_image(&how, w->floats, (uint32_t)i, w->floats + s->dim, w->features);
    s->scores[i] = ebm_calibration_score(s->opt->calibration, w->features);
    if (!ebm_score_is_finite(w->features, s->levels->count)) {
        w->error.index = i;
        (void)ebm_error_set(&w->error, EBM_ERR_DIVERGED, "ood",
                            "the score of image %d is not finite", (int)i);
    }
}

static ebm_status init_workers(ebm_model *m, scoring *s, int32_t n, ebm_error *err)
{
    ebm_status st = EBM_OK;
    s->workers = ebm_alloc((size_t)n, sizeof *s->workers);
    if (!s->workers)
        return ebm_error_set(err, EBM_ERR_NOMEM, "ood", "no memory for %d threads", n);
    for (int32_t i = 0; i < n && st == EBM_OK; i++) {
        s->workers[i].floats = ebm_alloc(4 * s->dim, sizeof(float));
        s->workers[i].features = ebm_alloc((size_t)s->levels->count, EBM_FEATURES * sizeof(double));
        st = s->workers[i].floats && s->workers[i].features
                 ? ebm_session_create(m, NULL, &s->workers[i].session, err)
                 : ebm_error_set(err, EBM_ERR_NOMEM, "ood", "no memory for an image");
    }
    return st;
}

ebm_status ebmt_ood_scores(ebm_model *m, const ebmt_ood_options *opt, const ebmt_dataset *images,
                           double *scores, ebm_error *err)
{
    const ebm_graph_info *g = ebm_model_describe(m)->graph;
    const int32_t threads = ebmt_pool_threads(opt->pool);
    scoring s = {.levels = ebm_model_describe(m)->levels,
                 .opt = opt,
                 .images = images,
                 .dim = ebmt__image_bytes(images),
                 .scores = scores};
    if (images->channels != g->channels || images->height != g->height || images->width != g->width)
        return ebm_error_set(err, EBM_ERR_SHAPE, "ood",
                             "the model draws %dx%dx%d, these are %dx%dx%d", g->width, g->height,
                             g->channels, images->width, images->height, images->channels);
    ebm_status st = init_workers(m, &s, threads, err);
    if (st == EBM_OK)
        ebmt_pool_run(opt->pool, (int32_t)images->count, score_task, &s);
    for (int32_t i = 0; s.workers && i < threads; i++) {
        const ebm_error *e = &s.workers[i].error;
        if (st == EBM_OK && e->status != EBM_OK)
            st = ebm_error_set(err, e->status, e->where, "%s", e->text);
        ebm_session_free(s.workers[i].session);
        ebm_free(s.workers[i].floats);
        ebm_free(s.workers[i].features);
    }
    ebm_free(s.workers);
    return st;
}

/* --- the test ------------------------------------------------------------------------------ */

/* Sorts the scores. */
static void summarise(const char *name, double *scores, int64_t n, ebmt_ood_row *row)
{
    static const double at[EBMT_OOD_QUANTILES] = {0.01, 0.05, 0.5, 0.95, 0.99};
    row->name = name;
    row->n = n;
    for (int i = 0; i < EBMT_OOD_QUANTILES; i++)
        row->quantile[i] = ebmt_quantile(scores, n, at[i]);
}

/* One foreign set against the scores of the test images.
 * @param pairs: image k of the set is made from test image k, and scored with the same noise */
static ebm_status add_row(ebm_model *m, const ebmt_ood_options *opt, const ebmt_dataset *images,
                          const char *name, bool pairs, const double *test, ebmt_ood_report *out,
                          ebm_error *err)
{
    const int64_t n = out->row[0].n;
    ebmt_ood_row *row = &out->row[out->n_rows];
    double *scores = ebm_alloc((size_t)images->count, sizeof *scores);
    if (!scores)
        return ebm_error_set(err, EBM_ERR_NOMEM, "ood", "no memory for scores");
    ebm_status st = ebmt_ood_scores(m, opt, images, scores, err);
    if (st == EBM_OK)
        st = pairs ? ebmt_auroc_pairs(test, scores, n, &row->auroc, err)
                   : ebmt_auroc(test, n, scores, images->count, &row->auroc, err);
    if (st == EBM_OK) {
        summarise(name, scores, images->count, row);
        out->n_rows++;
    }
    ebm_free(scores);
    return st;
}

static ebm_status add_turned(ebm_model *m, const ebmt_ood_options *opt, ebmt__turn turn,
                             const char *name, const double *test, ebmt_ood_report *out,
                             ebm_error *err)
{
    ebmt_dataset set;
    ebm_status st = ebmt__images_turned(opt->test, turn, &set, err);
    if (st == EBM_OK)
        st = add_row(m, opt, &set, name, true, test, out, err);
    ebmt_dataset_clear(&set);
    return st;
}

ebm_status ebmt_ood_test(ebm_model *m, const ebmt_ood_options *opt, ebmt_ood_report *out,
                         ebm_error *err)
{
    const int64_t n = opt->test->count;
    memset(out, 0, sizeof *out);
    double *test = ebm_alloc((size_t)n, sizeof *test);
    if (!test)
        return ebm_error_set(err, EBM_ERR_NOMEM, "ood", "no memory for scores");
    ebm_status st = ebmt_ood_scores(m, opt, opt->test, test, err);
    if (st == EBM_OK) {
        out->row[0] = (ebmt_ood_row){.n = n, .auroc = {NAN, NAN, n}};
        out->n_rows = 1;
        st = add_row(m, opt, opt->foreign, "foreign images", false, test, out, err);
    }
    if (st == EBM_OK)
        st = add_turned(m, opt, EBMT__MIRRORED, "test images mirrored", test, out, err);
    if (st == EBM_OK)
        st = add_turned(m, opt, EBMT__UPSIDE_DOWN, "test images upside down", test, out, err);
    if (st == EBM_OK) /* at last, since it sorts: pairs go by number */
        summarise("test images", test, n, &out->row[0]);
    ebm_free(test);
    return st;
}
