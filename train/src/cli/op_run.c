/* Models, pictures and benches of an operation's command. See op_run.h. */
#include "cli/op_run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/open_any.h"
#include "ebm/io.h"
#include "ebm/memory.h"

#define WORK_ROWS 10 /* as ebm_ais_work() wants, the most of all operations */

/* --- models -------------------------------------------------------------------------------- */

static ebm_status open_model(ebmt__op_run *run, int32_t i, const ebm_kernels *kernels,
                             ebm_error *err)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", run->args->models, run->part[i].id);
    if (n < 0 || (size_t)n >= sizeof path)
        return ebm_error_set(err, EBM_ERR_ARG, "--models", "the path is too long");
    ebm_status st = ebmt__open_model("--models", path, kernels, &run->model[i], err);
    if (st != EBM_OK)
        return st;
    run->n_models = i + 1;
    return EBM_OK;
}

static ebm_status open_models(ebmt__op_run *run, ebm_error *err)
{
    const ebm_kernels *kernels = NULL;
    ebm_error inner = {0};
    int32_t n = 0;
    ebm_status st = ebm_model_list_parse(run->args->model, run->part, &n, &inner);
    if (st != EBM_OK)
        return ebm_error_set(err, st, "--model", "%s", inner.text);
    st = ebmt__cli_kernels(run->args->kernels, &kernels, err);
    for (int32_t i = 0; i < n && st == EBM_OK; i++)
        st = open_model(run, i, kernels, err);
    if (st != EBM_OK)
        return st;
    const ebm_model_info *first = ebm_model_describe(run->model[0]);
    run->levels = first->levels;
    run->shape = (ebm_shape){first->graph->channels, first->graph->height, first->graph->width};
    run->dim = (size_t)run->shape.channels * (size_t)run->shape.height * (size_t)run->shape.width;
    return EBM_OK;
}

/* --- pictures ------------------------------------------------------------------------------ */

static ebm_status read_png(const char *flag, const char *file, ebm_image *out, ebm_error *err)
{
    unsigned char *data = NULL;
    size_t size = 0;
    ebm_error inner = {0};
    ebm_status st = ebm_file_read(NULL, file, EBM_PNG_MAX_BYTES, &data, &size, &inner);
    if (st == EBM_OK)
        st = ebm_png_decode(data, size, out, &inner);
    ebm_free(data);
    inner.where[0] = '\0'; /* of no use beside the file's name */
    return st == EBM_OK ? EBM_OK : ebmt__cli_blame(flag, file, &inner, err);
}

static ebm_status fit(const ebmt__op_run *run, const char *flag, const ebm_image *picture, float *x,
                      ebm_error *err)
{
    ebm_error inner = {0};
    const ebm_fit rule = (ebm_fit)run->args->params.fit;
    ebm_status st = ebm_fit_image(picture, &run->shape, rule, x, &inner);
    return st == EBM_OK ? EBM_OK
                        : ebm_error_set(err, st, flag, "%s%s", inner.text,
                                        st == EBM_ERR_SHAPE ? "; see --fit" : "");
}

ebm_status ebmt__op_picture(const ebmt__op_run *run, const char *flag, const char *file, float *x,
                            ebm_error *err)
{
    ebm_image picture = {0};
    ebm_status st = read_png(flag, file, &picture, err);
    if (st == EBM_OK)
        st = fit(run, flag, &picture, x, err);
    ebm_free(picture.pixels);
    return st;
}

/* @own *out: ebm_free() */
static ebm_status load(const ebmt__op_run *run, const char *flag, const char *file, float **out,
                       ebm_error *err)
{
    if (!file)
        return EBM_OK;
    *out = ebm_alloc(run->dim, sizeof **out);
    return *out ? ebmt__op_picture(run, flag, file, *out, err)
                : ebm_error_set(err, EBM_ERR_NOMEM, flag, "no memory for a picture");
}

/* Without a mask the picture's own transparency is one. */
static ebm_status load_mask(ebmt__op_run *run, ebm_error *err)
{
    const ebm_op_params *p = &run->args->params;
    const ebm_mask_rule rule = {p->mask ? (ebm_mask_mode)p->mask_mode : EBM_MASK_ALPHA,
                                p->mask_soft, (ebm_fit)p->fit};
    ebm_image mask = {0};
    ebm_error inner = {0};
    if (!p->mask && !ebm_shape_has_colours(&run->shape))
        return ebm_error_set(err, EBM_ERR_ARG, "--mask",
                             "is required: the model's images have no transparency");
    run->known = ebm_alloc(run->dim, sizeof *run->known);
    if (!run->known)
        return ebm_error_set(err, EBM_ERR_NOMEM, "--mask", "no memory for a mask");
    ebm_status st = read_png("--mask", p->mask ? p->mask : p->image, &mask, err);
    if (st != EBM_OK)
        return st;
    st = ebm_fit_mask(&mask, &run->shape, &rule, run->known, &run->coverage, &inner);
    ebm_free(mask.pixels);
    return st == EBM_OK ? EBM_OK : ebm_error_set(err, st, "--mask", "%s", inner.text);
}

