/* Training of the classifier: batches in the order of counters, gradients in fixed shards, Adam,
 * a moving average of the weights. Has never heard of files. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ebm/memory.h"
#include "ebm/rng.h"
#include "ebmt/train.h"
#include "eval/classifier_internal.h"
#include "optim/adam.h"

/* Iterations over which the step size rises. */
#define WARM_UP 100
/* Longest memory of the moving average; it starts shorter. */
#define AVERAGE 0.998

ebmt_classifier_options ebmt_classifier_options_default(void)
{
    ebmt_classifier_options opt = {.epochs = 8, .batch = 32, .lr = 1e-3, .seed = 1};
    return opt;
}

typedef struct training {
    const ebmt_classifier_options *opt;
    const ebmt_dataset *data;
    ebmt_classifier *c;
    ebmt_pool *pool;
    ebmt_config adam; /* what Adam and the moving average read */
    ebmt_state state;
    ebmt_order *order;
    int64_t iterations;
    int32_t shards;
    int64_t *index;             /* [batch] */
    float *grads;               /* [shards, n_params] */
    double *losses;             /* [shards] */
    ebmt__net_scratch *scratch; /* [workers] */
} training;

/* --- checks and facts ---------------------------------------------------------------------- */

static ebm_status check_options(const ebmt_classifier_options *o, const ebmt_dataset *train,
                                const ebmt_dataset *test, ebm_error *err)
{
    if (o->epochs < 1 || o->epochs > 1000)
        return ebm_error_set(err, EBM_ERR_RANGE, "epochs", "%d, allowed 1..1000", o->epochs);
    if (o->batch < EBMT_NET_IMAGES || o->batch > 4096 || o->batch % EBMT_NET_IMAGES != 0)
        return ebm_error_set(err, EBM_ERR_RANGE, "batch", "%d, allowed multiples of %d up to 4096",
                             o->batch, EBMT_NET_IMAGES);
    if (!(o->lr > 0.0 && o->lr <= 1.0))
        return ebm_error_set(err, EBM_ERR_RANGE, "lr", "must be over 0 and at most 1");
    if (!train->labels)
        return ebm_error_set(err, EBM_ERR_ARG, "labels", "the training set has none");
    if (test && (test->channels != train->channels || test->height != train->height ||
                 test->width != train->width))
        return ebm_error_set(err, EBM_ERR_SHAPE, "test",
                             "images of another size than the "
                             "training set's");
    return EBM_OK;
}

static int32_t count_classes(const ebmt_dataset *data)
{
    int32_t top = 0;
    for (int64_t i = 0; i < data->count; i++)
        top = data->labels[i] > top ? data->labels[i] : top;
    return top + 1;
}

/* Mean and standard deviation of each channel; sums of bytes are exact. */
static void measure_pixels(const ebmt_dataset *data, ebmt_classifier_info *info)
{
    const int64_t pixels = (int64_t)data->height * data->width;
    for (int32_t c = 0; c < data->channels; c++) {
        uint64_t sum = 0, squares = 0;
        for (int64_t i = 0; i < data->count; i++) {
            const uint8_t *p = data->pixels + (i * data->channels + c) * pixels;
            for (int64_t k = 0; k < pixels; k++) {
                sum += p[k];
                squares += (uint64_t)p[k] * p[k];
            }
        }
        double n = (double)(data->count * pixels), mean = (double)sum / n;
        double variance = (double)squares / n - mean * mean;
        info->mean[c] = (float)(mean / 255.0);
        /* one gray level: a channel without variation stays finite */
        info->std[c] = (float)(sqrt(variance > 1.0 ? variance : 1.0) / 255.0);
    }
}

static ebmt_classifier_info describe(const ebmt_classifier_options *opt, const ebmt_dataset *train,
                                     const ebmt_dataset *test)
{
    ebmt_classifier_info info = {.channels = train->channels,
                                 .height = train->height,
                                 .width = train->width,
                                 .classes = count_classes(train),
                                 .epochs = opt->epochs,
                                 .seed = opt->seed,
                                 .train_count = train->count,
                                 .test_count = test ? test->count : 0,
                                 .train_accuracy = NAN,
                                 .test_accuracy = NAN};
    measure_pixels(train, &info);
    return info;
}

