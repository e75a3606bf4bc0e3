/* `ebm likelihood`: log p(x_0) and bits per dimension of images, with errors: annealed importance
 * sampling over the ladder, forward and reverse, and the recovery bound. Particles are functions
 * of (seed, number), so threads only decide who computes them. */
#include <math.h>
#include <stdio.h>

#include "cli/op_images.h"
#include "cli/op_remote.h"
#include "ebm/likelihood.h"
#include "ebm/memory.h"

#define AT(member) offsetof(ebmt__op_args, member)

static const ebmt_option rows[] = {
    {"--images", EBMT_OPT_STRING, AT(images), 0, 0, NULL, "PATH",
     "a PNG file, or data in any format of docs/data.md", true},
    {"--limit", EBMT_OPT_INT64, AT(limit), 1, 100000, NULL, "images",
     "use only the first images of the data; absent: all", false},
    EBMT_OP_PART_ROW,
};

typedef struct outcome {
    double ladder; /* f_0(A_0 x_0) + D log A_0: log p(x_0) is that minus log Z */
    ebm_bound bound;
} outcome;

typedef struct estimate {
    ebmt__op_run run;
    ebmt__op_images images;
    double *tuned;           /* [2,T] of the ladder, of local normalisers */
    double *log_z;           /* [particles, T] forward, after each level */
    ebm_particle *particles; /* [3,particles] forward, reverse, of the top in reverse */
    outcome *outcomes;       /* [count] */
    ebm_log_z forward, reverse, top, top_reverse;
} estimate;

static int32_t n_particles(const estimate *e)
{
    return (int32_t)e->run.call.params.particles;
}

static bool wants(const estimate *e, ebm_method method)
{
    const ebm_method m = (ebm_method)e->run.call.params.method;
    return m == EBM_METHOD_BOTH || m == method;
}

static ebm_ais how_of(const estimate *e, const ebmt__bench *b, bool tether)
{
    const ebm_op_params *p = &e->run.call.params;
    ebm_ais how = ebm_ais_default(&b->density, e->run.levels, (uint64_t)p->seed);
    how.temperatures = (int32_t)p->temperatures;
    how.moves = (int32_t)p->moves;
    how.leapfrog = (int32_t)p->leapfrog;
    how.burn_in = (int32_t)p->warmup;
    how.step_scale = p->step_scale;
    if (p->warmup > 0)
        how.tuned = e->tuned + (tether ? e->run.levels->count : 0);
    return how;
}

/* Numbers of what the model draws: reverse particles begin at 0, 1, ..., those of the top behind
 * them, tuning at the next one. */
static uint32_t tuning_number(const estimate *e)
{
    return 2 * (uint32_t)n_particles(e);
}

/* x_0 of an image: what the densities of the lowest level are about. @shape x [dim] */
static ebm_status noised_image(const estimate *e, int64_t k, float *x, ebm_error *err)
{
    const ebm_noise noise = {.seed = (uint64_t)e->run.call.params.seed, .index = (uint32_t)k};
    ebm_status st = ebmt__op_images_get(&e->images, k, x, err);
    if (st == EBM_OK)
        ebm_forward_state(e->run.levels, &noise, e->run.dim, x, 0, x);
    return st;
}

/* --- tasks --------------------------------------------------------------------------------- */

static ebm_status tune_task(void *user, int32_t k, ebmt__bench *b, ebm_error *err)
{
    estimate *e = user;
    const ebm_op_params *p = &e->run.call.params;
    const bool tether = k == 1;
    ebm_ais how = how_of(e, b, tether);
    double *to = e->tuned + (tether ? e->run.levels->count : 0);
    how.tuned = NULL;
    ebm_status st = ebm_ais_origin(&how, 0, tuning_number(e), b->work, b->x, err);
    for (size_t i = 0; i < e->run.dim; i++)
        b->x[i] /= (float)e->run.levels->scale[0];
    if (st == EBM_OK)
        st = ebm_ais_tune(&how, tether, b->x, (int32_t)p->warmup, b->work, to, err);
    return st;
}

/* Tasks 0..particles-1 go down, the others go up from draws of the model. */
static ebm_status particle_task(void *user, int32_t k, ebmt__bench *b, ebm_error *err)
{
    estimate *e = user;
    const int32_t n = n_particles(e);
    const ebm_ais how = how_of(e, b, false);
    if (k < n)
        return ebm_ais_ladder(&how, NULL, (uint32_t)k, b->work,
                              e->log_z + (size_t)k * (size_t)e->run.levels->count, &e->particles[k],
                              err);
    ebm_status st = ebm_ais_origin(&how, 0, (uint32_t)(k - n), b->work, b->x, err);
    return st == EBM_OK
               ? ebm_ais_ladder(&how, b->x, (uint32_t)(k - n), b->work, NULL, &e->particles[k], err)
               : st;
}

