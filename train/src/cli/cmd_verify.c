/* `ebm verify`: reads the receipt in a PNG, makes the image again and compares the pixels. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/op_draw.h"
#include "cli/op_run.h"
#include "ebm/io.h"
#include "ebm/memory.h"

typedef struct verify_args {
    const char *file, *models, *kernels, *image, *mask, *to_image;
    int32_t threads;
} verify_args;

#define AT(member) offsetof(verify_args, member)

static const ebmt_option rows[] = {
    {"--models", EBMT_OPT_STRING, AT(models), 0, 0, NULL, "DIR",
     "directory that holds the model directories of the receipt", true},
    {"--image", EBMT_OPT_STRING, AT(image), 0, 0, NULL, "PNG",
     "the picture that went in, or that of the first end", false},
    {"--mask", EBMT_OPT_STRING, AT(mask), 0, 0, NULL, "PNG", "the mask that went in", false},
    {"--to-image", EBMT_OPT_STRING, AT(to_image), 0, 0, NULL, "PNG", "the picture of the other end",
     false},
    {"--threads", EBMT_OPT_INT, AT(threads), 1, 256, NULL, "threads", "threads; changes no image",
     false},
    {"--kernels", EBMT_OPT_STRING, AT(kernels), 0, 0, NULL, "SET",
     "kernel set; the best of this CPU if absent", false},
};

static const ebmt_command command = {
    .name = "verify",
    .summary = "Makes an image again from the receipt in its PNG and compares; 1 if it differs.",
    .options = rows,
    .n_options = sizeof rows / sizeof rows[0],
    .argument = "FILE.png",
    .argument_offset = AT(file),
};

typedef struct verification {
    ebmt__op_args op;
    ebmt__op_run run;
    ebm_receipt receipt;
    ebm_image image;
    char model[EBM_COMPOSE_MAX_PARTS * 96];
    uint8_t *again; /* [H,W,C] */
} verification;

static ebm_status read_file(const verify_args *a, verification *v, ebm_error *err)
{
    unsigned char *data = NULL;
    size_t size = 0;
    char *text = NULL;
    ebm_error why = {0};
    ebm_status st = ebm_file_read(NULL, a->file, EBM_PNG_MAX_BYTES, &data, &size, &why);
    if (st == EBM_OK)
        st = ebm_png_decode(data, size, &v->image, &why);
    if (st == EBM_OK)
        st = ebm_png_find_text(data, size, EBM_RECEIPT_KEY, &text, &why);
    if (data)
        why.where[0] = '\0'; /* "png" is of no use beside the file's name */
    if (st == EBM_ERR_NOT_FOUND && data) {
        why = (ebm_error){0};
        st = ebm_error_set(&why, EBM_ERR_FORMAT, NULL, "has no receipt to make it again from");
    }
    if (st == EBM_OK)
        st = ebm_receipt_parse(text, strlen(text), &v->receipt, &why);
    ebm_free(text);
    ebm_free(data);
    return st == EBM_OK ? st : ebmt__cli_blame(NULL, a->file, &why, err);
}

/* The arguments that the command of the receipt would have got. */
static ebm_status rebuild_args(const verify_args *a, verification *v, ebm_error *err)
{
    const ebm_receipt *r = &v->receipt;
    size_t at = 0;
    for (int32_t i = 0; i < r->n_models; i++)
        at += (size_t)snprintf(v->model + at, sizeof v->model - at, "%s%s:%.17g", i ? "," : "",
                               r->model[i].id, r->model[i].weight);
    v->op = (ebmt__op_args){.models = a->models,
                            .model = v->model,
                            .kernels = a->kernels,
                            .threads = a->threads,
                            .params = r->params};
    /* nothing is recorded of the chain here, so the limit on its trace must not meet it */
    if (r->operation->kind == EBM_OP_MCMC)
        v->op.params.thin = r->params.steps;
    v->op.params.image = a->image;
    v->op.params.mask = a->mask;
    v->op.params.image_b = a->to_image;
    if (r->inputs.image[0] && !a->image)
        return ebm_error_set(err, EBM_ERR_ARG, "--image", "is needed: the receipt names a picture");
    if (r->inputs.image_b[0] && !a->to_image)
        return ebm_error_set(err, EBM_ERR_ARG, "--to-image", "is needed: the receipt names one");
    return EBM_OK;
}

