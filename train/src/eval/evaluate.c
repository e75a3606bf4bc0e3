/* The whole comparison: embeds the sets, measures samples, floors and baseline the same way with
 * every ruler, looks for copies. Has never heard of files or models. */
#include <math.h>
#include <string.h>

#include "ebm/memory.h"
#include "ebmt/eval.h"
#include "eval/embedding.h"
#include "eval/floor_cache.h"
#include "eval/image_sets.h"

#define NEIGHBOURS 3    /* Kynkaanniemi et al. 2019 */
#define NEAR_SHARE 0.01 /* of fresh images, which are this near to a training image */

static ebmt_points points_of(const ebmt_embedding *e)
{
    return (ebmt_points){.n = e->n, .dim = (size_t)e->dim, .values = e->features};
}

static ebmt_points pixels_of(const ebmt_dataset *images)
{
    return (ebmt_points){
        .n = images->count, .dim = ebmt__image_bytes(images), .bytes = images->pixels};
}

static ebm_status compare(const ebmt_eval_options *opt, const ebmt_embedding *x,
                          const ebmt_embedding *y, ebmt_comparison *out, ebm_error *err)
{
    const ebmt_points px = points_of(x), py = points_of(y);
    out->n = x->n;
    out->n_reference = y->n;
    out->precision = out->recall = (ebmt_number){NAN, NAN, x->n};
    ebm_status st = ebmt_frechet(&px, &py, &out->frechet, &out->frechet_unbiased, err);
    if (st == EBM_OK)
        st = ebmt_kernel_distance(&px, &py, &out->kernel, err);
    if (st == EBM_OK && !opt->distance_only)
        st = ebmt_precision_recall(&px, &py, NEIGHBOURS, opt->pool, &out->precision, &out->recall,
                                   err);
    if (st == EBM_OK)
        st = ebmt_class_figures_measure(x->probs, x->n, x->classes, &out->classes, err);
    return st;
}

static ebm_status embed(const ebmt_eval_options *opt, const ebmt_ruler *r,
                        const ebmt_dataset *images, ebmt_embedding *out, ebm_error *err)
{
    return r->embed(r->self, images, opt->pool, out, err);
}

/* Embeds a set for the length of one comparison. */
static ebm_status compare_images(const ebmt_eval_options *opt, const ebmt_ruler *r,
                                 const ebmt_dataset *images, const ebmt_embedding *reference,
                                 ebmt_comparison *out, ebm_error *err)
{
    ebmt_embedding e;
    ebm_status st = embed(opt, r, images, &e, err);
    if (st == EBM_OK)
        st = compare(opt, &e, reference, out, err);
    ebmt_embedding_clear(&e);
    return st;
}

/* --- floors and baseline ------------------------------------------------------------------- */

/* Sets that every ruler measures, made once, and not before one needs them. */
typedef struct floor_sets {
    ebmt_dataset train, gaussian;
} floor_sets;

static ebm_status make_floors(const ebmt_eval_options *opt, floor_sets *out, ebm_error *err)
{
    const int64_t n = opt->samples->count;
    if (out->train.pixels)
        return EBM_OK;
    ebm_status st = ebmt_choose_images(opt->train, n < opt->train->count ? n : opt->train->count,
                                       opt->seed, &out->train, err);
    if (st == EBM_OK)
        st = ebmt_gaussian_images(opt->train, n, opt->seed, opt->pool, &out->gaussian, err);
    return st;
}

static void clear_floors(floor_sets *f)
{
    ebmt_dataset_clear(&f->train);
    ebmt_dataset_clear(&f->gaussian);
}