/* --- one iteration ------------------------------------------------------------------------- */

/* Up along a line, down along half a cosine. */
static double learning_rate(const training *t, int64_t iteration)
{
    double part = (double)iteration / (double)t->iterations;
    double lr = t->opt->lr * 0.5 * (1.0 + cos(3.141592653589793 * part));
    return iteration < WARM_UP ? lr * (double)(iteration + 1) / WARM_UP : lr;
}

/* A step of at most one pixel in each direction, so that no image is seen twice the same: it costs
 * nothing and keeps the classifier from learning images by heart. */
static ebmt__shift draw_shift(const training *t, int64_t sample)
{
    const ebm_stream stream = {.seed = t->opt->seed,
                               .purpose = EBM_PURPOSE_AUGMENT,
                               .chain = (uint32_t)sample,
                               .step = (uint32_t)t->state.iteration};
    uint32_t word = ebm_rng_word(&stream, 0);
    return (ebmt__shift){(int32_t)(word % 3) - 1, (int32_t)(word / 3 % 3) - 1};
}

static void shard_task(void *user, int32_t shard, int32_t worker)
{
    training *t = user;
    const ebmt__net *net = &t->c->net;
    ebmt__net_scratch *s = &t->scratch[worker];
    float *grad = t->grads + (size_t)shard * net->n_params;
    uint8_t labels[EBMT_NET_IMAGES];
    size_t floats = (size_t)t->data->channels * (size_t)t->data->height * (size_t)t->data->width;
    for (size_t k = 0; k < EBMT_NET_IMAGES; k++) {
        int64_t sample = t->index[(size_t)shard * EBMT_NET_IMAGES + k];
        labels[k] = t->data->labels[sample];
        ebmt__classifier_input(t->c, t->data, sample, draw_shift(t, sample), s->x + k * floats);
    }
    memset(grad, 0, net->n_params * sizeof *grad);
    ebmt__net_forward(net, t->state.params, s);
    t->losses[shard] = ebmt__net_backward(net, t->state.params, s, labels, grad);
}

/* Adds up in the order of shards, so that threads change no bit. Returns the mean loss. */
static double gather(training *t)
{
    const size_t n = t->c->net.n_params;
    const float scale = 1.0f / (float)t->opt->batch;
    double loss = t->losses[0];
    for (int32_t k = 1; k < t->shards; k++) {
        const float *from = t->grads + (size_t)k * n;
        loss += t->losses[k];
        for (size_t i = 0; i < n; i++)
            t->grads[i] += from[i];
    }
    for (size_t i = 0; i < n; i++)
        t->grads[i] *= scale;
    return loss / t->opt->batch;
}

static double iterate(training *t, int64_t iteration)
{
    ebmt_order_batch(t->order, iteration, t->opt->batch, t->index);
    ebmt_pool_run(t->pool, t->shards, shard_task, t);
    double loss = gather(t);
    ebmt__adam_step(&t->adam, learning_rate(t, iteration), t->grads, &t->state);
    t->state.iteration = iteration + 1;
    ebmt__ema_step(&t->adam, &t->state);
    return loss;
}

static void note(const training *t, int64_t epoch, double loss)
{
    char line[96];
    (void)snprintf(line, sizeof line, "epoch %lld of %d: mean loss %.4f", (long long)epoch,
                   t->opt->epochs, loss);
    if (t->opt->note)
        t->opt->note(t->opt->user, line);
}

static ebm_status run(training *t, ebm_error *err)
{
    const int64_t per_epoch = (t->iterations + t->opt->epochs - 1) / t->opt->epochs;
    double sum = 0.0;
    for (int64_t i = 0; i < t->iterations; i++) {
        double loss = iterate(t, i);
        if (!isfinite(loss))
            return ebm_error_set(err, EBM_ERR_DIVERGED, "classifier",
                                 "the loss of iteration %lld is not finite: lower the step size",
                                 (long long)i);
        sum += loss;
        int64_t done = i % per_epoch + 1;
        if (done == per_epoch || i + 1 == t->iterations) {
            note(t, i / per_epoch + 1, sum / (double)done);
            sum = 0.0;
        }
    }
    memcpy(t->c->params, t->state.ema, t->c->net.n_params * sizeof(float));
    return EBM_OK;
}

