/* `ebm check`: runs a golden directory through a kernel set and compares with the reference
 * numbers in it. Knows what was expected; never how the kernels compute. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/open_any.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebm/sampler.h"
#include "ebm/session.h"
#include "ebmt/grad.h"

#define EXPECTED_MAX_BYTES ((size_t)1 << 30)
#define MAX_IMAGES         4096
#define MAX_STEPS          10000
#define SCHEDULE_BOUND     1e-8 /* float64 on both sides; what is left is the order of products */

typedef struct check_args {
    const char *dir, *kernels;
    bool json;
} check_args;

static const ebmt_option rows[] = {
    {"--kernels", EBMT_OPT_STRING, offsetof(check_args, kernels), 0, 0, NULL, "SET",
     "kernel set; the best of this CPU if absent", false},
    {"--json", EBMT_OPT_FLAG, offsetof(check_args, json), 0, 0, NULL, "", "print one JSON object",
     false},
};

static const ebmt_command command = {
    .name = "check",
    .summary = "Compares a kernel set with the reference numbers of a golden directory:\n"
               "config.json, model.safetensors, expected.safetensors. Exits with 1 if one\n"
               "quantity is over its bound.",
    .options = rows,
    .n_options = sizeof rows / sizeof rows[0],
    .argument = "DIR",
    .argument_offset = offsetof(check_args, dir),
};

/* --- bounds -------------------------------------------------------------------------------- */

/* Relative L2 bounds. float32 kernels differ from float64 by rounding and the order of sums.
 * bfloat16 operands flip signs of activations near zero, and the input gradient of a leaky-relu
 * network jumps there: rounding the weights alone moves it by 7e-2. */
typedef struct bounds {
    const char *prefix; /* of the kernel class */
    double f, grad_x, grad_one, grad_all, langevin;
} bounds;

static const bounds bound_table[] = {
    {"ref", 1e-5, 1e-5, 1e-5, 1e-5, 1e-5},
    {"bf16", 2e-3, 0.12, 5e-2, 2e-2, 2e-2},
    {"", 1e-4, 1e-4, 1e-4, 1e-4, 1e-4}, /* blas and other float32 sets */
};

static const bounds *find_bounds(const char *kernel_class)
{
    const bounds *row = bound_table;
    while (strncmp(kernel_class, row->prefix, strlen(row->prefix)) != 0)
        row++; /* the last prefix matches all */
    return row;
}

/* --- the run ------------------------------------------------------------------------------- */

typedef struct check {
    const bounds *bound;
    ebm_model *model;
    ebm_session *session;
    unsigned char *bytes; /* expected.safetensors */
    ebm_safetensors *expected;
    size_t dim;
    int32_t levels;
    json_t *quantities; /* --json: a list of objects */
    bool failed;
} check;

/* Writes one line. A NaN is over every bound. */
static void report(check *c, const char *name, double distance, double bound)
{
    bool ok = distance <= bound;
    c->failed = c->failed || !ok;
    if (!c->quantities) {
        (void)printf("%-32s %.3e %.0e %s\n", name, distance, bound, ok ? "ok" : "FAIL");
        return;
    }
    json_t *row = json_object();
    (void)json_object_set_new(row, "name", json_string(name));
    (void)json_object_set_new(row, "rel_l2",
                              isfinite(distance) ? json_real(distance) : json_null());
    (void)json_object_set_new(row, "bound", json_real(bound));
    (void)json_object_set_new(row, "ok", json_boolean(ok));
    (void)json_array_append_new(c->quantities, row);
}

/* Sums of a comparison, so that many tensors can be compared as one. */
typedef struct distance {
    double error2, norm2;
} distance;

static void add_distance(distance *d, const float *got, const double *want, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double e = (double)got[i] - want[i];
        d->error2 += e * e;
        d->norm2 += want[i] * want[i];
    }
}

static double relative(const distance *d)
{
    return d->norm2 > 0.0 ? sqrt(d->error2 / d->norm2) : sqrt(d->error2);
}

/* Reads an expected tensor that must have `count` values. @own *out: ebm_free() */
static ebm_status expect(const check *c, const char *name, size_t count, double **out,
                         ebm_error *err)
{
    const ebm_st_tensor *t = ebm_safetensors_find(c->expected, name);
    *out = NULL;
    if (!t)
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, name, "expected.safetensors: no such tensor");
    if (t->count != count)
        return ebm_error_set(err, EBM_ERR_SHAPE, name,
                             "expected.safetensors: %zu values, must be %zu", t->count, count);
    *out = ebm_alloc(count, sizeof **out);
    if (!*out)
        return ebm_error_set(err, EBM_ERR_NOMEM, name, "no memory for %zu values", count);
    ebm_status st = ebm_st_to_double(t, count, *out, err);
    if (st != EBM_OK) {
        ebm_free(*out);
        *out = NULL;
    }
    return st;
}