/* Copies points first .. first+n-1 in the order that the seed decides. */
static ebm_status take_points(const ebmt_embedding *all, ebmt_order *order, int64_t first,
                              int64_t n, ebmt_embedding *out, ebm_error *err)
{
    ebm_status st = ebmt__embedding_init(n, all->dim, all->classes, out, err);
    for (int64_t i = 0; i < n && st == EBM_OK; i++) {
        int64_t at;
        ebmt_order_batch(order, first + i, 1, &at);
        memcpy(out->features + i * all->dim, all->features + at * all->dim,
               (size_t)all->dim * sizeof(double));
        memcpy(out->probs + i * all->classes, all->probs + at * all->classes,
               (size_t)all->classes * sizeof(double));
    }
    return st;
}

/* The test images in an order that the seed decides: files may be sorted by class. */
static ebm_status measure_halves(const ebmt_eval_options *opt, const ebmt_embedding *test,
                                 ebmt_comparison *out, ebm_error *err)
{
    ebmt_order *order = NULL;
    ebmt_embedding first = {0}, second = {0};
    const int64_t n = test->n / 2;
    ebm_status st = ebmt_order_create(test->n, opt->seed, &order, err);
    if (st == EBM_OK)
        st = take_points(test, order, 0, n, &first, err);
    if (st == EBM_OK)
        st = take_points(test, order, n, n, &second, err);
    if (st == EBM_OK)
        st = compare(opt, &first, &second, out, err);
    ebmt_embedding_clear(&first);
    ebmt_embedding_clear(&second);
    ebmt_order_free(order);
    return st;
}

/* --- memorisation -------------------------------------------------------------------------- */

/* Nearest training images of samples and of test images in one space. */
typedef struct nearness {
    double *samples, *test; /* distances */
    int64_t *index, *test_index;
} nearness;

static ebm_status nearness_init(int64_t n, int64_t n_test, nearness *out, ebm_error *err)
{
    out->samples = ebm_alloc((size_t)n, sizeof(double));
    out->test = ebm_alloc((size_t)n_test, sizeof(double));
    out->index = ebm_alloc((size_t)n, sizeof(int64_t));
    out->test_index = ebm_alloc((size_t)n_test, sizeof(int64_t));
    if (!out->samples || !out->test || !out->index || !out->test_index)
        return ebm_error_set(err, EBM_ERR_NOMEM, "memorisation", "no memory");
    return EBM_OK;
}

static void nearness_clear(nearness *n)
{
    ebm_free(n->samples);
    ebm_free(n->test);
    ebm_free(n->index);
    ebm_free(n->test_index);
}

static int64_t count_below(const double *v, int64_t n, double limit)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        count += v[i] < limit;
    return count;
}

static ebmt_number scaled(ebmt_number v, double unit)
{
    return (ebmt_number){v.value * unit, v.se * unit, v.n};
}

/* A binomial count. Where test images are training images the limit is 0, and nothing is told by
 * what is nearer than that. */
static ebmt_number count_of(const double *v, int64_t n, double limit)
{
    const double k = (double)count_below(v, n, limit);
    if (!(limit > 0.0))
        return (ebmt_number){NAN, NAN, n};
    return (ebmt_number){k, sqrt(k * (1.0 - k / (double)n)), n};
}

/* The share of samples under a quantile of the test images, which is itself an estimate. */
static ebmt_number share_under(const nearness *d, int64_t n, int64_t n_test, double threshold)
{
    ebmt_number share = scaled(count_of(d->samples, n, threshold), 1.0 / (double)n);
    share.se = hypot(share.se, sqrt(NEAR_SHARE * (1.0 - NEAR_SHARE) / (double)n_test));
    return share;
}

/* Sorts both lists of distances. `unit` turns them into what the report shows. */
static void summarise(nearness *d, int64_t n, int64_t n_test, double unit, ebmt_memorisation *out)
{
    const double threshold = ebmt_fresh_quantile(d->test, n_test, NEAR_SHARE);
    const ebmt_number test_median = ebmt_median(d->test, n_test);
    const ebmt_number median = ebmt_median(d->samples, n); /* sorts, as what follows expects */
    const double copy = 0.25 * test_median.value;
    *out = (ebmt_memorisation){
        .median = scaled(median, unit),
        .test_median = scaled(test_median, unit),
        .closest = d->samples[0] * unit,
        .test_closest = d->test[0] * unit,
        .threshold = threshold * unit,
        .below = share_under(d, n, n_test, threshold),
        .copies = count_of(d->samples, n, copy),
        .test_copies = count_of(d->test, n_test, copy),
    };
}