/* From a draw of the top level up to white noise. */
static ebm_status top_task(void *user, int32_t k, ebmt__bench *b, ebm_error *err)
{
    estimate *e = user;
    const int32_t n = n_particles(e);
    const ebm_ais how = how_of(e, b, false);
    ebm_status st =
        ebm_ais_origin(&how, e->run.levels->count - 1, (uint32_t)(n + k), b->work, b->x, err);
    return st == EBM_OK
               ? ebm_ais_top(&how, b->x, (uint32_t)k, b->work, &e->particles[2 * n + k], err)
               : st;
}

static ebm_status bound_of(const estimate *e, int32_t k, ebmt__bench *b, ebm_bound *out,
                           ebm_error *err)
{
    const ebm_op_params *p = &e->run.call.params;
    const ebm_ais how = how_of(e, b, true);
    const size_t levels = (size_t)e->run.levels->count;
    const ebm_bound_plan plan = {.paths = (int32_t)p->paths,
                                 .particles = n_particles(e),
                                 .index = (uint32_t)k,
                                 .top = e->top,
                                 .top_reverse = e->top_reverse};
    ebm_bound_room room = {.work = b->work, .path = b->path, .start = b->y};
    room.log_g = ebm_alloc(levels, sizeof *room.log_g);
    room.weight = ebm_alloc((size_t)n_particles(e), sizeof *room.weight);
    ebm_status st = room.log_g && room.weight
                        ? ebmt__op_images_get(&e->images, k, b->x, err)
                        : ebm_error_set(err, EBM_ERR_NOMEM, "--particles", "no memory");
    if (st == EBM_OK)
        st = ebm_recovery_bound(&how, &plan, b->x, &room, out, err);
    ebm_free(room.log_g);
    ebm_free(room.weight);
    return st;
}

static ebm_status image_task(void *user, int32_t k, ebmt__bench *b, ebm_error *err)
{
    estimate *e = user;
    const ebm_ais how = how_of(e, b, false);
    ebm_status st = noised_image(e, k, b->x, err);
    if (st != EBM_OK)
        return st;
    e->outcomes[k].ladder = ebm_ladder_logp(&how, b->x, 0.0, b->work);
    return wants(e, EBM_METHOD_RECOVERY) ? bound_of(e, k, b, &e->outcomes[k].bound, err) : EBM_OK;
}

/* --- the run ------------------------------------------------------------------------------- */

static ebm_status normalise_top(estimate *e, ebm_error *err)
{
    const int32_t n = n_particles(e), levels = e->run.levels->count;
    ebm_status st =
        ebm_log_z_of_level(e->particles, e->log_z, (size_t)n, levels, levels - 1, &e->top, err);
    if (st != EBM_OK || !wants(e, EBM_METHOD_RECOVERY))
        return st;
    st = ebmt__op_each(&e->run, n, top_task, e, err);
    return st == EBM_OK ? ebm_log_z_of(e->particles + 2 * n, (size_t)n, true, &e->top_reverse, err)
                        : st;
}

static ebm_status normalise(estimate *e, ebm_error *err)
{
    const int32_t n = n_particles(e);
    const bool both = wants(e, EBM_METHOD_AIS);
    ebm_status st = ebmt__op_each(&e->run, both ? 2 * n : n, particle_task, e, err);
    if (st == EBM_OK)
        st = ebm_log_z_of(e->particles, (size_t)n, false, &e->forward, err);
    if (st == EBM_OK && both)
        st = ebm_log_z_of(e->particles + n, (size_t)n, true, &e->reverse, err);
    return st == EBM_OK ? normalise_top(e, err) : st;
}

static ebm_status make_room(estimate *e, ebm_error *err)
{
    const size_t n = (size_t)n_particles(e), levels = (size_t)e->run.levels->count;
    e->tuned = ebm_alloc(2 * levels, sizeof *e->tuned);
    e->log_z = ebm_alloc(n, levels * sizeof *e->log_z);
    e->particles = ebm_alloc(3 * n, sizeof *e->particles);
    e->outcomes = ebm_alloc((size_t)e->images.count, sizeof *e->outcomes);
    return e->tuned && e->log_z && e->particles && e->outcomes
               ? EBM_OK
               : ebm_error_set(err, EBM_ERR_NOMEM, "--particles", "no memory");
}

