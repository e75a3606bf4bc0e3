/* `ebm sample`: the daemon's /sample without a daemon: same parameters, same seed, same bytes.
 * Every image is a function of (model, seed, index), so threads only decide who computes it. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebm/params.h"
#include "ebm/sampler.h"
#include "ebm/session.h"
#include "ebmm/models.h"
#include "ebmt/pool.h"
#include "grid.h"

#define MAX_IMAGES      100000 /* a request to the daemon may ask for fewer */
#define MAX_GRID_IMAGES 4096

typedef struct sample_args {
    const char *models, *model, *out, *grid, *kernels;
    int32_t n, first_index, steps_per_level, threads;
    int64_t seed;
    double noise_scale;
} sample_args;

/* --- flags --------------------------------------------------------------------------------- */

static const ebmt_option own_rows[] = {
    {"--models", EBMT_OPT_STRING, offsetof(sample_args, models), 0, 0, NULL, "DIR",
     "directory that holds model directories", true},
    {"--model", EBMT_OPT_STRING, offsetof(sample_args, model), 0, 0, NULL, "ID", "which of them",
     true},
    {"--out", EBMT_OPT_STRING, offsetof(sample_args, out), 0, 0, NULL, "DIR",
     "where 000000.png ... go, numbered by index; made if missing", true},
    {"--threads", EBMT_OPT_INT, offsetof(sample_args, threads), 1, 256, NULL, "threads",
     "threads; changes no image", false},
    {"--kernels", EBMT_OPT_STRING, offsetof(sample_args, kernels), 0, 0, NULL, "SET",
     "kernel set; the best of this CPU if absent", false},
    {"--grid", EBMT_OPT_STRING, offsetof(sample_args, grid), 0, 0, NULL, "FILE",
     "also write all images on one sheet, at most 4096 of them", false},
};
#define N_OWN (sizeof own_rows / sizeof own_rows[0])

/* Where the rows of core's table go; name, bounds and help come from there. */
static const struct {
    const char *name, *flag;
    size_t offset;
} shared_rows[] = {
    {"n", "--n", offsetof(sample_args, n)},
    {"seed", "--seed", offsetof(sample_args, seed)},
    {"first_index", "--first-index", offsetof(sample_args, first_index)},
    {"steps_per_level", "--steps-per-level", offsetof(sample_args, steps_per_level)},
    {"noise_scale", "--noise-scale", offsetof(sample_args, noise_scale)},
};
#define N_SHARED (sizeof shared_rows / sizeof shared_rows[0])

static ebmt_option shared_row(size_t i, const ebm_param *row, sample_args *args)
{
    ebmt_option option = {.flag = shared_rows[i].flag,
                          .offset = shared_rows[i].offset,
                          .min = row->min,
                          .max = row->max,
                          .unit = row->unit,
                          .help = row->help};
    char *at = (char *)args + option.offset;
    if (row->type == EBM_PARAM_SEED) {
        option.kind = EBMT_OPT_SEED;
        *(int64_t *)(void *)at = -1;
    } else if (row->type == EBM_PARAM_REAL) {
        option.kind = EBMT_OPT_REAL;
        *(double *)(void *)at = row->preset;
    } else {
        option.kind = EBMT_OPT_INT;
        *(int32_t *)(void *)at = (int32_t)row->preset;
    }
    return option;
}

/* Fills the table and, from the same rows, the defaults.
 * @shape rows [N_OWN+N_SHARED] */
static ebm_status make_rows(ebmt_option *rows, sample_args *args, ebm_error *err)
{
    size_t n;
    const ebm_param *table = ebm_sample_params(&n);
    memcpy(rows, own_rows, sizeof own_rows);
    for (size_t i = 0; i < N_SHARED; i++) {
        const ebm_param *row = ebm_param_find(table, n, shared_rows[i].name);
        if (!row)
            return ebm_error_set(err, EBM_ERR_INTERNAL, shared_rows[i].name, "no such parameter");
        rows[N_OWN + i] = shared_row(i, row, args);
        if (strcmp(row->name, "n") == 0)
            rows[N_OWN + i].max = MAX_IMAGES;
    }
    return EBM_OK;
}