/* Three sets in one space. */
typedef struct trio {
    ebmt_points samples, test, train;
    bool test_is_train;
} trio;

static ebm_status find_nearest(const ebmt_eval_options *opt, const trio *t, nearness *out,
                               ebm_error *err)
{
    ebm_status st = nearness_init(t->samples.n, t->test.n, out, err);
    if (st == EBM_OK)
        st = ebmt_nearest(&t->samples, &t->train, opt->pool, out->samples, out->index, err);
    if (st == EBM_OK && t->test_is_train)
        st = ebmt_nearest_other(&t->test, &t->train, opt->pool, out->test, out->test_index, err);
    else if (st == EBM_OK)
        st = ebmt_nearest(&t->test, &t->train, opt->pool, out->test, out->test_index, err);
    return st;
}

static void keep_nearer(double *distance, int64_t *index, const double *other,
                        const int64_t *other_index, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (other[i] < distance[i]) {
            distance[i] = other[i];
            index[i] = other_index[i];
        }
}

/* The same with the images that look mirrored, and keeps what is nearer: what was trained on with
 * mirrors is learned by heart as either. */
static ebm_status find_mirrored(const ebmt_eval_options *opt, const trio *mirrored, nearness *out,
                                ebm_error *err)
{
    nearness d = {0};
    ebm_status st = find_nearest(opt, mirrored, &d, err);
    if (st == EBM_OK) {
        keep_nearer(out->samples, out->index, d.samples, d.index, mirrored->samples.n);
        keep_nearer(out->test, out->test_index, d.test, d.test_index, mirrored->test.n);
    }
    nearness_clear(&d);
    return st;
}

/* What is trained on may be all there is: then nothing is its own neighbour. */
static bool images_equal(const ebmt_dataset *a, const ebmt_dataset *b)
{
    return a->count == b->count &&
           memcmp(a->pixels, b->pixels, (size_t)a->count * ebmt__image_bytes(a)) == 0;
}

/* The few smallest distances by repeated search; they are few. */
static void pick_closest(const nearness *d, int64_t n, ebmt_eval_report *out)
{
    double last = -1.0;
    int64_t last_index = -1;
    while (out->n_closest < EBMT_CLOSEST && out->n_closest < n) {
        int64_t best = -1;
        for (int64_t i = 0; i < n; i++) {
            bool after = d->samples[i] > last || (d->samples[i] == last && i > last_index);
            if (after && (best < 0 || d->samples[i] < d->samples[best]))
                best = i;
        }
        last = d->samples[best];
        last_index = best;
        out->closest_sample[out->n_closest] = best;
        out->closest_train[out->n_closest++] = d->index[best];
    }
}

/* Samples and test images, mirrored. */
typedef struct mirrors {
    ebmt_dataset samples, test;
} mirrors;

static ebm_status make_mirrors(const ebmt_dataset *samples, const ebmt_dataset *test, mirrors *out,
                               ebm_error *err)
{
    ebm_status st = ebmt__images_turned(samples, EBMT__MIRRORED, &out->samples, err);
    return st == EBM_OK ? ebmt__images_turned(test, EBMT__MIRRORED, &out->test, err) : st;
}

static void clear_mirrors(mirrors *m)
{
    ebmt_dataset_clear(&m->samples);
    ebmt_dataset_clear(&m->test);
}

