/* `ebm energy`: energies of images at every noise level, and how unusual they are among
 * calibration images; with --calibrate it makes the statistics for that, and says what they are
 * worth. */
#include <stdio.h>

#include "cli/op_images.h"
#include "cli/op_remote.h"
#include "cli/open_any.h"
#include "ebm/calibration.h"
#include "ebm/memory.h"
#include "ebm/spoil.h"
#include "ebmt/statistics.h"

#define CALIBRATION_IMAGES 2000 /* percentiles to 1 in 100, in some minutes */

#define AT(member) offsetof(ebmt__op_args, member)

static const ebmt_option rows[] = {
    {"--images", EBMT_OPT_STRING, AT(images), 0, 0, NULL, "PATH",
     "a PNG file, or data in any format of docs/data.md", false},
    {"--calibrate", EBMT_OPT_STRING, AT(calibrate), 0, 0, NULL, "PATH",
     "score these images, at least 100, and spoiled copies, and store what tells them apart",
     false},
    {"--limit", EBMT_OPT_INT64, AT(limit), 1, 1000000, NULL, "images",
     "use only the first images of the data; absent: all, to calibrate 2000 evenly spread", false},
    EBMT_OP_PART_ROW,
};

typedef struct scoring {
    ebmt__op_run run;
    ebmt__op_images images;
    ebm_calibration calibration; /* mean NULL: there is none */
    double *features;            /* [count, EBM_FEATURES, T]; with --calibrate also of copies */
    double *single;              /* [count, T, draws] with --calibrate: each draw's log density */
    float *grad;                 /* [count, dim], or NULL */
} scoring;

static double *features_of(const scoring *s, int64_t k)
{
    return s->features + (size_t)k * EBM_FEATURES * (size_t)s->run.levels->count;
}

static ebm_scoring how_of(const scoring *s, const ebmt__bench *b)
{
    const ebm_op_params *p = &s->run.call.params;
    return (ebm_scoring){&b->density, s->run.levels, (uint64_t)p->seed, (int32_t)p->draws};
}

static ebm_status score_task(void *user, int32_t k, ebmt__bench *b, ebm_error *err)
{
    scoring *s = user;
    const ebm_scoring how = how_of(s, b);
    ebm_status st = ebmt__op_images_get(&s->images, k, b->x, err);
    if (st != EBM_OK)
        return st;
    ebm_score_image(&how, b->x, (uint32_t)k, b->work, features_of(s, k));
    if (s->grad)
        ebm_score_gradient(&how, b->x, (uint32_t)k, b->work, s->grad + (size_t)k * s->run.dim);
    return EBM_OK;
}

/* --- output -------------------------------------------------------------------------------- */

static void print_head(const scoring *s)
{
    char digest[65];
    ebm_receipt_chain_digest(&s->run.receipt, digest);
    (void)printf("{\"comparable_within\":\"%s\",\"levels\":%d,\"draws\":%lld,\"seed\":%lld", digest,
                 s->run.levels->count, (long long)s->run.call.params.draws,
                 (long long)s->run.call.params.seed);
    ebmt__op_print_part(&s->images);
    if (s->calibration.mean)
        (void)printf(",\"calibration\":{\"count\":%lld,\"draws\":%d}}\n",
                     (long long)s->calibration.count, s->calibration.draws);
    else
        (void)printf(",\"calibration\":null}\n");
}

/* An average over another number of draws spreads differently: no percentiles then. */
static bool comparable(const scoring *s)
{
    return s->calibration.mean && s->calibration.draws == s->run.call.params.draws;
}

static void print_list(const char *name, const double *values, int32_t n, double sign)
{
    (void)printf(",\"%s\":[", name);
    for (int32_t i = 0; i < n; i++)
        (void)printf("%s%.9g", i ? "," : "", sign * values[i]);
    (void)printf("]");
}

static void print_unusual(const scoring *s, const double *features)
{
    const ebm_calibration *c = &s->calibration;
    const double *logp = features + EBM_FEATURE_LOGP * c->levels;
    double score = ebm_calibration_score(c, features);
    (void)printf(",\"percentiles\":[");
    for (int32_t t = 0; t < c->levels; t++)
        (void)printf("%s%.6g", t ? "," : "", ebm_calibration_percentile(c, t, logp[t]));
    (void)printf("],\"score\":%.6g,\"ood_percentile\":%.6g", score,
                 100.0 - ebm_calibration_percentile(c, c->levels, score));
}

static void print_gradient(const float *grad, size_t dim)
{
    (void)printf(",\"gradient\":[");
    for (size_t i = 0; i < dim; i++)
        (void)printf("%s%.7g", i ? "," : "", -(double)grad[i]); /* of the energy */
    (void)printf("]");
}