static ebm_status expect_float(const check *c, const char *name, size_t count, float **out,
                               ebm_error *err)
{
    const ebm_st_tensor *t = ebm_safetensors_find(c->expected, name);
    *out = NULL;
    if (!t)
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, name, "expected.safetensors: no such tensor");
    *out = ebm_alloc(t->count, sizeof **out);
    if (!*out)
        return ebm_error_set(err, EBM_ERR_NOMEM, name, "no memory for %zu values", t->count);
    ebm_status st = ebm_st_to_float(t, count, *out, err);
    if (st != EBM_OK) {
        ebm_free(*out);
        *out = NULL;
    }
    return st;
}

/* Rows of a tensor's first dimension, 1..limit. */
static ebm_status first_dim(const check *c, const char *name, int64_t limit, int64_t *out,
                            ebm_error *err)
{
    const ebm_st_tensor *t = ebm_safetensors_find(c->expected, name);
    if (!t || t->rank < 1)
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, name, "expected.safetensors: no such tensor");
    if (t->dim[0] < 1 || t->dim[0] > limit)
        return ebm_error_set(err, EBM_ERR_LIMIT, name, "expected.safetensors: %lld rows",
                             (long long)t->dim[0]);
    *out = t->dim[0];
    return EBM_OK;
}

/* --- schedule ------------------------------------------------------------------------------ */

static ebm_status check_schedule(check *c, ebm_error *err)
{
    const ebm_levels *l = ebm_model_describe(c->model)->levels;
    const struct {
        const char *name;
        const double *got;
    } table[] = {{"schedule.a", l->a},
                 {"schedule.sigma", l->sigma},
                 {"schedule.a_bar", l->abar},
                 {"schedule.sigma_bar", l->sbar}};
    for (size_t k = 0; k < sizeof table / sizeof table[0]; k++) {
        double *want = NULL, worst = 0.0;
        ebm_status st = expect(c, table[k].name, (size_t)l->count + 1, &want, err);
        if (st != EBM_OK)
            return st;
        for (int32_t i = 0; i <= l->count; i++) {
            double d = fabs(table[k].got[i] - want[i]) / fabs(want[i]);
            worst = isnan(worst) || d <= worst ? worst : d;
        }
        ebm_free(want);
        report(c, table[k].name, worst, SCHEDULE_BOUND);
    }
    return EBM_OK;
}

/* --- network ------------------------------------------------------------------------------- */

/* The inputs of the network's cases. */
typedef struct cases {
    size_t n;
    float *x;       /* [n, dim] */
    int32_t *level; /* [n] */
    double *weight; /* [n] */
} cases;

static ebm_status read_levels(const check *c, cases *k, ebm_error *err)
{
    const ebm_st_tensor *t = ebm_safetensors_find(c->expected, "t");
    if (!t || t->dtype != EBM_I64 || t->count != k->n)
        return ebm_error_set(err, EBM_ERR_FORMAT, "t",
                             "expected.safetensors: must hold one int64 per image");
    k->level = ebm_alloc(k->n, sizeof *k->level);
    if (!k->level)
        return ebm_error_set(err, EBM_ERR_NOMEM, "t", "no memory for the levels");
    for (size_t i = 0; i < k->n; i++) {
        uint64_t value = 0;
        for (int b = 7; b >= 0; b--)
            value = value << 8 | t->data[8 * i + (size_t)b];
        if (value >= (uint64_t)c->levels)
            return ebm_error_set(err, EBM_ERR_RANGE, "t", "level outside 0..%d", c->levels - 1);
        k->level[i] = (int32_t)value;
    }
    return EBM_OK;
}

static ebm_status read_cases(const check *c, cases *k, ebm_error *err)
{
    int64_t n = 0;
    ebm_status st = first_dim(c, "x", MAX_IMAGES, &n, err);
    if (st != EBM_OK)
        return st;
    k->n = (size_t)n;
    st = expect_float(c, "x", k->n * c->dim, &k->x, err);
    if (st == EBM_OK)
        st = expect(c, "weight_f", k->n, &k->weight, err);
    if (st == EBM_OK)
        st = read_levels(c, k, err);
    return st;
}

static void clear_cases(cases *k)
{
    ebm_free(k->x);
    ebm_free(k->level);
    ebm_free(k->weight);
}

