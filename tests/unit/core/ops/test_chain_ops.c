/* Operations as chains: items alone equal items in company, ends of interpolations, stop rules. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analytic.h"
#include "assert_numbers.h"
#include "ebm/ops.h"

enum { DIM = 6 };

typedef struct world {
    ebm_levels levels;
    analytic_gauss gauss;
    ebm_density density;
    ebm_call op;
    float image[DIM], image_b[DIM], known[DIM];
} world;

static void init(world *w, ebm_op_kind kind)
{
    memset(w, 0, sizeof *w);
    w->levels = analytic_levels();
    w->gauss = (analytic_gauss){.levels = &w->levels, .n = 1, .copies = DIM, .cov = {{0.25}}};
    w->density = analytic_gauss_density(&w->gauss);
    w->op.operation = ebm_operation_of(kind);
    ebm_op_params_default(w->op.operation, &w->op.params);
    w->op.params.seed = 5;
    w->op.params.seed_b = 6;
    for (int i = 0; i < DIM; i++) {
        w->image[i] = 0.1f * (float)i;
        w->image_b[i] = -0.2f * (float)i;
        w->known[i] = (float)(i % 2);
    }
}

static void resolve(world *w)
{
    assert_int_equal(ebm_call_resolve(&w->op, &w->levels, NULL), EBM_OK);
}

/* Runs item k to its end. @shape x [DIM] */
static void run(world *w, int32_t k, float *x)
{
    float y[DIM], anchor[DIM], path[7 * DIM], work[4 * DIM];
    ebm_mcmc chain = {.y = y, .anchor = anchor};
    const ebm_mcmc_plan plan = ebm_call_plan(&w->op);
    const ebm_mcmc_setup setup = {&w->density, &w->levels, &plan};
    assert_int_equal(ebm_mcmc_plan_check(&plan, NULL), EBM_OK);
    assert_int_equal(ebm_call_start(&w->op, &setup, k, NULL, path, &chain, NULL), EBM_OK);
    assert_int_equal(ebm_mcmc_advance(&chain, &setup, INT64_MAX, NULL, work, NULL), EBM_OK);
    ebm_call_image(&w->levels, DIM, &chain, x);
}

static void give_pictures(world *w, ebm_op_kind kind)
{
    if (kind == EBM_OP_INPAINT) {
        w->op.params.image = "x";
        w->op.image = w->image;
        w->op.known = w->known;
    }
}

/* Images of the law N(0, 1/4): states at level t have the variance A_t^2 (abar_t^2/4 + sbar_t^2),
 * and a finished image is weighed as a state of the lowest level. Up to a constant of the level. */
static void test_log_density(void **state)
{
    world w;
    (void)state;
    init(&w, EBM_OP_MCMC);
    for (int32_t level = -1; level < w.levels.count; level++) {
        const int32_t t = level < 0 ? 0 : level;
        const double a = w.levels.scale[t], abar = w.levels.abar[t], sbar = w.levels.sbar[t];
        const double variance = a * a * (abar * abar / 4 + sbar * sbar);
        double logp[2], squares = 0;
        for (int i = 0; i < 2; i++) {
            float y[DIM], work[2 * DIM];
            for (int j = 0; j < DIM; j++)
                y[j] = (float)i * w.image[j];
            const ebm_mcmc chain = {.level = level, .y = y};
            logp[i] = ebm_call_logp(&w.density, &w.levels, &chain, work);
        }
        for (int j = 0; j < DIM; j++)
            squares += pow((double)w.image[j] * (level < 0 ? a : 1), 2);
        assert_close(logp[1] - logp[0], -squares / 2 / variance, 1e-4);
    }
    ebm_levels_clear(&w.levels);
}