static ebm_status check_args(const sample_args *args, ebm_error *err)
{
    if (!ebm_model_id_valid(args->model))
        return ebm_error_set(err, EBM_ERR_ARG, "--model", "not a model id: '%.64s'", args->model);
    if ((int64_t)args->first_index + args->n - 1 > INT32_MAX)
        return ebm_error_set(err, EBM_ERR_ARG, "--first-index", "the last index is over %ld",
                             (long)INT32_MAX);
    if (args->grid && args->n > MAX_GRID_IMAGES)
        return ebm_error_set(err, EBM_ERR_ARG, "--grid", "a sheet holds at most %d images",
                             MAX_GRID_IMAGES);
    return EBM_OK;
}

/* --- the run ------------------------------------------------------------------------------- */

/* Scratch of one thread. @shape y, anchor [dim]; work [2*dim]; pixels [H,W,C] */
typedef struct worker {
    ebm_session *session;
    ebm_team *team; /* NULL: one thread */
    float *y, *anchor, *work;
    uint8_t *pixels;
} worker;

typedef struct result {
    double energy;
    char sha256[65];
    bool done;
} result;

typedef struct sampling {
    const sample_args *args;
    ebm_model *model;
    const ebm_model_info *info;
    ebm_langevin how;
    size_t dim;
    ebmt_pool *pool;
    int32_t n_workers;
    worker *workers;     /* [n_workers] */
    result *results;     /* [n] */
    uint8_t *all_pixels; /* [n,H,W,C] for the grid, or NULL */

    pthread_mutex_t lock; /* of results, printed, error and stdout */
    int32_t printed;      /* results 0..printed-1 are on stdout */
    ebm_error error;      /* the first one */
} sampling;

static void print_result(const sampling *s, int32_t k)
{
    const result *r = &s->results[k];
    (void)printf("{\"index\":%d,\"file\":\"%06d.png\",\"seed\":%lld,", s->args->first_index + k,
                 s->args->first_index + k, (long long)s->args->seed);
    if (isfinite(r->energy))
        (void)printf("\"energy\":%.9g,", r->energy);
    else
        (void)printf("\"energy\":null,");
    (void)printf("\"sha256\":\"%s\"}\n", r->sha256);
}

/* Lines come out in order of index, whoever finishes first. */
static void publish(sampling *s, int32_t k, const result *r)
{
    pthread_mutex_lock(&s->lock);
    s->results[k] = *r;
    s->results[k].done = true;
    while (s->printed < s->args->n && s->results[s->printed].done)
        print_result(s, s->printed++);
    (void)fflush(stdout);
    pthread_mutex_unlock(&s->lock);
}

static void record_error(sampling *s, const ebm_error *err)
{
    pthread_mutex_lock(&s->lock);
    if (s->error.status == EBM_OK)
        s->error = *err;
    pthread_mutex_unlock(&s->lock);
}

static bool has_failed(sampling *s)
{
    pthread_mutex_lock(&s->lock);
    bool failed = s->error.status != EBM_OK;
    pthread_mutex_unlock(&s->lock);
    return failed;
}

static ebm_status write_image(const sampling *s, worker *w, int32_t k, result *r, ebm_error *err)
{
    const ebm_graph_info *g = s->info->graph;
    const ebm_image image = {g->width, g->height, g->channels, w->pixels};
    unsigned char *png = NULL;
    size_t size = 0, room = strlen(s->args->out) + 32;
    char *path = ebm_alloc(room, 1);
    if (!path)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a path");
    (void)snprintf(path, room, "%s/%06d.png", s->args->out, s->args->first_index + k);
    ebm_status st = ebm_png_encode(&image, NULL, 0, &png, &size, err);
    if (st == EBM_OK)
        st = ebm_file_write(path, png, size, err);
    if (st == EBM_OK)
        ebm_sha256_hex(png, size, r->sha256);
    ebm_free(png);
    ebm_free(path);
    return st;
}