static ebm_status check_output(check *c, const cases *k, ebm_error *err)
{
    double *f = NULL, *grad_x = NULL;
    distance df = {0, 0}, dg = {0, 0};
    float *grad = ebm_alloc(c->dim, sizeof *grad);
    ebm_status st = grad ? EBM_OK : ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory");
    if (st == EBM_OK)
        st = expect(c, "f", k->n, &f, err);
    if (st == EBM_OK)
        st = expect(c, "grad_x", k->n * c->dim, &grad_x, err);
    for (size_t i = 0; i < k->n && st == EBM_OK; i++) {
        float net = ebm_session_gradient(c->session, k->x + i * c->dim, k->level[i], grad);
        add_distance(&df, &net, f + i, 1);
        add_distance(&dg, grad, grad_x + i * c->dim, c->dim);
    }
    if (st == EBM_OK) {
        report(c, "f", relative(&df), c->bound->f);
        report(c, "grad_x", relative(&dg), c->bound->grad_x);
    }
    ebm_free(grad);
    ebm_free(f);
    ebm_free(grad_x);
    return st;
}

static ebm_status compare_parameters(check *c, const float *grad, ebm_error *err)
{
    const ebm_graph_info *g = ebm_model_describe(c->model)->graph;
    distance all = {0, 0};
    for (int32_t i = 0; i < g->n_tensors; i++) {
        const ebm_tensor_info *t = &g->tensors[i];
        char name[EBM_TENSOR_NAME_MAX + 8];
        double *want = NULL;
        distance one = {0, 0};
        (void)snprintf(name, sizeof name, "grad.%s", t->name);
        ebm_status st = expect(c, name, t->count, &want, err);
        if (st != EBM_OK)
            return st;
        add_distance(&one, grad + t->offset, want, t->count);
        ebm_free(want);
        all.error2 += one.error2;
        all.norm2 += one.norm2;
        report(c, name, relative(&one), c->bound->grad_one);
    }
    report(c, "grad.all", relative(&all), c->bound->grad_all);
    return EBM_OK;
}

static ebm_status check_parameters(check *c, const cases *k, ebm_error *err)
{
    float *grad = ebm_alloc(ebm_model_describe(c->model)->graph->n_params, sizeof *grad);
    ebm_status st = EBM_OK;
    if (!grad)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the gradients");
    for (size_t i = 0; i < k->n && st == EBM_OK; i++)
        st = ebmt_parameter_gradient(c->session, k->x + i * c->dim, k->level[i],
                                     (float)k->weight[i], grad, err);
    if (st == EBM_OK)
        st = compare_parameters(c, grad, err);
    ebm_free(grad);
    return st;
}

static ebm_status check_network(check *c, ebm_error *err)
{
    cases k = {0};
    ebm_status st = read_cases(c, &k, err);
    if (st == EBM_OK)
        st = check_output(c, &k, err);
    if (st == EBM_OK)
        st = check_parameters(c, &k, err);
    clear_cases(&k);
    return st;
}

/* --- Langevin ------------------------------------------------------------------------------ */

/* One level's chains. @shape start, y [chains, dim]; noise [steps, chains, dim] */
typedef struct chains {
    int32_t level;
    int64_t n, steps;
    float *start, *noise, *y;
    double *end;
} chains;

static ebm_status read_chains(const check *c, chains *k, ebm_error *err)
{
    char start[32], noise[32], end[32];
    (void)snprintf(start, sizeof start, "langevin%d.start", k->level);
    (void)snprintf(noise, sizeof noise, "langevin%d.noise", k->level);
    (void)snprintf(end, sizeof end, "langevin%d.end", k->level);
    ebm_status st = first_dim(c, start, MAX_IMAGES, &k->n, err);
    if (st == EBM_OK)
        st = first_dim(c, noise, MAX_STEPS, &k->steps, err);
    if (st != EBM_OK)
        return st;
    size_t total = (size_t)k->n * c->dim;
    st = expect_float(c, start, total, &k->start, err);
    if (st == EBM_OK)
        st = expect_float(c, start, total, &k->y, err);
    if (st == EBM_OK)
        st = expect_float(c, noise, (size_t)k->steps * total, &k->noise, err);
    if (st == EBM_OK)
        st = expect(c, end, total, &k->end, err);
    return st;
}

static void run_chain(const check *c, const chains *k, size_t i, float *grad)
{
    const ebm_levels *levels = ebm_model_describe(c->model)->levels;
    float *y = k->y + i * c->dim;
    for (int64_t step = 0; step < k->steps; step++) {
        const float *noise = k->noise + ((size_t)step * (size_t)k->n + i) * c->dim;
        (void)ebm_session_gradient(c->session, y, k->level, grad);
        ebm_langevin_update(levels, k->level, 1.0, c->dim, k->start + i * c->dim, grad, noise, y);
    }
    for (size_t j = 0; j < c->dim; j++)
        y[j] = (float)((double)y[j] / levels->scale[k->level]);
}