static ebm_status load_pictures(ebmt__op_run *run, ebm_op_kind kind, ebm_error *err)
{
    const ebm_op_params *p = &run->args->params;
    bool between = kind == EBM_OP_INTERPOLATE;
    ebm_status st = load(run, between ? "--from-image" : "--image", p->image, &run->image, err);
    if (st == EBM_OK)
        st = load(run, "--to-image", p->image_b, &run->image_b, err);
    if (st == EBM_OK && kind == EBM_OP_INPAINT)
        st = load_mask(run, err);
    run->call.image = run->image;
    run->call.image_b = run->image_b;
    run->call.known = run->known;
    return st;
}

/* --- benches ------------------------------------------------------------------------------- */

static ebm_status make_density(const ebmt__op_run *run, ebmt__bench *b, float *scratch,
                               ebm_error *err)
{
    const bool mixture = run->args->params.compose == EBM_COMPOSE_MIXTURE;
    for (int32_t i = 0; i < run->n_models; i++)
        b->part[i] = (ebm_compose_part){.density = ebm_density_of_session(b->session[i]),
                                        .levels = ebm_model_describe(run->model[i])->levels,
                                        .weight = run->part[i].weight};
    b->density = b->part[0].density;
    if (run->n_models == 1 && run->part[0].weight == 1.0)
        return EBM_OK;
    b->whole = (ebm_composition){.kind = mixture ? EBM_COMPOSE_MIXTURE : EBM_COMPOSE_PRODUCT,
                                 .parts = b->part,
                                 .n_parts = (size_t)run->n_models,
                                 .levels = run->levels,
                                 .scratch = scratch};
    return ebm_compose(&b->whole, &b->density, err);
}

static ebm_status make_floats(const ebmt__op_run *run, ebmt__bench *b, ebm_error *err)
{
    const size_t d = run->dim, t = (size_t)run->levels->count;
    size_t rows = 3 + (t + 1) + WORK_ROWS + (size_t)run->n_models;
    b->floats = ebm_alloc(d, rows * sizeof(float));
    b->pixels = ebm_alloc(d, 1);
    if (!b->floats || !b->pixels)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a chain");
    b->y = b->floats;
    b->anchor = b->y + d;
    b->x = b->anchor + d;
    b->work = b->x + d;
    b->path = b->work + WORK_ROWS * d;
    return make_density(run, b, b->path + (t + 1) * d, err);
}

/* With more threads than items, a few threads share each pass: the bits are the same. */
static ebm_status make_bench(const ebmt__op_run *run, ebmt__bench *b, ebm_error *err)
{
    const int32_t spare = run->args->threads / run->n_benches;
    const int32_t members = spare < EBM_TEAM_MAX ? spare : EBM_TEAM_MAX;
    ebm_status st = EBM_OK;
    for (int32_t i = 0; i < run->n_models && st == EBM_OK; i++)
        st = ebm_session_create(run->model[i], NULL, &b->session[i], err);
    if (st == EBM_OK && members > 1)
        st = ebm_team_create(members, &b->team, err);
    for (int32_t i = 0; i < run->n_models && st == EBM_OK && b->team; i++)
        st = ebm_session_use_team(b->session[i], b->team, err);
    return st == EBM_OK ? make_floats(run, b, err) : st;
}

static ebm_status make_benches(ebmt__op_run *run, int32_t items, ebm_error *err)
{
    run->n_benches = run->args->threads < items ? run->args->threads : items;
    ebm_status st = ebmt_pool_create(run->n_benches, &run->pool, err);
    if (st != EBM_OK)
        return st;
    run->bench = ebm_alloc((size_t)run->n_benches, sizeof *run->bench);
    if (!run->bench)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for %d threads", run->n_benches);
    for (int32_t i = 0; i < run->n_benches && st == EBM_OK; i++)
        st = make_bench(run, &run->bench[i], err);
    return st;
}

static void clear_bench(ebmt__bench *b)
{
    for (int i = 0; i < EBM_COMPOSE_MAX_PARTS; i++)
        ebm_session_free(b->session[i]);
    ebm_team_free(b->team);
    ebm_free(b->floats);
    ebm_free(b->pixels);
}

