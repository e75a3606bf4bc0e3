/* Times iterations of training: recovery likelihood with every sample's chain, on random images,
 * because pixels do not change the cost. Knows the trainer; reads no data set, writes no file. */
#include <stdio.h>

#include "cli/bench.h"
#include "cli/cli.h"
#include "ebm/memory.h"
#include "ebm/rng.h"
#include "trainer.h"

#define IMAGES 256

typedef struct bench {
    ebmt_run_options options;
    ebmt_dataset data;
    ebmt__trainer *trainer;
    ebm_status status; /* first failure of an iteration */
    ebm_error *err;
} bench;

static void step(void *user)
{
    bench *b = user;
    if (b->status == EBM_OK)
        b->status = ebmt__trainer_step(b->trainer, b->err);
}

static ebm_status make_data(const ebm_network_config *n, ebmt_dataset *out, ebm_error *err)
{
    const ebm_stream stream = {.purpose = EBM_PURPOSE_TEST, .level = 4};
    size_t pixels = (size_t)n->channels * (size_t)n->height * (size_t)n->width, all = 0;
    *out = (ebmt_dataset){
        .count = IMAGES, .channels = n->channels, .height = n->height, .width = n->width};
    if (!ebm_size_mul(pixels, IMAGES, &all) || all > UINT32_MAX)
        return ebm_error_set(err, EBM_ERR_LIMIT, "--network", "images are too large");
    out->pixels = ebm_alloc(all, 1);
    if (!out->pixels)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for images");
    for (size_t i = 0; i < all; i++)
        out->pixels[i] = (uint8_t)ebm_rng_word(&stream, (uint32_t)i);
    return EBM_OK;
}

/* The network is that of --network or of the model; all else is the paper's. */
static ebm_status configure(const ebmt__bench_args *args, ebmt_run_options *out, ebm_error *err)
{
    ebm_model *model = NULL;
    ebm_status st = ebmt__bench_model(args, &model, err);
    if (st != EBM_OK)
        return st;
    *out = (ebmt_run_options){.config = ebmt_config_default(),
                              .threads = args->threads,
                              .kernels = ebm_model_describe(model)->kernels};
    out->config.network = ebm_model_describe(model)->network;
    ebm_model_unref(model);
    out->config.schedule.count = args->levels;
    out->config.schedule.steps = args->steps;
    out->config.batch = args->batch;
    return ebmt_config_check(&out->config, err);
}

static void print(const ebmt__bench_args *args, const bench *b, const ebmt__bench_figures *f)
{
    const ebm_kernels *k = b->options.kernels;
    if (args->json) {
        (void)printf("{\"kernels\":\"%s\",\"kernel_class\":\"%s\",\"threads\":%d,\"batch\":%d,"
                     "\"levels\":%d,\"steps\":%d,\"train_ms_per_iteration\":%.6g,"
                     "\"iterations_per_second\":%.6g,\"train_ms_min\":%.6g,"
                     "\"train_ms_max\":%.6g,\"rounds\":%d}\n",
                     k->name, k->kernel_class, args->threads, args->batch, args->levels,
                     args->steps, f->median, 1e3 / f->median, f->min, f->max, f->rounds);
        return;
    }
    (void)printf("training, kernels %s (%s), %d threads, batch %d, %d levels of %d steps\n",
                 k->name, k->kernel_class, args->threads, args->batch, args->levels, args->steps);
    (void)printf("%.4g iterations/s: %.4f ms/iteration (min %.4f, max %.4f, %d rounds)\n",
                 1e3 / f->median, f->median, f->min, f->max, f->rounds);
}

ebm_status ebmt__bench_train(const ebmt__bench_args *args, ebm_error *err)
{
    bench b = {.status = EBM_OK, .err = err};
    ebmt__bench_figures f = {0};
    ebm_status st = configure(args, &b.options, err);
    if (st != EBM_OK)
        goto out;
    st = make_data(&b.options.config.network, &b.data, err);
    if (st != EBM_OK)
        goto out;
    b.options.data = &b.data;
    st = ebmt__trainer_create(&b.options, "bench", &b.trainer, err);
    if (st != EBM_OK)
        goto out;
    st = ebmt__bench_repeat(args->seconds, 1.0, step, &b, &f, err);
    if (st == EBM_OK)
        st = b.status;
    if (st == EBM_OK)
        print(args, &b, &f);
out:
    ebmt__trainer_free(b.trainer);
    ebmt_dataset_clear(&b.data);
    return st;
}