/* Asked for by the call or by the model: the same image; and each can be had from either model. */
static void test_beginnings(void **state)
{
    static const ebm_op_kind kinds[] = {EBM_OP_SAMPLE, EBM_OP_INPAINT, EBM_OP_INTERPOLATE};
    (void)state;
    for (int i = 0; i < 3; i++) {
        float x[2][3][DIM]; /* [model predicts][begin] */
        for (int predicts = 0; predicts < 2; predicts++)
            for (int32_t begin = 0; begin < 3; begin++) {
                world w;
                init(&w, kinds[i]);
                give_pictures(&w, kinds[i]);
                w.levels.predict = predicts == 1;
                w.op.params.begin = begin;
                resolve(&w);
                assert_int_equal(w.op.params.begin, begin ? begin : EBM_BEGIN_ABOVE + predicts);
                run(&w, 0, x[predicts][begin]);
                ebm_levels_clear(&w.levels);
            }
        assert_memory_equal(x[0][0], x[0][1], sizeof x[0][0]);
        assert_memory_equal(x[1][0], x[1][2], sizeof x[0][0]);
        assert_memory_equal(x[0][1], x[1][1], sizeof x[0][0]);
        assert_memory_equal(x[0][2], x[1][2], sizeof x[0][0]);
        assert_memory_not_equal(x[0][1], x[0][2], sizeof x[0][0]);
    }
}

/* Nothing is predicted where a level is drawn at once. */
static void test_beginnings_of_normal_levels(void **state)
{
    world w;
    ebm_error err = {0};
    (void)state;
    init(&w, EBM_OP_SAMPLE);
    ebm_levels_use_normal(&w.levels);
    resolve(&w);
    assert_int_equal(w.op.params.begin, EBM_BEGIN_ABOVE);
    w.op.params.begin = EBM_BEGIN_PREDICTED;
    assert_int_equal(ebm_call_resolve(&w.op, &w.levels, &err), EBM_ERR_RANGE);
    assert_string_equal(err.where, "begin");
    ebm_levels_clear(&w.levels);
}

/* Item 2 of three is item 0 of one that begins at 2. */
static void test_items_alone(void **state)
{
    static const ebm_op_kind kinds[] = {EBM_OP_SAMPLE, EBM_OP_INPAINT, EBM_OP_MCMC};
    (void)state;
    for (int i = 0; i < 3; i++) {
        world w;
        float company[DIM], alone[DIM];
        init(&w, kinds[i]);
        give_pictures(&w, kinds[i]);
        w.op.params.n = w.op.params.chains = 3;
        w.op.params.steps = 20;
        resolve(&w);
        assert_int_equal(ebm_call_items(&w.op), 3);
        run(&w, 2, company);
        w.op.params.n = w.op.params.chains = 1;
        w.op.params.first_index = 2;
        run(&w, 0, alone);
        assert_memory_equal(company, alone, sizeof alone);
        run(&w, 0, alone);
        assert_memory_equal(company, alone, sizeof alone);
        if (kinds[i] == EBM_OP_INPAINT)
            assert_true(alone[1] == w.image[1] && alone[0] != w.image[0]);
        ebm_levels_clear(&w.levels);
    }
}

/* The ends of a path between seeds are the samples of those seeds. */
static void test_ends_of_seeds(void **state)
{
    world w, s;
    float end[DIM], sample[DIM];
    (void)state;
    init(&w, EBM_OP_INTERPOLATE);
    init(&s, EBM_OP_SAMPLE);
    resolve(&w);
    resolve(&s);
    run(&w, 0, end);
    run(&s, 0, sample);
    assert_memory_equal(end, sample, sizeof end);
    s.op.params.seed = 6;
    run(&w, ebm_call_items(&w.op) - 1, end);
    run(&s, 0, sample);
    assert_memory_equal(end, sample, sizeof end);
    ebm_levels_clear(&w.levels);
    ebm_levels_clear(&s.levels);
}