static ebm_status run_all(estimate *e, ebm_error *err)
{
    const ebmt__op_args *a = e->run.args;
    const ebmt__op_pick pick = {.first = a->limit};
    ebm_status st = ebmt__op_images_open(&e->run, "--images", a->images, pick, &e->images, err);
    if (st == EBM_OK)
        st = make_room(e, err);
    if (st == EBM_OK && e->run.call.params.warmup > 0)
        st = ebmt__op_each(&e->run, 2, tune_task, e, err);
    if (st == EBM_OK)
        st = normalise(e, err);
    return st == EBM_OK ? ebmt__op_each(&e->run, (int32_t)e->images.count, image_task, e, err) : st;
}

/* --- output -------------------------------------------------------------------------------- */

static void print_log_z(const char *name, const ebm_log_z *z)
{
    (void)printf(",\"%s\":{\"value\":%.9g", name, z->value);
    ebmt__op_print_number("bound", z->bound);
    ebmt__op_print_number("standard_error", z->std_error);
    ebmt__op_print_number("ess", z->ess);
    ebmt__op_print_number("acceptance", z->acceptance);
    (void)printf(",\"particles\":%zu}", z->particles);
}

static void print_head(const estimate *e)
{
    char digest[65];
    const ebm_op_params *p = &e->run.call.params;
    ebm_receipt_chain_digest(&e->run.receipt, digest);
    (void)printf("{\"comparable_within\":\"%s\",\"seed\":%lld,\"temperatures\":%lld,\"moves\":%lld",
                 digest, (long long)p->seed, (long long)p->temperatures, (long long)p->moves);
    ebmt__op_print_part(&e->images);
    if (wants(e, EBM_METHOD_AIS)) {
        print_log_z("log_partition_forward", &e->forward);
        print_log_z("log_partition_reverse", &e->reverse);
    }
    if (wants(e, EBM_METHOD_RECOVERY))
        print_log_z("log_partition_top", &e->top);
    (void)printf("}\n");
}

/* A large log Z makes a small likelihood: the ends change places. */
static void print_ais(const estimate *e, const outcome *o)
{
    const ebm_interval z = ebm_log_z_interval(&e->forward, &e->reverse);
    const double value = o->ladder - 0.5 * (e->forward.value + e->reverse.value);
    (void)printf(",\"ais\":{\"log_likelihood_nats\":%.9g", value);
    ebmt__op_print_number("lower", o->ladder - z.high);
    ebmt__op_print_number("upper", o->ladder - z.low);
    ebmt__op_print_number("standard_error",
                          0.5 * hypot(e->forward.std_error, e->reverse.std_error));
    ebmt__op_print_number("bits_per_dim", ebm_bits_per_dim(value, e->run.dim, e->run.levels));
    (void)printf("}");
}

static void print_recovery(const estimate *e, const ebm_bound *b)
{
    const double value = 0.5 * (b->forward + b->reverse);
    (void)printf(",\"recovery\":{\"log_likelihood_nats\":%.9g", value);
    ebmt__op_print_number("lower", b->low);
    ebmt__op_print_number("upper", b->high);
    ebmt__op_print_number("standard_error", b->std_error);
    ebmt__op_print_number("acceptance", b->acceptance);
    ebmt__op_print_number("bits_per_dim", ebm_bits_per_dim(value, e->run.dim, e->run.levels));
    (void)printf("}");
}

static void print_all(const estimate *e)
{
    print_head(e);
    for (int64_t k = 0; k < e->images.count; k++) {
        (void)printf("{\"index\":%lld", (long long)k);
        if (wants(e, EBM_METHOD_AIS))
            print_ais(e, &e->outcomes[k]);
        if (wants(e, EBM_METHOD_RECOVERY))
            print_recovery(e, &e->outcomes[k].bound);
        (void)printf("}\n");
    }
}

int ebmt__cmd_likelihood(int argc, char **argv)
{
    const ebmt__op_command command = {EBM_OP_LIKELIHOOD, rows, sizeof rows / sizeof rows[0], 0};
    ebmt__op_args args = {0};
    estimate e = {0};
    ebm_error err = {0};
    int code;
    if (!ebmt__op_begin(&command, argc, argv, &args, &code))
        return code;
    ebm_status st = ebmt__op_open(&e.run, EBM_OP_LIKELIHOOD, &args, args.threads, &err);
    if (st == EBM_OK)
        st = run_all(&e, &err);
    if (st == EBM_OK)
        print_all(&e);
    ebmt__op_images_clear(&e.images);
    ebm_free(e.tuned);
    ebm_free(e.log_z);
    ebm_free(e.particles);
    ebm_free(e.outcomes);
    ebmt__op_close(&e.run);
    return st == EBM_OK ? EBMT_EXIT_OK : ebmt__cli_fail("likelihood", &err);
}