/* --- setting up ---------------------------------------------------------------------------- */

static ebm_status prepare_buffers(training *t, int32_t workers, ebm_error *err)
{
    ebm_status st = EBM_OK;
    t->index = ebm_alloc((size_t)t->opt->batch, sizeof *t->index);
    t->grads = ebm_alloc((size_t)t->shards, t->c->net.n_params * sizeof(float));
    t->losses = ebm_alloc((size_t)t->shards, sizeof *t->losses);
    t->scratch = ebm_alloc((size_t)workers, sizeof *t->scratch);
    if (!t->index || !t->grads || !t->losses || !t->scratch)
        return ebm_error_set(err, EBM_ERR_NOMEM, "classifier", "no memory to train");
    for (int32_t i = 0; i < workers && st == EBM_OK; i++)
        st = ebmt__net_scratch_init(&t->c->net, &t->scratch[i], err);
    return st;
}

static ebm_status prepare(training *t, ebm_error *err)
{
    t->shards = t->opt->batch / EBMT_NET_IMAGES;
    t->iterations = (int64_t)t->opt->epochs * t->data->count / t->opt->batch;
    t->iterations = t->iterations > 0 ? t->iterations : 1;
    t->adam = ebmt_config_default();
    t->adam.ema = AVERAGE;
    t->adam.ema_ramp = true;
    ebm_status st =
        ebmt_state_init(&(ebmt_state_sizes){.params = t->c->net.n_params}, &t->state, err);
    if (st == EBM_OK)
        st = ebmt_order_create(t->data->count, t->opt->seed, &t->order, err);
    if (st == EBM_OK)
        st = prepare_buffers(t, ebmt_pool_threads(t->pool), err);
    if (st == EBM_OK) {
        ebmt__net_init(&t->c->net, t->opt->seed, t->state.params);
        memcpy(t->state.ema, t->state.params, t->c->net.n_params * sizeof(float));
    }
    return st;
}

static void clear(training *t)
{
    for (int32_t i = 0; t->scratch && i < ebmt_pool_threads(t->pool); i++)
        ebmt__net_scratch_clear(&t->scratch[i]);
    ebm_free(t->scratch);
    ebm_free(t->losses);
    ebm_free(t->grads);
    ebm_free(t->index);
    ebmt_order_free(t->order);
    ebmt_state_clear(&t->state);
}

static ebm_status measure(const training *t, const ebmt_dataset *data, double *accuracy,
                          ebm_error *err)
{
    ebmt_embedding e;
    if (!data || !data->labels)
        return EBM_OK;
    ebm_status st = ebmt_classifier_embed(t->c, data, t->pool, &e, err);
    if (st == EBM_OK)
        *accuracy = ebmt_embedding_accuracy(&e, data->labels);
    ebmt_embedding_clear(&e);
    return st;
}

ebm_status ebmt_classifier_train(const ebmt_classifier_options *opt, const ebmt_dataset *train,
                                 const ebmt_dataset *test, ebmt_pool *pool, ebmt_classifier **out,
                                 ebm_error *err)
{
    training t = {.opt = opt, .data = train, .pool = pool};
    *out = NULL;
    ebm_status st = check_options(opt, train, test, err);
    if (st != EBM_OK)
        return st;
    const ebmt_classifier_info info = describe(opt, train, test);
    st = ebmt__classifier_create(&info, &t.c, err);
    if (st != EBM_OK)
        return st;
    ebmt__blas_single_thread();
    st = prepare(&t, err);
    if (st == EBM_OK)
        st = run(&t, err);
    if (st == EBM_OK)
        st = measure(&t, train, &t.c->info.train_accuracy, err);
    if (st == EBM_OK)
        st = measure(&t, test, &t.c->info.test_accuracy, err);
    clear(&t);
    if (st == EBM_OK)
        *out = t.c;
    else
        ebmt_classifier_free(t.c);
    return st;
}