/* The first frame between pictures is the edit of the first one from the same level. */
static void test_ends_of_pictures(void **state)
{
    world w, s;
    float end[DIM], edit[DIM];
    (void)state;
    init(&w, EBM_OP_INTERPOLATE);
    w.op.params.image = w.op.params.image_b = "x";
    w.op.image = w.image;
    w.op.image_b = w.image_b;
    resolve(&w);
    assert_int_equal(w.op.params.level, 3);
    init(&s, EBM_OP_SAMPLE);
    s.op.params.image = "x";
    s.op.params.start_level = 3;
    s.op.image = s.image;
    resolve(&s);
    run(&w, 0, end);
    run(&s, 0, edit);
    assert_memory_equal(end, edit, sizeof end);
    ebm_levels_clear(&w.levels);
    ebm_levels_clear(&s.levels);
}

static void test_levels_of_the_model(void **state)
{
    world w;
    ebm_error err = {0};
    (void)state;
    init(&w, EBM_OP_MCMC);
    resolve(&w);
    assert_int_equal(w.op.params.level, 0);
    w.op.params.level = -1;
    w.op.params.ladder = true;
    resolve(&w);
    assert_int_equal(w.op.params.level, 5);
    w.op.params.level = 6;
    assert_int_equal(ebm_call_resolve(&w.op, &w.levels, &err), EBM_ERR_RANGE);
    assert_string_equal(err.where, "level");
    ebm_levels_clear(&w.levels);
}

/* One level of white data as the top, on which white noise is as good as a sample: steps after
 * which c^K, what is left of a start, is 3^-1/2. */
static void one_white_level(world *w, int32_t k)
{
    w->gauss.cov[0][0] = 1;
    w->levels.count = 1;
    w->levels.tether[0] = 0;
    w->levels.scale[0] = 1;
    w->levels.steps[0] = k;
    w->levels.step2[0] = 2 * (1 - pow(3, -0.5 / k));
    w->levels.noise_scale = 1;
}

/* Runs the chain of item k from its sample. @shape y [DIM] */
static void run_from_sample(world *w, int32_t k, float *y)
{
    float anchor[DIM], x[DIM], work[4 * DIM];
    ebm_mcmc chain = {.y = y, .anchor = anchor};
    const ebm_call sampling = ebm_call_sampling(&w->op);
    const ebm_mcmc_plan first = ebm_call_plan(&sampling), then = ebm_call_plan(&w->op);
    const ebm_mcmc_setup a = {&w->density, &w->levels, &first},
                         b = {&w->density, &w->levels, &then};
    assert_int_equal(ebm_call_start(&sampling, &a, k, NULL, NULL, &chain, NULL), EBM_OK);
    assert_int_equal(ebm_mcmc_advance(&chain, &a, INT64_MAX, NULL, work, NULL), EBM_OK);
    ebm_call_image(&w->levels, DIM, &chain, x);
    assert_int_equal(ebm_call_start(&w->op, &b, k, x, NULL, &chain, NULL), EBM_OK);
    assert_int_equal(chain.noise.seed, w->op.params.seed);
    assert_int_equal(ebm_mcmc_advance(&chain, &b, INT64_MAX, NULL, work, NULL), EBM_OK);
}

/* Chains of as many steps as their samples have had: y' = c y + s e with noise of their own keep
 * the law of the samples. With the noise that has made these they would have V + 2 c^K (1 - c^2K)
 * V, for c^2K = 1/3 that is 1.77 V. 4,224 values, V = 1/(1 - step2/4) = 1.01 within 5 standard
 * errors, 0.11 (false alarms: 1 in 10^6). */
static void test_chains_from_samples(void **state)
{
    enum { SEEDS = 11, CHAINS_EACH = 64, K = 30 };
    double sum = 0;
    (void)state;
    for (int seed = 1; seed <= SEEDS; seed++) {
        world w;
        init(&w, EBM_OP_MCMC);
        one_white_level(&w, K);
        w.op.params.seed = seed;
        w.op.params.chains = CHAINS_EACH;
        w.op.params.steps = K;
        w.op.params.init = EBM_INIT_SAMPLES;
        w.op.params.sampler = EBM_SAMPLER_LANGEVIN;
        resolve(&w);
        for (int32_t k = 0; k < CHAINS_EACH; k++) {
            float y[DIM];
            run_from_sample(&w, k, y);
            for (int i = 0; i < DIM; i++)
                sum += (double)y[i] * (double)y[i];
        }
        ebm_levels_clear(&w.levels);
    }
    assert_close(sum / (SEEDS * CHAINS_EACH * DIM), 1.01, 0.11);
}