static ebm_status print_image(const scoring *s, int64_t k, ebm_error *err)
{
    const int32_t levels = s->run.levels->count;
    const double *features = features_of(s, k), *logp = features + EBM_FEATURE_LOGP * levels;
    if (!ebm_score_is_finite(features, levels))
        return ebm_error_set(err, EBM_ERR_DIVERGED, "--images",
                             "the energy of image %lld is not finite", (long long)k);
    (void)printf("{\"index\":%lld", (long long)k);
    ebmt__op_print_number("energy", -logp[0]);
    print_list("energies", logp, levels, -1.0);
    if (comparable(s))
        print_unusual(s, features);
    if (s->grad)
        print_gradient(s->grad + (size_t)k * s->run.dim, s->run.dim);
    (void)printf("}\n");
    return EBM_OK;
}

/* --- the run ------------------------------------------------------------------------------- */

/* The directory of the one model. @shape dir [4096] */
static ebm_status model_dir(const scoring *s, char *dir, ebm_error *err)
{
    int n = snprintf(dir, 4096, "%s/%s", s->run.args->models, s->run.part[0].id);
    return n > 0 && n < 4096 ? EBM_OK
                             : ebm_error_set(err, EBM_ERR_ARG, "--models", "the path is too long");
}

static bool is_single(const scoring *s)
{
    return s->run.n_models == 1 && s->run.part[0].weight == 1.0;
}

static ebm_status read_calibration(scoring *s, ebm_error *err)
{
    char dir[4096];
    if (!is_single(s))
        return EBM_OK;
    ebm_status st = model_dir(s, dir, err);
    const ebm_calibrated of = {s->run.receipt.sha256[0], s->run.levels};
    return st == EBM_OK ? ebmt__open_calibration("--models", dir, &of, &s->calibration, err) : st;
}

/* Scores `each` pictures of every image by `task`. */
static ebm_status score_all(scoring *s, const char *flag, int32_t each, ebmt__op_task task,
                            ebm_error *err)
{
    const size_t n = (size_t)each * (size_t)s->images.count;
    s->features = ebm_alloc(n, EBM_FEATURES * (size_t)s->run.levels->count * sizeof *s->features);
    if (s->run.call.params.gradient)
        s->grad = ebm_alloc(n, s->run.dim * sizeof *s->grad);
    if (!s->features || (s->run.call.params.gradient && !s->grad))
        return ebm_error_set(err, EBM_ERR_NOMEM, flag, "no memory for %zu images", n);
    return ebmt__op_each(&s->run, (int32_t)n, task, s, err);
}

/* --- calibration --------------------------------------------------------------------------- */

/* Copy k of images that are there: what it lacks comes from the image half the set away.
 * @shape b->x [dim]: the copy */
static ebm_status make_copy(const scoring *s, int64_t k, ebmt__bench *b, ebm_error *err)
{
    const int64_t n = s->images.count, image = k / EBM_SCORED_COPIES;
    const ebm_spoil_source from = {.shape = &s->run.shape,
                                   .image = b->y,
                                   .partner = b->anchor,
                                   .seed = (uint64_t)s->run.call.params.seed,
                                   .index = (uint32_t)k};
    ebm_status st = ebmt__op_images_get(&s->images, image, b->y, err);
    if (st == EBM_OK)
        st = ebmt__op_images_get(&s->images, (image + n / 2) % n, b->anchor, err);
    if (st == EBM_OK)
        ebm_spoil(ebm_scored_kind(k), &from, b->x);
    return st;
}

/* Images first, then their copies. */
static ebm_status calibrate_task(void *user, int32_t k, ebmt__bench *b, ebm_error *err)
{
    scoring *s = user;
    const ebm_scoring how = how_of(s, b);
    const int64_t n = s->images.count, numbers = ebm_score_evals(&how, false);
    ebm_score score = {.features = features_of(s, k),
                       .single = k < n ? s->single + (int64_t)k * numbers : NULL};
    ebm_status st =
        k < n ? ebmt__op_images_get(&s->images, k, b->x, err) : make_copy(s, k - n, b, err);
    if (st == EBM_OK)
        ebm_score_advance(&how, b->x, (uint32_t)k, numbers, b->work, &score);
    return st;
}

/* @shape own [count], spoiled [copies]: scratch */
static ebm_status try_kind(const ebm_scored *set, ebm_spoil_kind kind, double *own, double *spoiled,
                           ebmt_number *area, ebm_error *err)
{
    int64_t n = 0;
    ebm_status st = ebm_calibration_trial(set, kind, own, spoiled, err);
    for (int64_t k = 0; k < EBM_SCORED_COPIES * set->count && st == EBM_OK; k++)
        if (ebm_scored_kind(k) == kind)
            spoiled[n++] = spoiled[k];
    if (st != EBM_OK)
        return st;
    st = ebmt_auroc(own, set->count, spoiled, n, area, err);
    (void)printf(
        "{\"unseen_kind\":\"%s\",\"copies\":%lld,\"auroc\":%.4g,\"standard_error\":%.2g}\n",
        ebm_spoil_name(kind), (long long)n, area->value, area->se);
    return st;
}

/* What the score is worth: each kind of copies told from the images by a score that has not seen
 * that kind, nor the images it is tried on. */