static ebm_status check_same(const char *what, const char *now, const char *then, ebm_error *err)
{
    return strcmp(now, then) == 0
               ? EBM_OK
               : ebm_error_set(err, EBM_ERR_DIGEST, what, "is not the one of the receipt");
}

static ebm_status check_inputs(const verification *v, ebm_error *err)
{
    const ebm_receipt *now = &v->run.receipt, *then = &v->receipt;
    const ebm_shape *s = &v->run.shape;
    ebm_status st = check_same("--image", now->inputs.image, then->inputs.image, err);
    if (st == EBM_OK)
        st = check_same("--to-image", now->inputs.image_b, then->inputs.image_b, err);
    if (st == EBM_OK)
        st = check_same("--mask", now->inputs.known, then->inputs.known, err);
    if (st == EBM_OK)
        st = ebm_receipt_same_models(now, then, err);
    if (st != EBM_OK)
        return st;
    if (v->image.width == s->width && v->image.height == s->height &&
        v->image.channels == s->channels)
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_SHAPE, "FILE.png", "is not an image of that model");
}

static ebm_status draw_again(void *user, int32_t k, ebmt__bench *b, ebm_error *err)
{
    verification *v = user;
    const ebm_shape *s = &v->run.shape;
    ebm_status st = ebmt__op_draw(&v->run, &v->run.call, v->receipt.item + k, b, NULL, err);
    if (st == EBM_OK)
        ebm_image_from_tensor(b->x, s->channels, s->height, s->width, v->again);
    return st;
}

static ebm_status run(const verify_args *a, verification *v, ebm_error *err)
{
    ebm_status st = read_file(a, v, err);
    if (st == EBM_OK)
        st = rebuild_args(a, v, err);
    if (st == EBM_OK)
        st = ebmt__op_open(&v->run, v->receipt.operation->kind, &v->op, 1, err);
    if (st == EBM_OK)
        st = check_inputs(v, err);
    if (st == EBM_OK && v->receipt.item >= ebm_call_items(&v->run.call))
        st = ebm_error_set(err, EBM_ERR_RANGE, "item", "is not one of the operation's");
    if (st != EBM_OK)
        return st;
    v->again = ebm_alloc(v->run.dim, 1);
    if (!v->again)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for an image");
    return ebmt__op_each(&v->run, 1, draw_again, v, err);
}

/* Returns the exit status: 0 when every pixel is the same. */
static int report(const verification *v)
{
    size_t differ = 0;
    int most = 0;
    char hex[65];
    for (size_t i = 0; i < v->run.dim; i++) {
        int d = abs((int)v->image.pixels[i] - (int)v->again[i]);
        differ += d > 0;
        most = d > most ? d : most;
    }
    ebm_sha256_hex(v->image.pixels, v->run.dim, hex);
    (void)printf("{\"verified\":%s,\"operation\":\"%s\",\"pixels_differ\":%zu,"
                 "\"largest_difference\":%d,\"receipt_matches_pixels\":%s,"
                 "\"kernel_class\":\"%s\",\"kernel_class_of_receipt\":\"%s\"}\n",
                 differ == 0 ? "true" : "false", v->receipt.operation->name, differ, most,
                 strcmp(hex, v->receipt.pixels_sha256) == 0 ? "true" : "false",
                 v->run.receipt.kernel_class, v->receipt.kernel_class);
    return differ == 0 ? EBMT_EXIT_OK : EBMT_EXIT_FAILED;
}

int ebmt__cmd_verify(int argc, char **argv)
{
    verify_args args = {.threads = ebmt__cli_processors()};
    verification *v = ebm_alloc(1, sizeof *v);
    ebmt_parsed parsed;
    ebm_error err = {0};
    int code;
    if (!v)
        return EBMT_EXIT_OS;
    if (ebmt__cli_parse(&command, argc, argv, &args, &parsed, &code))
        code = run(&args, v, &err) == EBM_OK ? report(v) : ebmt__cli_fail(command.name, &err);
    ebmt__op_close(&v->run);
    ebm_free(v->image.pixels);
    ebm_free(v->again);
    ebm_free(v);
    return code;
}