/* --- diagnostics --------------------------------------------------------------------------- */

enum { CHAINS = 4, DRAWS = 600 };

/* Independent normals; chain 0 is moved by `shift` in the projection. */
static void fill(double rows[CHAINS][DRAWS][3], ebm_trace *traces, double shift)
{
    for (uint32_t c = 0; c < CHAINS; c++) {
        static float z[2 * DRAWS];
        const ebm_stream s = {.seed = 8, .purpose = EBM_PURPOSE_TEST, .chain = c};
        ebm_rng_normal(&s, 0, 2 * DRAWS, z);
        for (int i = 0; i < DRAWS; i++) {
            rows[c][i][0] = -5.0 + (double)z[i];
            rows[c][i][1] = 0.25;
            rows[c][i][2] = (double)z[DRAWS + i] + (c == 0 ? shift : 0.0);
        }
        traces[c] = (ebm_trace){
            .thin = 2, .n_directions = 1, .room = DRAWS, .count = DRAWS, .scalars = rows[c][0]};
    }
}

static void test_reports(void **state)
{
    static double rows[CHAINS][DRAWS][3];
    ebm_trace traces[CHAINS];
    ebm_chains_report r;
    const ebm_band band = {-8.0, -2.0};
    ebm_op_params until = {.until_ess = 400, .until_rhat = 1.02};
    (void)state;
    fill(rows, traces, 0.0);
    traces[1].count = DRAWS - 50; /* a chain that was stopped earlier */
    assert_int_equal(ebm_chains_report_of(traces, CHAINS, 101, &band, &r, NULL), EBM_OK);
    assert_int_equal(r.draws, DRAWS - 50 - 51);
    assert_close(r.acceptance, 0.25, 1e-12);
    assert_close(r.logp.mean, -5.0, 4.0 / sqrt(4.0 * 499));
    assert_true(r.worst_rhat < 1.02 && r.least_ess > 400 && !r.diverged && !r.drift.left_band);
    assert_true(ebm_until_met(&until, &r, 0.0));
    /* an empty band is none */
    assert_true(r.banded);
    assert_int_equal(ebm_chains_report_of(traces, CHAINS, 101, &(ebm_band){0, 0}, &r, NULL),
                     EBM_OK);
    assert_true(!r.banded && !r.diverged);
    /* one projection disagrees: the log density alone would not show it */
    fill(rows, traces, 1.0);
    assert_int_equal(ebm_chains_report_of(traces, CHAINS, 0, NULL, &r, NULL), EBM_OK);
    assert_true(r.worst_rhat > 1.05 && r.logp.rhat < 1.02);
    assert_false(ebm_until_met(&until, &r, 0.0));
    until.until_max_seconds = 2.0;
    assert_false(ebm_until_met(&until, &r, 1.9));
    assert_true(ebm_until_met(&until, &r, 2.0));
}

/* Rows of chains down the ladder from where they have settled are of the lowest level behind its
 * warm-up, and no others; all rows together would have the acceptance of moves that still adapt. */
static void check_settled(const world *w, const ebm_trace *t, const ebm_chains_report *r)
{
    const int64_t warmup = w->op.params.warmup, steps = w->op.params.steps;
    const int64_t above = w->levels.predict; /* a first step whose row is that of level 1 */
    double sum = 0;
    size_t first = SIZE_MAX;
    for (size_t i = t->count; i-- > 0 && t->level[i] == 0;)
        first = i;
    first += (size_t)(warmup > above ? warmup - above : 0);
    assert_int_equal(t->count - first, steps + above - (warmup > above ? warmup : above));
    assert_int_equal(r->draws, t->count - first);
    for (size_t i = first; i < t->count; i++)
        sum += t->scalars[2 * i + 1];
    assert_close(r->acceptance, sum / (double)(t->count - first), 1e-12);
}