/* As many test images as samples, so that the search costs twice a sample's and no more. */
static ebm_status compare_pixels(const ebmt_eval_options *opt, ebmt_eval_report *out,
                                 ebm_error *err)
{
    const int64_t n = opt->samples->count;
    ebmt_dataset test;
    mirrors m = {0};
    nearness d = {0};
    ebm_status st = ebmt__images_spread(opt->test, n, &test, err);
    if (st == EBM_OK)
        st = make_mirrors(opt->samples, &test, &m, err);
    if (st == EBM_OK) {
        const trio t = {pixels_of(opt->samples), pixels_of(&test), pixels_of(opt->train),
                        out->test_is_train};
        const trio mirrored = {pixels_of(&m.samples), pixels_of(&m.test), t.train, t.test_is_train};
        st = find_nearest(opt, &t, &d, err);
        if (st == EBM_OK)
            st = find_mirrored(opt, &mirrored, &d, err);
    }
    if (st == EBM_OK) {
        pick_closest(&d, n, out);
        summarise(&d, n, test.count, 1.0 / sqrt((double)ebmt__image_bytes(&test)), &out->pixels);
    }
    nearness_clear(&d);
    clear_mirrors(&m);
    ebmt_dataset_clear(&test);
    return st;
}

/* Embeds the mirrored images and looks for the nearest of `t`'s training images. */
static ebm_status mirrored_features(const ebmt_eval_options *opt, const ebmt_ruler *r,
                                    const trio *t, nearness *out, ebm_error *err)
{
    mirrors m = {0};
    ebmt_embedding samples = {0}, test = {0};
    ebm_status st = make_mirrors(opt->samples, opt->test, &m, err);
    if (st == EBM_OK)
        st = embed(opt, r, &m.samples, &samples, err);
    if (st == EBM_OK)
        st = embed(opt, r, &m.test, &test, err);
    if (st == EBM_OK) {
        const trio mirrored = {points_of(&samples), points_of(&test), t->train, t->test_is_train};
        st = find_mirrored(opt, &mirrored, out, err);
    }
    ebmt_embedding_clear(&samples);
    ebmt_embedding_clear(&test);
    clear_mirrors(&m);
    return st;
}

static ebm_status compare_features(const ebmt_eval_options *opt, const ebmt_ruler *r,
                                   const ebmt_embedding *samples, const ebmt_embedding *test,
                                   ebmt_memorisation *out, ebm_error *err)
{
    const bool same = images_equal(opt->test, opt->train);
    ebmt_embedding train;
    nearness d = {0};
    ebm_status st = embed(opt, r, opt->train, &train, err);
    if (st == EBM_OK) {
        const trio t = {points_of(samples), points_of(test), points_of(&train), same};
        st = find_nearest(opt, &t, &d, err);
        if (st == EBM_OK)
            st = mirrored_features(opt, r, &t, &d, err);
    }
    if (st == EBM_OK)
        summarise(&d, samples->n, test->n, 1.0, out);
    nearness_clear(&d);
    ebmt_embedding_clear(&train);
    return st;
}

/* --- all of it ----------------------------------------------------------------------------- */

static void name_rows(const ebmt_ruler *r, ebmt_ruler_report *out)
{
    out->name = r->name;
    out->of_the_data = r->of_the_data;
    out->samples.name = "samples";
    out->train.name = "training images";
    out->gaussian.name = "Gaussian fit";
    out->halves.name = "half of test";
    out->samples.reference = out->train.reference = out->gaussian.reference = "test images";
    out->halves.reference = "other half";
}

static ebm_status measure_floors(const ebmt_eval_options *opt, const ebmt_ruler *r,
                                 floor_sets *sets, const ebmt_embedding *test,
                                 ebmt_ruler_report *out, ebm_error *err)
{
    ebm_status st = make_floors(opt, sets, err);
    if (st == EBM_OK)
        st = compare_images(opt, r, &sets->train, test, &out->train, err);
    if (st == EBM_OK)
        st = measure_halves(opt, test, &out->halves, err);
    if (st == EBM_OK)
        st = compare_images(opt, r, &sets->gaussian, test, &out->gaussian, err);
    return st;
}