static ebm_status draw_one(const sampling *s, worker *w, int32_t k, result *r, ebm_error *err)
{
    const ebm_levels *levels = s->info->levels;
    const ebm_graph_info *g = s->info->graph;
    const ebm_density density = ebm_density_of_session(w->session);
    ebm_chain chain = {.y = w->y, .anchor = w->anchor};
    ebm_chain_start(&chain, levels, s->dim, (uint64_t)s->args->seed,
                    (uint32_t)(s->args->first_index + k));
    ebm_status st = ebm_chain_advance(&chain, &density, levels, &s->how, INT64_MAX, w->work, err);
    if (st != EBM_OK)
        return st;
    r->energy = -ebm_session_logp(w->session, w->y, w->work);
    ebm_image_from_tensor(w->y, g->channels, g->height, g->width, w->pixels);
    if (s->all_pixels)
        memcpy(s->all_pixels + (size_t)k * s->dim, w->pixels, s->dim);
    return write_image(s, w, k, r, err);
}

static void sample_task(void *user, int32_t k, int32_t number)
{
    sampling *s = user;
    result r = {0};
    ebm_error err = {0};
    if (has_failed(s))
        return;
    if (draw_one(s, &s->workers[number], k, &r, &err) == EBM_OK)
        publish(s, k, &r);
    else
        record_error(s, &err);
}

/* --- setting up ---------------------------------------------------------------------------- */

static ebm_status open_model(const sample_args *args, ebm_model **out, ebm_error *err)
{
    const ebm_kernels *kernels = NULL;
    size_t room = strlen(args->models) + strlen(args->model) + 2;
    char *path = NULL;
    ebm_status st = ebmt__cli_kernels(args->kernels, &kernels, err);
    if (st != EBM_OK)
        return st;
    path = ebm_alloc(room, 1);
    if (!path)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a path");
    (void)snprintf(path, room, "%s/%s", args->models, args->model);
    st = ebmm_model_open(path, kernels, out, err);
    ebm_free(path);
    return st;
}

/* With more threads than images, a few threads share each pass: the bits are the same. */
static ebm_status make_session(const sampling *s, worker *w, ebm_error *err)
{
    int32_t members = s->args->threads / s->n_workers;
    const ebm_session_options opt = {.members = members < EBM_TEAM_MAX ? members : EBM_TEAM_MAX};
    ebm_status st = ebm_session_create(s->model, &opt, &w->session, err);
    if (st != EBM_OK || opt.members == 1)
        return st;
    st = ebm_team_create(opt.members, &w->team, err);
    if (st == EBM_OK)
        ebm_session_use_team(w->session, w->team);
    return st;
}

static ebm_status make_worker(const sampling *s, worker *w, ebm_error *err)
{
    ebm_status st = make_session(s, w, err);
    if (st != EBM_OK)
        return st;
    w->y = ebm_alloc(s->dim, sizeof *w->y);
    w->anchor = ebm_alloc(s->dim, sizeof *w->anchor);
    w->work = ebm_alloc(2 * s->dim, sizeof *w->work);
    w->pixels = ebm_alloc(s->dim, 1);
    if (!w->y || !w->anchor || !w->work || !w->pixels)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a chain");
    return EBM_OK;
}

static ebm_status make_workers(sampling *s, ebm_error *err)
{
    s->n_workers = s->args->threads < s->args->n ? s->args->threads : s->args->n;
    ebm_status st = ebmt_pool_create(s->n_workers, &s->pool, err);
    if (st != EBM_OK)
        return st;
    s->workers = ebm_alloc((size_t)s->n_workers, sizeof *s->workers);
    s->results = ebm_alloc((size_t)s->args->n, sizeof *s->results);
    if (s->args->grid)
        s->all_pixels = ebm_alloc((size_t)s->args->n, s->dim);
    if (!s->workers || !s->results || (s->args->grid && !s->all_pixels))
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for %d images", s->args->n);
    for (int32_t i = 0; i < s->n_workers && st == EBM_OK; i++)
        st = make_worker(s, &s->workers[i], err);
    return st;
}