static void test_ladders_settle(void **state)
{
    enum { STEPS = 60, ROOM = 6 * (STEPS + 1) };
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        static double scalars[ROOM][2];
        static int32_t level[ROOM];
        float y[DIM], anchor[DIM], work[4 * DIM];
        world w;
        ebm_chains_report r;
        ebm_mcmc chain = {.y = y, .anchor = anchor};
        ebm_trace t = {.thin = 1, .room = ROOM, .scalars = scalars[0], .level = level};
        init(&w, EBM_OP_MCMC);
        w.levels.predict = kind & 1;
        w.op.params.level = -1;
        w.op.params.ladder = true;
        w.op.params.chains = 1;
        w.op.params.steps = STEPS;
        w.op.params.warmup = kind & 2 ? 25 : 0;
        w.op.params.sampler = EBM_SAMPLER_MALA;
        resolve(&w);
        const ebm_mcmc_plan plan = ebm_call_plan(&w.op);
        const ebm_mcmc_setup setup = {&w.density, &w.levels, &plan};
        const int64_t settled = ebm_mcmc_settled(&plan, &w.levels, (int32_t)w.op.params.level);
        assert_int_equal(ebm_call_start(&w.op, &setup, 0, NULL, NULL, &chain, NULL), EBM_OK);
        assert_int_equal(ebm_mcmc_advance(&chain, &setup, INT64_MAX, &t, work, NULL), EBM_OK);
        assert_int_equal(ebm_chains_report_of(&t, 1, settled, NULL, &r, NULL), EBM_OK);
        check_settled(&w, &t, &r);
        t.count = (size_t)settled; /* nothing yet */
        assert_int_equal(ebm_chains_report_of(&t, 1, settled, NULL, &r, NULL), EBM_OK);
        assert_true(r.draws == 0 && isnan(r.acceptance) && isnan(r.worst_rhat));
        ebm_levels_clear(&w.levels);
    }
}

/* A level that is drawn at once is one Langevin step, and the six of the model are six: no warm-up
 * of as many, however many `steps` there are. */
static void test_warmup_of_ladders(void **state)
{
    world w;
    ebm_error err = {0};
    (void)state;
    init(&w, EBM_OP_MCMC);
    ebm_levels_use_normal(&w.levels);
    w.op.params.ladder = true;
    w.op.params.level = -1;
    w.op.params.steps = 5000;
    w.op.params.warmup = 5;
    resolve(&w);
    w.op.params.warmup = 6;
    assert_int_equal(ebm_call_resolve(&w.op, &w.levels, &err), EBM_ERR_RANGE);
    assert_string_equal(err.where, "warmup");
    w.op.params.sampler = EBM_SAMPLER_MALA; /* takes `steps` at each level */
    resolve(&w);
    ebm_levels_clear(&w.levels);
}

/* Ten chains of six levels have six times the rows that `steps` would tell of. */
static void test_rows_of_ladders(void **state)
{
    world w;
    ebm_error err = {0};
    (void)state;
    init(&w, EBM_OP_MCMC);
    w.op.params.chains = 10;
    w.op.params.steps = 100000;
    resolve(&w);
    w.op.params.ladder = true;
    w.op.params.level = -1;
    assert_int_equal(ebm_call_resolve(&w.op, &w.levels, &err), EBM_ERR_RANGE);
    assert_string_equal(err.where, "thin");
    w.op.params.thin = 5;
    assert_int_equal(ebm_call_resolve(&w.op, &w.levels, NULL), EBM_ERR_RANGE);
    w.op.params.thin = 6;
    resolve(&w);
    w.op.params.thin = 1;
    w.op.params.level = 0; /* one level of the ladder */
    resolve(&w);
    ebm_levels_clear(&w.levels);
}

