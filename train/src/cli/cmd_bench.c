/* `ebm bench`: how fast this machine is at gradients, whole samples, single convolutions or
 * training iterations. Decides what is measured and by whom it is asked; measuring is in bench_*.c.
 * As a worker it answers requests line by line, so that a driver can let contenders take turns
 * (tests/bench/README.md). */
#include <stdio.h>
#include <string.h>

#include "cli/bench.h"
#include "cli/cli.h"

#define LINE_BYTES 1024
#define LINE_WORDS 24

static const ebmt_option rows[] = {
    {"--model", EBMT_OPT_STRING, offsetof(ebmt__bench_args, model), 0, 0, NULL, "DIR",
     "model directory, or a directory with reference numbers", false},
    {"--network", EBMT_OPT_STRING, offsetof(ebmt__bench_args, network), 0, 0, NULL, "FIELDS",
     "random network instead: ch=64,mult=1:2:2,blocks=2,size=28,channels=1; also unet, silu",
     false},
    {"--batch", EBMT_OPT_INT, offsetof(ebmt__bench_args, batch), 1, 65536, NULL, "images",
     "images of one round, shared out evenly; with fewer than threads, threads share a pass",
     false},
    {"--threads", EBMT_OPT_INT, offsetof(ebmt__bench_args, threads), 1, 256, NULL, "threads",
     "threads", false},
    {"--seconds", EBMT_OPT_REAL, offsetof(ebmt__bench_args, seconds), 0.001, 3600, NULL, "seconds",
     "time to measure for, everything together", false},
    {"--kernels", EBMT_OPT_STRING, offsetof(ebmt__bench_args, kernels), 0, 0, NULL, "SET",
     "kernel set; the best of this CPU if absent", false},
    {"--gradient", EBMT_OPT_FLAG, offsetof(ebmt__bench_args, gradient), 0, 0, NULL, "",
     "measure gradients alone, no forward passes", false},
    {"--sample", EBMT_OPT_FLAG, offsetof(ebmt__bench_args, sample), 0, 0, NULL, "",
     "measure whole images: every step of every level", false},
    {"--layers", EBMT_OPT_FLAG, offsetof(ebmt__bench_args, layers), 0, 0, NULL, "",
     "measure each different convolution by itself, on one thread", false},
    {"--train", EBMT_OPT_FLAG, offsetof(ebmt__bench_args, train), 0, 0, NULL, "",
     "measure training iterations, recovery likelihood", false},
    {"--levels", EBMT_OPT_INT, offsetof(ebmt__bench_args, levels), 2, 501, NULL, "levels",
     "noise levels of a random network and of training", false},
    {"--steps", EBMT_OPT_INT, offsetof(ebmt__bench_args, steps), 1, 10000, NULL, "steps",
     "Langevin steps per level, likewise", false},
    {"--json", EBMT_OPT_FLAG, offsetof(ebmt__bench_args, json), 0, 0, NULL, "",
     "print one JSON object on one line", false},
    {"--worker", EBMT_OPT_FLAG, offsetof(ebmt__bench_args, worker), 0, 0, NULL, "",
     "read lines `run FLAG...` without the dashes, answer each in JSON", false},
};

static const ebmt_command command = {
    .name = "bench",
    .summary = "Measures forward and input-gradient passes with all threads busy.",
    .options = rows,
    .n_options = sizeof rows / sizeof rows[0],
};

static ebmt__bench_args defaults(void)
{
    ebmt__bench_args args = {
        .batch = 16, .threads = ebmt__cli_processors(), .levels = 6, .steps = 30, .seconds = 3.0};
    if (args.threads > args.batch)
        args.threads = args.batch;
    return args;
}

static ebm_status check(const ebmt__bench_args *args, ebm_error *err)
{
    int kinds = args->gradient + args->sample + args->layers + args->train;
    if (!args->model == !args->network)
        return ebm_error_set(err, EBM_ERR_ARG, "--model", "this or --network is required%s",
                             args->model ? ", not both" : "");
    if (kinds > 1)
        return ebm_error_set(err, EBM_ERR_ARG, "--gradient",
                             "of this, --sample, --layers and --train only one");
    return EBM_OK;
}

static ebm_status measure(const ebmt__bench_args *args, ebm_error *err)
{
    if (args->layers)
        return ebmt__bench_layers(args, err);
    if (args->train)
        return ebmt__bench_train(args, err);
    return ebmt__bench_passes(args, err);
}

/* --- the worker ----------------------------------------------------------------------------- */

/* "run a=1 b" becomes {"--a=1", "--b"}: the words point into `flags`, where each gets its dashes.
 * Returns their number, or -1. */
static int split_request(char *line, char *flags, char **words)
{
    int n = -1; /* the first word is "run" itself */
    char *rest = NULL;
    for (char *word = strtok_r(line, " \t\r\n", &rest); word;
         word = strtok_r(NULL, " \t\r\n", &rest)) {
        if (n < 0 && strcmp(word, "run") != 0)
            return -1;
        if (n == LINE_WORDS)
            return -1;
        if (n >= 0) {
            size_t length = strlen(word);
            words[n] = flags;
            flags[0] = flags[1] = '-';
            memcpy(flags + 2, word, length + 1);
            flags += length + 3;
        }
        n++;
    }
    return n;
}

static ebm_status answer(char *line, ebm_error *err)
{
    char flags[LINE_BYTES + 3 * LINE_WORDS], *words[LINE_WORDS];
    ebmt__bench_args args = defaults();
    ebmt_parsed parsed;
    int n = split_request(line, flags, words);
    if (n < 0)
        return ebm_error_set(err, EBM_ERR_ARG, "request", "is not `run WORD...`, or too long");
    ebm_status st = ebmt__options_parse(&command, n, words, &args, &parsed, err);
    if (st != EBM_OK)
        return st;
    if (parsed.help || args.worker)
        return ebm_error_set(err, EBM_ERR_ARG, "request", "asks for nothing to measure");
    args.json = true;
    st = check(&args, err);
    return st == EBM_OK ? measure(&args, err) : st;
}

static void print_error(const ebm_error *err)
{
    const char *parts[] = {err->where, ": ", err->text};
    (void)fputs("{\"error\":\"", stdout);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        for (const char *c = parts[i]; *c; c++) {
            bool plain = (unsigned char)*c >= 0x20 && (unsigned char)*c < 0x7f;
            (void)fputc(plain && *c != '"' && *c != '\\' ? *c : '?', stdout);
        }
    (void)fputs("\"}\n", stdout);
}

/* Answers until the input ends. A failed request is answered, too, and the next one is read. */
static int serve(void)
{
    char line[LINE_BYTES];
    (void)printf("READY\n");
    (void)fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        ebm_error err = {0};
        if (!strchr(line, '\n')) /* no telling where the next request begins */
            return EBMT_EXIT_DATA;
        if (answer(line, &err) != EBM_OK)
            print_error(&err);
        (void)fflush(stdout);
    }
    return EBMT_EXIT_OK;
}

int ebmt__cmd_bench(int argc, char **argv)
{
    ebmt__bench_args args = defaults();
    ebmt_parsed parsed;
    ebm_error err = {0};
    int code;
    if (!ebmt__cli_parse(&command, argc, argv, &args, &parsed, &code))
        return code;
    if (args.worker)
        return serve();
    if (check(&args, &err) != EBM_OK)
        return ebmt__cli_usage(command.name, &err);
    return measure(&args, &err) == EBM_OK ? EBMT_EXIT_OK : ebmt__cli_fail(command.name, &err);
}