/* The floors of an earlier evaluation, if they are kept; else they are measured. */
static ebm_status get_floors(const ebmt_eval_options *opt, int32_t ruler, floor_sets *sets,
                             const ebmt_embedding *test, ebmt_ruler_report *out, ebm_error *err)
{
    const ebmt_floor_file *file = &opt->floors[ruler];
    char key[65];
    if (!file->path)
        return measure_floors(opt, &opt->rulers[ruler], sets, test, out, err);
    ebmt__floors_key(opt, file, key);
    out->floors_kept = ebmt__floors_take(file, key, out);
    if (out->floors_kept)
        return EBM_OK;
    ebm_status st = measure_floors(opt, &opt->rulers[ruler], sets, test, out, err);
    if (st == EBM_OK)
        ebmt__floors_keep(file, key, out);
    return st;
}

/* Images that are the reference themselves are no floor. */
static void forget_train_floor(ebmt_comparison *c)
{
    static const ebmt_number none = {NAN, NAN, 0};
    c->frechet = c->frechet_unbiased = c->kernel = none;
    c->precision = c->recall = c->classes.score = none;
}

/* @param sets NULL: distances only */
static ebm_status measure_with(const ebmt_eval_options *opt, int32_t ruler, floor_sets *sets,
                               ebmt_ruler_report *out, ebm_error *err)
{
    const ebmt_ruler *r = &opt->rulers[ruler];
    ebmt_embedding samples = {0}, test = {0};
    name_rows(r, out);
    ebm_status st = embed(opt, r, opt->samples, &samples, err);
    if (st == EBM_OK)
        st = embed(opt, r, opt->test, &test, err);
    if (st == EBM_OK)
        st = compare(opt, &samples, &test, &out->samples, err);
    if (st == EBM_OK && sets && r->of_the_data)
        st = compare_features(opt, r, &samples, &test, &out->features, err);
    ebmt_embedding_clear(&samples);
    if (st == EBM_OK && sets)
        st = get_floors(opt, ruler, sets, &test, out, err);
    if (st == EBM_OK && sets && images_equal(opt->test, opt->train))
        forget_train_floor(&out->train);
    ebmt_embedding_clear(&test);
    return st;
}

static ebm_status check(const ebmt_eval_options *opt, ebm_error *err)
{
    if (opt->n_rulers < 0 || opt->n_rulers > EBMT_MAX_RULERS)
        return ebm_error_set(err, EBM_ERR_RANGE, "rulers", "%d of them", opt->n_rulers);
    if (opt->samples->count < 8 || opt->test->count < 8)
        return ebm_error_set(err, EBM_ERR_RANGE, "images",
                             "%lld samples, %lld test images: at "
                             "least 8 of each",
                             (long long)opt->samples->count, (long long)opt->test->count);
    ebm_status st = ebmt__images_alike(opt->samples, "samples", opt->test, "for test images", err);
    if (st == EBM_OK && !opt->distance_only)
        st = ebmt__images_alike(opt->train, "training images", opt->test, "for test images", err);
    return st;
}

ebm_status ebmt_evaluate(const ebmt_eval_options *opt, ebmt_eval_report *out, ebm_error *err)
{
    floor_sets sets = {0};
    const bool all = !opt->distance_only;
    memset(out, 0, sizeof *out);
    ebm_status st = check(opt, err);
    if (st == EBM_OK && all)
        out->test_is_train = images_equal(opt->test, opt->train);
    for (int32_t i = 0; st == EBM_OK && i < opt->n_rulers; i++) {
        st = measure_with(opt, i, all ? &sets : NULL, &out->ruler[i], err);
        out->n_rulers = i + 1;
    }
    if (st == EBM_OK && all)
        st = compare_pixels(opt, out, err);
    out->complete = st == EBM_OK && all;
    clear_floors(&sets);
    return st;
}