/* --- looks --------------------------------------------------------------------------------- */

/* Counts looks of a run from `at` on; each is behind the last one. */
static int looks_of(const ebm_op_params *p, int64_t total, int64_t at, int *snapshots)
{
    int looks = 0;
    *snapshots = 0;
    while (at < total) {
        bool snapshot;
        const int64_t next = ebm_until_next(p, total, at, &snapshot);
        assert_true(next > at && next <= total);
        at = next;
        *snapshots += snapshot;
        looks++;
    }
    return looks;
}

static void test_looks(void **state)
{
    ebm_op_params p = {.warmup = 99990, .until_ess = 400};
    bool snapshot;
    int n;
    (void)state;
    /* ten steps behind a long warm-up have ten places, and the warm-up's end */
    assert_int_equal(looks_of(&p, 100000, 0, &n), 11);
    p.until_max_seconds = 10;
    assert_int_equal(looks_of(&p, 100000, 0, &n), 30);
    p = (ebm_op_params){.warmup = 500, .until_rhat = 1.01};
    assert_int_equal(looks_of(&p, 2500, 0, &n), 20);
    assert_int_equal(ebm_until_next(&p, 2500, 0, &snapshot), 600);
    assert_int_equal(ebm_until_next(&p, 2500, 601, &snapshot), 700); /* as if never stopped */
    p.until_max_seconds = 1;
    assert_int_equal(ebm_until_next(&p, 2500, 0, &snapshot), 25);
    assert_int_equal(ebm_until_next(&p, 2500, 500, &snapshot), 600);
    /* nothing to look at but snapshots */
    p = (ebm_op_params){.warmup = 500, .keep = 3};
    assert_int_equal(looks_of(&p, 2500, 0, &n), 3);
    assert_int_equal(n, 3);
    assert_int_equal(ebm_until_next(&p, 2500, 0, &snapshot), 500 + 2000 / 3);
    p.keep = 0;
    assert_int_equal(ebm_until_next(&p, 2500, 7, &snapshot), 2500);
    assert_false(snapshot);
}

/* Snapshots of a chain on its way, gone on with at `from`. */
static int snapshots_from(const ebm_op_params *p, int64_t from, int64_t total)
{
    int n = 0;
    for (int64_t at = from; at < total;) {
        bool snapshot;
        at = ebm_until_next_from(p, from, total, at, &snapshot);
        n += snapshot;
    }
    return n;
}

/* As many snapshots as are asked for, of every run that is accepted; those with too few steps
 * behind the warm-up are refused. */
static void check_snapshots(world *w, int64_t most)
{
    static const int64_t keeps[] = {0, 1, 2, 3, 5, 7, 10, 11, 63, 64};
    const ebm_op_params *p = &w->op.params;
    for (size_t i = 0; i < sizeof keeps / sizeof keeps[0]; i++) {
        ebm_error err = {0};
        int n;
        w->op.params.keep = keeps[i];
        ebm_status st = ebm_call_resolve(&w->op, &w->levels, &err);
        assert_int_equal(st, keeps[i] <= most ? EBM_OK : EBM_ERR_RANGE);
        if (st != EBM_OK) {
            assert_string_equal(err.where, "keep");
            continue;
        }
        const ebm_mcmc_plan plan = ebm_call_plan(&w->op);
        const int64_t total = ebm_mcmc_total_steps(&plan, &w->levels, (int32_t)p->level);
        (void)looks_of(p, total, 0, &n);
        assert_int_equal(n, p->keep);
    }
}

static void test_snapshots(void **state)
{
    static const int64_t rows[][2] = {{100, 90}, {100, 0}, {64, 0}, {7, 4}, {100000, 50000}};
    world w;
    (void)state;
    init(&w, EBM_OP_MCMC);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        w.op.params.steps = rows[i][0];
        w.op.params.warmup = rows[i][1];
        check_snapshots(&w, rows[i][0] - rows[i][1]);
    }
    w.op.params.ladder = true; /* six levels that are drawn in a step each */
    w.op.params.steps = 5000;
    w.op.params.warmup = 0;
    w.op.params.level = -1;
    ebm_levels_use_normal(&w.levels);
    check_snapshots(&w, 6);
    w.op.params.warmup = 3;
    check_snapshots(&w, 3);
    ebm_levels_clear(&w.levels);
}

