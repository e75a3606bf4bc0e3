/* `ebm train-classifier`: makes the ruler that `ebm eval` measures with. No mathematics here. */
#include <math.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/real_images.h"
#include "ebm/io.h"
#include "ebmt/classifier.h"

typedef struct classifier_args {
    ebmt__real_args real;
    const char *out;
    int32_t epochs, batch, threads;
    int64_t seed;
    double lr;
} classifier_args;

#define AT(member) offsetof(classifier_args, member)

static const ebmt_option rows[] = {
    EBMT_GROUP("Data"),
    {"--data", EBMT_OPT_STRING, AT(real.data.options.path), 0, 0, NULL, "PATH",
     "labelled images: IDX or CIFAR-10 (docs/data.md)", true},
    EBMT_REAL_ROWS(AT(real)),

    EBMT_GROUP("Run"),
    {"--out", EBMT_OPT_STRING, AT(out), 0, 0, NULL, "DIR",
     "where classifier.json and classifier.safetensors go; made if missing", true},
    {"--epochs", EBMT_OPT_INT, AT(epochs), 1, 1000, NULL, "epochs", "passes over the training set",
     false},
    {"--batch", EBMT_OPT_INT, AT(batch), 16, 4096, NULL, "images", "a multiple of 16", false},
    {"--lr", EBMT_OPT_REAL, AT(lr), 1e-8, 1, NULL, "", "Adam's step at its highest", false},
    {"--seed", EBMT_OPT_INT64, AT(seed), 0, 9007199254740991.0, NULL, "",
     "of the first weights and the order of images", false},
    {"--threads", EBMT_OPT_INT, AT(threads), 1, 256, NULL, "threads", "threads; change no bit",
     false},
};

static const ebmt_command command = {
    .name = "train-classifier",
    .summary = "Trains the small image classifier on whose features `ebm eval` measures.",
    .options = rows,
    .n_options = sizeof rows / sizeof rows[0],
};

static void on_note(void *user, const char *line)
{
    (void)user;
    (void)fprintf(stderr, "%s\n", line);
}

static void tell(const char *out, const ebmt_classifier_info *info)
{
    (void)printf("%s: %d classes, accuracy %.4f (train) ", out, info->classes,
                 info->train_accuracy);
    if (isfinite(info->test_accuracy))
        (void)printf("%.4f (test)", info->test_accuracy);
    else
        (void)printf("- (test)"); /* of images without labels */
    (void)printf(", weights %s\n", info->sha256);
}

static ebm_status train(const classifier_args *a, const ebmt_dataset *data,
                        const ebmt_dataset *test, ebm_error *err)
{
    ebmt_classifier_options opt = ebmt_classifier_options_default();
    ebmt_classifier *c = NULL;
    ebmt_pool *pool = NULL;
    opt.epochs = a->epochs;
    opt.batch = a->batch;
    opt.lr = a->lr;
    opt.seed = (uint64_t)a->seed;
    opt.note = on_note;
    ebm_status st = ebmt_pool_create(a->threads, &pool, err);
    if (st == EBM_OK)
        st = ebmt_classifier_train(&opt, data, test, pool, &c, err);
    if (st == EBM_OK)
        st = ebm_dir_make(a->out, err);
    if (st == EBM_OK)
        st = ebmt_classifier_save(c, a->out, err);
    if (st == EBM_OK)
        tell(a->out, ebmt_classifier_describe(c));
    ebmt_classifier_free(c);
    ebmt_pool_free(pool);
    return st;
}

/* Which kinds have labels is known before the first image is read. */
static ebm_status open_labelled(const ebmt__real_args *real, ebmt_dataset *out, ebm_error *err)
{
    const ebmt_data_options options = ebmt__data_options_of(&real->data);
    ebmt_format format;
    ebm_status st = ebmt_data_format(&options, &format, err);
    if (st != EBM_OK)
        return st;
    if (ebmt_format_labelled(format))
        st = ebmt__real_train(real, out, err);
    if (st == EBM_OK && !out->labels)
        st = ebm_error_set(err, EBM_ERR_ARG, "--data",
                           "these images (%s) have no labels, from which a classifier learns; IDX "
                           "and CIFAR-10 can have them, and ebm eval works without a classifier",
                           ebmt_format_name(format));
    return st;
}

int ebmt__cmd_train_classifier(int argc, char **argv)
{
    const ebmt_classifier_options opt = ebmt_classifier_options_default();
    classifier_args args = {.real.data = ebmt__data_args_default(),
                            .epochs = opt.epochs,
                            .batch = opt.batch,
                            .lr = opt.lr,
                            .seed = (int64_t)opt.seed,
                            .threads = ebmt__cli_processors()};
    ebmt_parsed parsed;
    ebmt_dataset data = {0}, test = {0};
    ebm_error err = {0};
    int code;
    if (!ebmt__cli_parse(&command, argc, argv, &args, &parsed, &code))
        return code;
    ebm_status st = open_labelled(&args.real, &data, &err);
    if (st == EBM_OK)
        st = ebmt__real_test(&args.real, &test, &err);
    if (st == EBM_OK)
        st = train(&args, &data, &test, &err);
    ebmt_dataset_clear(&data);
    ebmt_dataset_clear(&test);
    return st == EBM_OK ? EBMT_EXIT_OK : ebmt__cli_fail(command.name, &err);
}
