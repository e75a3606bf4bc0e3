/* `ebm sample`, `ebm inpaint`, `ebm interpolate`: one chain down the noise levels for each image.
 * Every image is a function of (models, parameters, index), so threads only decide who makes it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/op_draw.h"
#include "cli/op_remote.h"
#include "cli/op_run.h"
#include "ebm/memory.h"
#include "report/grid.h"

#define MAX_IMAGES      100000 /* a request to the daemon may ask for fewer */
#define MAX_GRID_IMAGES 4096
#define AT(member)      offsetof(ebmt__op_args, member)

static const ebmt_option rows[] = {
    {"--out", EBMT_OPT_STRING, AT(out), 0, 0, NULL, "DIR",
     "where 000000.png ... go, numbered by index; made if missing", true},
    {"--grid", EBMT_OPT_STRING, AT(grid), 0, 0, NULL, "FILE",
     "also write all images on one sheet, at most 4096 of them", false},
    {"--sheet", EBMT_OPT_STRING, AT(sheet), 0, 0, NULL, "FILE",
     "also write all images side by side, without gaps: a sprite sheet", false},
    {"--animation", EBMT_OPT_STRING, AT(animation), 0, 0, NULL, "FILE",
     "also write all images as an animated PNG", false},
    {"--delay-ms", EBMT_OPT_INT, AT(delay_ms), 1, 65535, NULL, "ms",
     "how long the animation shows an image", false},
};
#define N_ROWS (sizeof rows / sizeof rows[0])

typedef struct result {
    double energy;
    char sha256[65];
    bool done;
} result;

typedef struct drawing {
    ebmt__op_run run;
    result *results;  /* [n] */
    uint8_t *pixels;  /* [n,H,W,C], or NULL when only files are wanted */
    int32_t n, first; /* number of images, number of the first */
    int32_t printed;  /* results 0..printed-1 are on stdout */
} drawing;

/* --- one image ------------------------------------------------------------------------------ */

static void print_result(const drawing *d, int32_t k)
{
    const result *r = &d->results[k];
    (void)printf("{\"index\":%d,\"file\":\"%06d.png\",\"seed\":%lld", d->first + k, d->first + k,
                 (long long)d->run.args->params.seed);
    ebmt__op_print_number("energy", r->energy);
    (void)printf(",\"sha256\":\"%s\"}\n", r->sha256);
}

/* Lines come out in order of index, whoever finishes first. */
static void publish(drawing *d, int32_t k, const result *r)
{
    pthread_mutex_lock(&d->run.lock);
    d->results[k] = *r;
    d->results[k].done = true;
    while (d->printed < d->n && d->results[d->printed].done)
        print_result(d, d->printed++);
    (void)fflush(stdout);
    pthread_mutex_unlock(&d->run.lock);
}

/* The state a chain has left a level with, as NAME-levelT.png. */
static ebm_status write_level(const drawing *d, ebmt__bench *b, int32_t k, int32_t level,
                              ebm_error *err)
{
    char name[64];
    const ebm_shape *s = &d->run.shape;
    (void)snprintf(name, sizeof name, "%06d-level%d.png", d->first + k, level);
    ebm_image_from_tensor(b->anchor, s->channels, s->height, s->width, b->pixels);
    return ebmt__op_write(&d->run, name, b->pixels, NULL, NULL, err);
}

/* A call-back of ebmt__op_draw(). */
static ebm_status on_level(void *user, ebmt__bench *b, int32_t k, int32_t level, ebm_error *err)
{
    const drawing *d = user;
    return write_level(d, b, k, level, err);
}

static ebm_status draw_task(void *user, int32_t k, ebmt__bench *b, ebm_error *err)
{
    drawing *d = user;
    const ebm_shape *s = &d->run.shape;
    ebm_receipt receipt;
    result r = {0};
    char name[32];
    const ebmt__op_watch watch = {d->run.call.params.progressive ? on_level : NULL, d};
    ebm_status st = ebmt__op_draw(&d->run, &d->run.call, k, b, &watch, err);
    if (st != EBM_OK)
        return st;
    const ebm_mcmc end = {.level = -1, .y = b->x};
    r.energy = -ebm_call_logp(&b->density, d->run.levels, &end, b->work);
    ebm_image_from_tensor(b->x, s->channels, s->height, s->width, b->pixels);
    if (d->pixels)
        memcpy(d->pixels + (size_t)k * d->run.dim, b->pixels, d->run.dim);
    ebm_receipt_item(&d->run.receipt, k, 0, b->pixels, d->run.dim, &receipt);
    (void)snprintf(name, sizeof name, "%06d.png", d->first + k);
    st = ebmt__op_write(&d->run, name, b->pixels, &receipt, r.sha256, err);
    if (st == EBM_OK)
        publish(d, k, &r);
    return st;
}

/* --- all images ----------------------------------------------------------------------------- */

static ebm_status write_grid(const drawing *d, ebm_error *err)
{
    const ebm_shape *s = &d->run.shape;
    const ebmt_grid grid = {.pixels = d->pixels,
                            .n = d->n,
                            .width = s->width,
                            .height = s->height,
                            .channels = s->channels,
                            .zoom = s->width * d->n <= 4096 ? 2 : 1};
    return ebmt_grid_write(d->run.args->grid, &grid, err);
}

static ebm_status write_sheet(const drawing *d, ebm_error *err)
{
    ebm_image sheet = {0};
    unsigned char *png = NULL;
    size_t size = 0;
    ebm_status st = ebm_sprite_sheet(d->pixels, (size_t)d->n, &d->run.shape, &sheet, err);
    if (st == EBM_OK)
        st = ebm_png_encode(&sheet, NULL, 0, &png, &size, err);
    if (st == EBM_OK)
        st = ebm_file_write(d->run.args->sheet, png, size, err);
    ebm_free(png);
    ebm_free(sheet.pixels);
    return st;
}