/* Chains that go on: what is ahead of them is divided, not what they have behind them. */
static void test_snapshots_of_going_on(void **state)
{
    ebm_op_params p = {.keep = 4};
    bool snapshot;
    (void)state;
    assert_int_equal(snapshots_from(&p, 10000, 10100), 4);
    assert_int_equal(ebm_until_next_from(&p, 10000, 10100, 10000, &snapshot), 10025);
    assert_true(snapshot);
    assert_int_equal(ebm_until_next_from(&p, 10000, 10100, 10025, &snapshot), 10050);
    assert_int_equal(snapshots_from(&p, 10096, 10100), 4);
    p.warmup = 10080; /* they were stopped in the warm-up */
    assert_int_equal(snapshots_from(&p, 10000, 10100), 4);
    assert_int_equal(ebm_until_next_from(&p, 10000, 10100, 10000, &snapshot), 10085);
    p.warmup = 200; /* rules divide the whole run: looks do not depend on where it was stopped */
    p.until_ess = 1;
    assert_int_equal(ebm_until_next_from(&p, 1000, 2200, 1000, &snapshot), 1100);
    assert_false(snapshot);
}

/* Kept chains of before may have a warm-up that is longer than they are. */
static void test_looks_advance(void **state)
{
    ebm_op_params p = {.warmup = 2000, .until_max_seconds = 10, .keep = 3};
    int n;
    (void)state;
    assert_true(looks_of(&p, 999, 0, &n) <= 24);
    p.warmup = 1000000;
    assert_true(looks_of(&p, 1, 0, &n) <= 24);
    p.warmup = 999;
    assert_true(looks_of(&p, 999, 998, &n) == 1);
}

static void test_short_reports(void **state)
{
    static double rows[CHAINS][DRAWS][3];
    ebm_trace traces[CHAINS];
    ebm_chains_report r;
    const ebm_op_params until = {.until_rhat = 10}, none = {.steps = 1};
    (void)state;
    fill(rows, traces, 0.0);
    for (int c = 0; c < CHAINS; c++)
        traces[c].count = 7;
    assert_int_equal(ebm_chains_report_of(traces, CHAINS, 0, NULL, &r, NULL), EBM_OK);
    assert_true(isnan(r.worst_rhat) && isnan(r.least_ess));
    assert_false(ebm_until_met(&until, &r, 1e9));
    assert_false(ebm_until_met(&none, &r, 1e9));
    /* a scalar that never moves has not mixed */
    fill(rows, traces, 0.0);
    for (int c = 0; c < CHAINS; c++)
        for (int i = 0; i < DRAWS; i++)
            rows[c][i][2] = 3.0;
    assert_int_equal(ebm_chains_report_of(traces, CHAINS, 0, NULL, &r, NULL), EBM_OK);
    assert_false(ebm_until_met(&until, &r, 0.0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items_alone),
        cmocka_unit_test(test_log_density),
        cmocka_unit_test(test_beginnings),
        cmocka_unit_test(test_beginnings_of_normal_levels),
        cmocka_unit_test(test_ends_of_seeds),
        cmocka_unit_test(test_ends_of_pictures),
        cmocka_unit_test(test_levels_of_the_model),
        cmocka_unit_test(test_chains_from_samples),
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_ladders_settle),
        cmocka_unit_test(test_warmup_of_ladders),
        cmocka_unit_test(test_rows_of_ladders),
        cmocka_unit_test(test_looks),
        cmocka_unit_test(test_snapshots),
        cmocka_unit_test(test_snapshots_of_going_on),
        cmocka_unit_test(test_looks_advance),
        cmocka_unit_test(test_short_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