static ebm_status prepare(sampling *s, bool noise_given, ebm_error *err)
{
    ebm_status st = open_model(s->args, &s->model, err);
    if (st != EBM_OK)
        return st;
    s->info = ebm_model_describe(s->model);
    const ebm_graph_info *g = s->info->graph;
    s->dim = (size_t)g->channels * (size_t)g->height * (size_t)g->width;
    s->how.steps_per_level = s->args->steps_per_level;
    s->how.noise_scale = noise_given ? s->args->noise_scale : s->info->levels->noise_scale;
    st = ebm_dir_make(s->args->out, err);
    if (st == EBM_OK)
        st = make_workers(s, err);
    return st;
}

static void clear(sampling *s)
{
    ebmt_pool_free(s->pool);
    for (int32_t i = 0; s->workers && i < s->n_workers; i++) {
        ebm_session_free(s->workers[i].session);
        ebm_team_free(s->workers[i].team);
        ebm_free(s->workers[i].y);
        ebm_free(s->workers[i].anchor);
        ebm_free(s->workers[i].work);
        ebm_free(s->workers[i].pixels);
    }
    ebm_free(s->workers);
    ebm_free(s->results);
    ebm_free(s->all_pixels);
    ebm_model_unref(s->model);
}

static ebm_status write_grid(const sampling *s, ebm_error *err)
{
    const ebm_graph_info *g = s->info->graph;
    const ebmt_grid grid = {.pixels = s->all_pixels,
                            .n = s->args->n,
                            .width = g->width,
                            .height = g->height,
                            .channels = g->channels,
                            .zoom = g->width * s->args->n <= 4096 ? 2 : 1};
    return s->all_pixels ? ebmt_grid_write(s->args->grid, &grid, err) : EBM_OK;
}

static ebm_status run(const sample_args *args, bool noise_given, ebm_error *err)
{
    sampling s = {.args = args};
    if (pthread_mutex_init(&s.lock, NULL) != 0)
        return ebm_error_set(err, EBM_ERR_UNSUPPORTED, NULL, "no mutex");
    ebm_status st = prepare(&s, noise_given, err);
    if (st == EBM_OK) {
        ebmt_pool_run(s.pool, args->n, sample_task, &s);
        st = s.error.status;
        if (st == EBM_OK)
            st = write_grid(&s, err);
        else if (err)
            *err = s.error;
    }
    clear(&s);
    (void)pthread_mutex_destroy(&s.lock);
    return st;
}

int ebmt__cmd_sample(int argc, char **argv)
{
    ebmt_option rows[N_OWN + N_SHARED];
    sample_args args = {.threads = ebmt__cli_processors()};
    ebmt_command command = {
        .name = "sample",
        .summary = "Draws images from a model; prints one JSON object per image.",
        .options = rows,
        .n_options = N_OWN + N_SHARED,
    };
    ebmt_parsed parsed;
    ebm_error err = {0};
    int code;
    if (make_rows(rows, &args, &err) != EBM_OK)
        return ebmt__cli_fail(command.name, &err);
    if (!ebmt__cli_parse(&command, argc, argv, &args, &parsed, &code))
        return code;
    if (check_args(&args, &err) != EBM_OK)
        return ebmt__cli_usage(command.name, &err);
    ebm_status st = args.seed < 0 ? ebmt__cli_draw_seed(&args.seed, &err) : EBM_OK;
    if (st == EBM_OK)
        st = run(&args, ebmt__option_given(&command, &parsed, "--noise-scale"), &err);
    return st == EBM_OK ? EBMT_EXIT_OK : ebmt__cli_fail(command.name, &err);
}