static ebm_status write_animation(const drawing *d, ebm_error *err)
{
    const ebm_shape *s = &d->run.shape;
    unsigned char *png = NULL;
    size_t size = 0;
    ebm_image *frames = ebm_alloc((size_t)d->n, sizeof *frames);
    if (!frames)
        return ebm_error_set(err, EBM_ERR_NOMEM, "--animation", "no memory for %d frames", d->n);
    for (int32_t k = 0; k < d->n; k++)
        frames[k] =
            (ebm_image){s->width, s->height, s->channels, d->pixels + (size_t)k * d->run.dim};
    ebm_status st = ebm_apng_encode(frames, (size_t)d->n, d->run.args->delay_ms, &png, &size, err);
    if (st == EBM_OK)
        st = ebm_file_write(d->run.args->animation, png, size, err);
    ebm_free(png);
    ebm_free(frames);
    return st;
}

static ebm_status write_ensemble(const drawing *d, ebm_error *err)
{
    static const char *const names[] = {"mean.png", "sd.png", "q05.png", "q50.png", "q95.png"};
    const size_t bytes = d->run.dim;
    uint8_t *maps = ebm_alloc(5, bytes);
    if (!maps)
        return ebm_error_set(err, EBM_ERR_NOMEM, "--ensemble", "no memory");
    const ebm_ensemble out = {
        maps, maps + bytes, {maps + 2 * bytes, maps + 3 * bytes, maps + 4 * bytes}};
    ebm_status st = ebm_ensemble_of(d->pixels, (size_t)d->n, bytes, &out, err);
    for (size_t i = 0; i < 5 && st == EBM_OK; i++)
        st = ebmt__op_write(&d->run, names[i], maps + i * bytes, NULL, NULL, err);
    ebm_free(maps);
    return st;
}

static ebm_status write_joint(const drawing *d, ebm_error *err)
{
    const ebmt__op_args *a = d->run.args;
    ebm_status st = a->grid ? write_grid(d, err) : EBM_OK;
    if (st == EBM_OK && a->sheet)
        st = write_sheet(d, err);
    if (st == EBM_OK && a->animation)
        st = write_animation(d, err);
    if (st == EBM_OK && a->params.ensemble)
        st = write_ensemble(d, err);
    return st;
}

/* --- commands ------------------------------------------------------------------------------- */

static ebm_status check_args(const ebmt__op_args *a, int32_t n, ebm_error *err)
{
    if (a->grid && n > MAX_GRID_IMAGES)
        return ebm_error_set(err, EBM_ERR_ARG, "--grid", "a sheet holds at most %d images",
                             MAX_GRID_IMAGES);
    if (a->params.first_index + n - 1 > INT32_MAX)
        return ebm_error_set(err, EBM_ERR_ARG, "--first-index", "the last index is over %ld",
                             (long)INT32_MAX);
    if (a->animation && n > EBM_APNG_MAX_FRAMES)
        return ebm_error_set(err, EBM_ERR_ARG, "--animation", "holds at most %d images",
                             EBM_APNG_MAX_FRAMES);
    return EBM_OK;
}

static ebm_status make_results(drawing *d, ebm_error *err)
{
    const ebmt__op_args *a = d->run.args;
    bool keep = a->grid || a->sheet || a->animation || a->params.ensemble;
    d->results = ebm_alloc((size_t)d->n, sizeof *d->results);
    if (keep)
        d->pixels = ebm_alloc((size_t)d->n, d->run.dim);
    if (!d->results || (keep && !d->pixels))
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for %d images", d->n);
    return EBM_OK;
}

static ebm_status run(ebm_op_kind kind, const ebmt__op_args *args, ebm_error *err)
{
    const ebm_call call = {.operation = ebm_operation_of(kind), .params = args->params};
    drawing d = {.n = ebm_call_items(&call)};
    d.first = kind == EBM_OP_INTERPOLATE ? 0 : (int32_t)args->params.first_index;
    ebm_status st = ebmt__op_open(&d.run, kind, args, d.n, err);
    if (st == EBM_OK)
        st = make_results(&d, err);
    if (st == EBM_OK)
        st = ebmt__op_each(&d.run, d.n, draw_task, &d, err);
    if (st == EBM_OK)
        st = write_joint(&d, err);
    ebmt__op_close(&d.run);
    ebm_free(d.results);
    ebm_free(d.pixels);
    return st;
}

static int draw(ebm_op_kind kind, int64_t max_n, int argc, char **argv)
{
    const ebmt__op_command command = {kind, rows, N_ROWS, max_n};
    ebmt__op_args args = {.delay_ms = 120};
    ebm_error err = {0};
    int code;
    if (!ebmt__op_begin(&command, argc, argv, &args, &code))
        return code;
    const ebm_call call = {.operation = ebm_operation_of(kind), .params = args.params};
    if (check_args(&args, ebm_call_items(&call), &err) != EBM_OK)
        return ebmt__cli_usage(call.operation->name, &err);
    if (run(kind, &args, &err) == EBM_OK)
        return EBMT_EXIT_OK;
    return ebmt__cli_fail(call.operation->name, &err);
}

int ebmt__cmd_sample(int argc, char **argv)
{
    return draw(EBM_OP_SAMPLE, MAX_IMAGES, argc, argv);
}

int ebmt__cmd_inpaint(int argc, char **argv)
{
    return draw(EBM_OP_INPAINT, 0, argc, argv);
}

int ebmt__cmd_interpolate(int argc, char **argv)
{
    return draw(EBM_OP_INTERPOLATE, 0, argc, argv);
}