/* --- a run --------------------------------------------------------------------------------- */

static ebm_status begin(ebmt__op_run *run, int32_t items, ebm_error *err)
{
    ebm_error why = {0};
    ebm_status st = ebm_call_resolve(&run->call, run->levels, &why);
    if (st != EBM_OK)
        return ebmt__op_blame(run->call.operation, &why, err);
    ebm_receipt_begin(&run->call, run->dim, &run->receipt);
    for (int32_t i = 0; i < run->n_models; i++)
        ebm_receipt_add_model(&run->receipt, ebm_model_describe(run->model[i]),
                              run->part[i].weight);
    if (run->args->out)
        st = ebm_dir_make(run->args->out, err);
    return st == EBM_OK ? make_benches(run, items, err) : st;
}

ebm_status ebmt__op_open(ebmt__op_run *run, ebm_op_kind kind, const ebmt__op_args *args,
                         int32_t items, ebm_error *err)
{
    const ebm_operation *op = ebm_operation_of(kind);
    *run = (ebmt__op_run){.args = args,
                          .call = {.operation = op, .params = ebmt__op_params_of(op, args)}};
    if (pthread_mutex_init(&run->lock, NULL) != 0)
        return ebm_error_set(err, EBM_ERR_UNSUPPORTED, NULL, "no mutex");
    ebm_status st = open_models(run, err);
    if (st == EBM_OK)
        st = load_pictures(run, kind, err);
    return st == EBM_OK ? begin(run, items, err) : st;
}

void ebmt__op_close(ebmt__op_run *run)
{
    if (!run->args) /* never opened */
        return;
    ebmt_pool_free(run->pool);
    for (int32_t i = 0; run->bench && i < run->n_benches; i++)
        clear_bench(&run->bench[i]);
    ebm_free(run->bench);
    ebm_free(run->image);
    ebm_free(run->image_b);
    ebm_free(run->known);
    for (int32_t i = 0; i < run->n_models; i++)
        ebm_model_unref(run->model[i]);
    (void)pthread_mutex_destroy(&run->lock);
}

typedef struct each {
    ebmt__op_run *run;
    ebmt__op_task task;
    void *user;
} each;

static void run_one(void *user, int32_t k, int32_t number)
{
    each *e = user;
    ebmt__op_run *run = e->run;
    ebm_error err = {0};
    pthread_mutex_lock(&run->lock);
    bool failed = run->error.status != EBM_OK;
    pthread_mutex_unlock(&run->lock);
    if (failed || e->task(e->user, k, &run->bench[number], &err) == EBM_OK)
        return;
    pthread_mutex_lock(&run->lock);
    if (run->error.status == EBM_OK)
        run->error = err;
    pthread_mutex_unlock(&run->lock);
}

ebm_status ebmt__op_each(ebmt__op_run *run, int32_t n, ebmt__op_task task, void *user,
                         ebm_error *err)
{
    each e = {run, task, user};
    ebmt_pool_run(run->pool, n, run_one, &e);
    if (run->error.status != EBM_OK && err && err->status == EBM_OK)
        *err = run->error;
    return run->error.status;
}

ebm_status ebmt__op_write(const ebmt__op_run *run, const char *name, const uint8_t *pixels,
                          const ebm_receipt *receipt, char *sha256, ebm_error *err)
{
    ebm_image image = {run->shape.width, run->shape.height, run->shape.channels, NULL};
    ebm_png_text text = {.key = EBM_RECEIPT_KEY};
    char path[4096], *json = NULL;
    unsigned char *png = NULL;
    size_t size = 0;
    int n = snprintf(path, sizeof path, "%s/%s", run->args->out, name);
    memcpy(&image.pixels, &pixels, sizeof pixels);
    ebm_status st = EBM_OK;
    if (n < 0 || (size_t)n >= sizeof path)
        return ebm_error_set(err, EBM_ERR_ARG, "--out", "the path is too long");
    if (receipt)
        st = ebm_receipt_text(receipt, &json, err);
    text.text = json;
    if (st == EBM_OK)
        st = ebm_png_encode(&image, &text, receipt != NULL, &png, &size, err);
    if (st == EBM_OK)
        st = ebm_file_write(path, png, size, err);
    if (st == EBM_OK && sha256)
        ebm_sha256_hex(png, size, sha256);
    ebm_free(png);
    ebm_free(json);
    return st;
}

void ebmt__op_print_number(const char *name, double value)
{
    if (isfinite(value))
        (void)printf(",\"%s\":%.9g", name, value);
    else
        (void)printf(",\"%s\":null", name);
}