static ebm_status check_langevin_level(check *c, int32_t level, ebm_error *err)
{
    chains k = {.level = level};
    distance d = {0, 0};
    char name[32];
    float *grad = ebm_alloc(c->dim, sizeof *grad);
    ebm_status st = grad ? EBM_OK : ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory");
    if (st == EBM_OK)
        st = read_chains(c, &k, err);
    if (st == EBM_OK) {
        for (size_t i = 0; i < (size_t)k.n; i++)
            run_chain(c, &k, i, grad);
        add_distance(&d, k.y, k.end, (size_t)k.n * c->dim);
        (void)snprintf(name, sizeof name, "langevin%d.end", level);
        report(c, name, relative(&d), c->bound->langevin);
    }
    ebm_free(k.start);
    ebm_free(k.noise);
    ebm_free(k.y);
    ebm_free(k.end);
    ebm_free(grad);
    return st;
}

static ebm_status check_langevin(check *c, ebm_error *err)
{
    ebm_status st = EBM_OK;
    for (int32_t level = 0; level < c->levels && st == EBM_OK; level++) {
        char name[32];
        (void)snprintf(name, sizeof name, "langevin%d.start", level);
        if (ebm_safetensors_find(c->expected, name))
            st = check_langevin_level(c, level, err);
    }
    return st;
}

/* --- the command --------------------------------------------------------------------------- */

static ebm_status prepare(const check_args *args, const ebm_kernels *kernels, check *c,
                          ebm_error *err)
{
    size_t size = 0;
    ebm_status st = ebmt__open_golden(args->dir, kernels, &c->model, err);
    if (st == EBM_OK)
        st = ebm_session_create(c->model, NULL, &c->session, err);
    if (st == EBM_OK)
        st = ebm_file_read(args->dir, "expected.safetensors", EXPECTED_MAX_BYTES, &c->bytes, &size,
                           err);
    if (st == EBM_OK)
        st = ebm_safetensors_parse(c->bytes, size, &c->expected, err);
    if (st != EBM_OK)
        return st;
    const ebm_model_info *m = ebm_model_describe(c->model);
    c->bound = find_bounds(kernels->kernel_class);
    c->levels = m->levels->count;
    c->dim = (size_t)m->graph->channels * (size_t)m->graph->height * (size_t)m->graph->width;
    c->quantities = args->json ? json_array() : NULL;
    return EBM_OK;
}

static ebm_status run(const check_args *args, check *c, ebm_error *err)
{
    const ebm_kernels *kernels = NULL;
    ebm_error why = {0};
    ebm_status st = ebmt__cli_kernels(args->kernels, &kernels, err);
    if (st != EBM_OK)
        return st;
    st = prepare(args, kernels, c, &why);
    if (st == EBM_OK)
        st = check_schedule(c, &why);
    if (st == EBM_OK)
        st = check_network(c, &why);
    if (st == EBM_OK)
        st = check_langevin(c, &why);
    return st == EBM_OK ? st : ebmt__cli_blame(NULL, args->dir, &why, err);
}

static void print_json(const check *c, const char *dir)
{
    const ebm_kernels *kernels = ebm_model_describe(c->model)->kernels;
    json_t *out = json_object();
    (void)json_object_set_new(out, "directory", json_string(dir));
    (void)json_object_set_new(out, "kernels", json_string(kernels->name));
    (void)json_object_set_new(out, "kernel_class", json_string(kernels->kernel_class));
    (void)json_object_set_new(out, "ok", json_boolean(!c->failed));
    (void)json_object_set(out, "quantities", c->quantities);
    (void)json_dumpf(out, stdout, JSON_INDENT(2));
    (void)putchar('\n');
    json_decref(out);
}

int ebmt__cmd_check(int argc, char **argv)
{
    check_args args = {0};
    check c = {0};
    ebmt_parsed parsed;
    ebm_error err = {0};
    int code;
    if (!ebmt__cli_parse(&command, argc, argv, &args, &parsed, &code))
        return code;
    ebm_status st = run(&args, &c, &err);
    if (st == EBM_OK && args.json)
        print_json(&c, args.dir);
    json_decref(c.quantities);
    ebm_safetensors_free(c.expected);
    ebm_free(c.bytes);
    ebm_session_free(c.session);
    ebm_model_unref(c.model);
    if (st != EBM_OK)
        return ebmt__cli_fail(command.name, &err);
    return c.failed ? EBMT_EXIT_FAILED : EBMT_EXIT_OK;
}