static ebm_status print_worth(const ebm_scored *set, ebm_error *err)
{
    const size_t n = (size_t)set->count;
    double *own = ebm_alloc((1 + EBM_SCORED_COPIES) * n, sizeof *own), sum = 0;
    ebm_status st = own ? EBM_OK : ebm_error_set(err, EBM_ERR_NOMEM, "--calibrate", "no memory");
    for (int kind = 0; kind < EBM_SPOIL_KINDS && st == EBM_OK; kind++) {
        ebmt_number area = {0};
        st = try_kind(set, (ebm_spoil_kind)kind, own, own + n, &area, err);
        sum += area.value / EBM_SPOIL_KINDS;
    }
    if (st == EBM_OK)
        (void)printf("{\"unseen_kind\":\"mean\",\"copies\":%lld,\"auroc\":%.4g}\n",
                     (long long)(EBM_SCORED_COPIES * set->count), sum);
    ebm_free(own);
    return st;
}

static ebm_status store(scoring *s, const ebm_scored *set, ebm_error *err)
{
    const ebm_op_params *p = &s->run.call.params;
    char dir[4096];
    ebm_status st = ebm_calibration_of(set, &s->calibration, err);
    s->calibration.draws = (int32_t)p->draws;
    s->calibration.seed = p->seed;
    if (st == EBM_OK)
        st = ebm_calibration_take_band(&s->calibration, s->single, err);
    if (st == EBM_OK)
        st = model_dir(s, dir, err);
    if (st != EBM_OK)
        return st;
    const ebm_calibrated of = {s->run.receipt.sha256[0], s->run.levels};
    return ebm_calibration_write(&s->calibration, &of, dir, err);
}

static ebm_status make_room(scoring *s, const char *flag, ebm_error *err)
{
    const size_t levels = (size_t)s->run.levels->count, draws = (size_t)s->run.call.params.draws;
    s->single = ebm_alloc((size_t)s->images.count, levels * draws * sizeof *s->single);
    return s->single ? EBM_OK : ebm_error_set(err, EBM_ERR_NOMEM, flag, "no memory for its draws");
}

static ebm_status calibrate(scoring *s, ebm_error *err)
{
    static const char flag[] = "--calibrate";
    const ebmt__op_args *a = s->run.args;
    const ebmt__op_pick pick = {a->limit, CALIBRATION_IMAGES};
    if (!is_single(s))
        return ebm_error_set(err, EBM_ERR_ARG, flag, "needs a single model");
    ebm_status st = ebmt__op_images_open(&s->run, flag, a->calibrate, pick, &s->images, err);
    if (st == EBM_OK && s->images.count < EBM_CALIBRATION_MIN)
        st = ebm_error_set(err, EBM_ERR_RANGE, flag, "needs at least %d images",
                           EBM_CALIBRATION_MIN);
    s->run.call.params.gradient = false; /* of no use here */
    if (st == EBM_OK)
        st = make_room(s, flag, err);
    if (st == EBM_OK)
        st = score_all(s, flag, 1 + EBM_SCORED_COPIES, calibrate_task, err);
    if (st != EBM_OK)
        return st;
    const ebm_scored set = {s->run.levels->count, s->images.count, s->features,
                            features_of(s, s->images.count)};
    st = store(s, &set, err);
    if (st != EBM_OK)
        return st;
    print_head(s);
    return print_worth(&set, err);
}

/* --- the command --------------------------------------------------------------------------- */

static ebm_status tell(scoring *s, ebm_error *err)
{
    const ebmt__op_args *a = s->run.args;
    const ebmt__op_pick pick = {.first = a->limit};
    ebm_status st = read_calibration(s, err);
    if (st == EBM_OK)
        st = ebmt__op_images_open(&s->run, "--images", a->images, pick, &s->images, err);
    if (st == EBM_OK)
        st = score_all(s, "--images", 1, score_task, err);
    if (st != EBM_OK)
        return st;
    print_head(s);
    for (int64_t k = 0; k < s->images.count && st == EBM_OK; k++)
        st = print_image(s, k, err);
    return st;
}

int ebmt__cmd_energy(int argc, char **argv)
{
    const ebmt__op_command command = {EBM_OP_ENERGY, rows, sizeof rows / sizeof rows[0], 0};
    ebmt__op_args args = {0};
    scoring s = {0};
    ebm_error err = {0};
    int code;
    if (!ebmt__op_begin(&command, argc, argv, &args, &code))
        return code;
    if (!args.images == !args.calibrate) {
        (void)ebm_error_set(&err, EBM_ERR_ARG, "--images", "give either --images or --calibrate");
        return ebmt__cli_usage("energy", &err);
    }
    ebm_status st = ebmt__op_open(&s.run, EBM_OP_ENERGY, &args, args.threads, &err);
    if (st == EBM_OK)
        st = args.calibrate ? calibrate(&s, &err) : tell(&s, &err);
    ebmt__op_images_clear(&s.images);
    ebm_calibration_clear(&s.calibration);
    ebm_free(s.features);
    ebm_free(s.single);
    ebm_free(s.grad);
    ebmt__op_close(&s.run);
    return st == EBM_OK ? EBMT_EXIT_OK : ebmt__cli_fail("energy", &err);
}
