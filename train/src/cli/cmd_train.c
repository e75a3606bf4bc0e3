/* `ebm train`: data into memory, progress onto the terminal, signals into an orderly end.
 * No mathematics here. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/open_any.h"
#include "cli/train_data.h"
#include "cli/train_flags.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "report/progress.h"
#include "save/checkpoint_dir.h"

/* Points are read from no file, and have a network of their own. */
static ebm_status check_toy(const ebmt_train_args *a, ebm_error *err)
{
    static const char *const flags[] = {"--architecture", "--data-format", "--image-size",
                                        "--channels",     "--crop",        "--strict",
                                        "--cache-mib",    "--flip"};
    if (!ebmt__train_data_is_toy(a->data.options.path))
        return EBM_OK;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (ebmt__option_given(&ebmt__train_command, &a->parsed, flags[i]))
            return ebm_error_set(err, EBM_ERR_ARG, flags[i], "is for images, not for points");
    return EBM_OK;
}

/* What is given and changes nothing is most often a mistake. */
static ebm_status check_idle(const ebmt_train_args *a, ebm_error *err)
{
    static const char *const no_chains = "there are no --persistent-chains";
    static const char *const no_hybrid = "is for --objective hybrid";
    static const char *const no_fall =
        "the step falls only with --lr-decay-from and --lr-final below 1";
    static const char *const no_steps = "levels with normal transitions have no Langevin steps";
    const ebmt_config *c = &a->config;
    const bool chains = c->persistent_chains > 0, hybrid = c->objective == EBMT_HYBRID;
    const bool falls = c->lr_decay_from < 1.0 && c->lr_final < 1.0;
    const bool steps = c->step_rule != EBMT_STEPS_NORMAL;
    const bool geometric = c->schedule_kind == EBMT_SCHEDULE_GEOMETRIC;
    const struct {
        const char *flag;
        bool used;
        const char *why;
    } rows[] = {
        {"--persistent-visits", chains, no_chains},
        {"--persistent-moves", chains, no_chains},
        {"--persistent-leapfrog", chains, no_chains},
        {"--persistent-weight", chains, no_chains},
        {"--warm-start", hybrid, no_hybrid},
        {"--rl-share", hybrid, no_hybrid},
        {"--rl-weight", hybrid, no_hybrid},
        {"--rl-weight-low", hybrid, no_hybrid},
        {"--rl-weight-top", hybrid, no_hybrid},
        {"--matching-reach", c->objective != EBMT_RECOVERY, "is for matching, and for the hybrid"},
        {"--matching-reach", steps, "matching of normal transitions looks at x_{t+1} alone"},
        {"--lr-decay", falls, no_fall},
        {"--lr-decay-from", falls || c->lr_decay_from >= 1.0, no_fall},
        {"--lr-final", falls || c->lr_final >= 1.0, no_fall},
        {"--ratio-min", geometric, "is for --schedule geometric"},
        {"--ratio-max", geometric, "is for --schedule geometric"},
        {"--beta-first", !geometric, "is not for --schedule geometric"},
        {"--beta-last", !geometric, "is not for --schedule geometric"},
        {"--schedule-base", c->schedule_kind == EBMT_SCHEDULE_PAPER, "is for --schedule paper"},
        {"--langevin-steps", steps, no_steps},
        {"--sampling-factor", steps, no_steps},
        {"--b2", c->step_rule == EBMT_STEPS_PAPER, "is for --step-rule paper"},
        {"--kappa", c->step_rule == EBMT_STEPS_VARIANCE, "is for --step-rule variance"},
        {"--steps-low", c->step_rule == EBMT_STEPS_VARIANCE, "is for --step-rule variance"},
        {"--curvature-share", c->step_rule == EBMT_STEPS_CURVATURE, "is for --step-rule curvature"},
        {"--leaky-slope", c->network.activation == EBM_ACT_LEAKY_RELU,
         "is for --activation leaky_relu"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!rows[i].used && ebmt__option_given(&ebmt__train_command, &a->parsed, rows[i].flag))
            return ebm_error_set(err, EBM_ERR_ARG, rows[i].flag, "%s", rows[i].why);
    return EBM_OK;
}

/* An earlier run's checkpoints, or its model, are hours of work: nobody overwrites them by a
 * forgotten flag. A run that goes on is held to what it has recorded, idle flags of earlier builds
 * among it. */
static ebm_status check_out(const ebmt_train_args *a, ebm_error *err)
{
    int64_t newest = -1;
    ebm_status st = ebmt__checkpoint_newest(a->out, &newest, err);
    if (st == EBM_OK && newest < 0) {
        if (!a->resume && ebmt__holds_model(a->out))
            return ebm_error_set(err, EBM_ERR_ARG, "--out",
                                 "holds a model: give another directory");
        st = check_toy(a, err);
        return st == EBM_OK ? check_idle(a, err) : st;
    }
    if (st == EBM_OK && !a->resume && newest >= 0)
        return ebm_error_set(err, EBM_ERR_ARG, "--out",
                             "holds a checkpoint of iteration %lld: give --resume, or another "
                             "directory",
                             (long long)newest);
    return st;
}

/* --- the terminal -------------------------------------------------------------------------- */

/* Set by the handler, which can be told nothing: the one writable global. Blocking the signals and
 * asking for pending ones would need none, but libraries have threads of their own by then, and
 * the signal would go to one of those. */
static volatile sig_atomic_t stop_requested;

static void on_signal(int signal_number)
{
    (void)signal_number;
    stop_requested = 1;
}

/* After one signal the next has its usual effect, for those who cannot wait. */
static void catch_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = (int)SA_RESETHAND | SA_RESTART;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

/* What the hooks need. */
typedef struct console {
    ebmt_progress progress;
    bool silent; /* one process of a group talks, all hear signals */
} console;

static bool on_report(void *user, const ebmt_report *report)
{
    console *s = user;
    if (!s->silent)
        ebmt__progress_update(&s->progress, report, ebmt__cli_now());
    if (stop_requested && !s->silent)
        ebmt__progress_note(&s->progress, "stopping: saving a checkpoint");
    return !stop_requested;
}

static void on_note(void *user, const char *line)
{
    console *s = user;
    ebmt__progress_note(&s->progress, line);
}

static int32_t terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 80;
    return size.ws_col;
}

/* --- the run ------------------------------------------------------------------------------- */

/* "ebm train" and its words, for the manifest; NULL without memory. @own ebm_free() */
static char *join_words(int argc, char **argv)
{
    size_t room = sizeof "ebm train";
    for (int i = 0; i < argc; i++)
        room += strlen(argv[i]) + 1;
    char *line = ebm_alloc(room, 1);
    if (!line)
        return NULL;
    size_t at = (size_t)snprintf(line, room, "ebm train");
    for (int i = 0; i < argc; i++)
        at += (size_t)snprintf(line + at, room - at, " %s", argv[i]);
    return line;
}

/* Sets of equal number and size are told apart by a few images from all over them: a run that went
 * on with others would not notice. */
static ebm_status digest_data(const ebmt_dataset *data, char out[65], ebm_error *err)
{
    enum { IMAGES = 16 };
    const size_t dim = (size_t)data->channels * (size_t)data->height * (size_t)data->width;
    float *x = ebm_alloc(IMAGES * dim, sizeof *x);
    ebm_status st =
        x ? EBM_OK : ebm_error_set(err, EBM_ERR_NOMEM, "--data", "no memory for its digest");
    for (int64_t i = 0; i < IMAGES && st == EBM_OK; i++)
        st = ebmt_dataset_get(data, i * data->count / IMAGES, false, x + (size_t)i * dim, err);
    if (st == EBM_OK)
        ebm_sha256_hex(x, IMAGES * dim * sizeof *x, out);
    ebm_free(x);
    return st;
}

static ebm_status fit_to_data(ebmt_train_args *a, const ebmt_dataset *data, ebm_error *err)
{
    a->config.network.width = data->width;
    a->config.network.height = data->height;
    a->config.network.channels = data->channels;
    a->config.data.images = data->count;
    if (data->channels == 2 && data->height == 1)
        snprintf(a->config.network.architecture, sizeof a->config.network.architecture, "mlp2d");
    if (a->config.batch > data->count)
        return ebm_error_set(err, EBM_ERR_ARG, "--batch", "%d images, the data set has %lld",
                             a->config.batch, (long long)data->count);
    return digest_data(data, a->config.data.sha256, err);
}

/* The model to start from becomes part of the configuration, by its digest. @own opt->init */
static ebm_status open_init(const ebmt_train_args *a, ebmt_run_options *opt, ebm_error *err)
{
    if (!a->init_from)
        return EBM_OK;
    ebm_status st = ebmt__open_model("--init-from", a->init_from, opt->kernels, &opt->init, err);
    if (st == EBM_OK)
        memcpy(opt->config.init_sha256, ebm_model_describe(opt->init)->sha256,
               sizeof opt->config.init_sha256);
    return st;
}

/* What a run is made of beside its flags. */
typedef struct parts {
    ebmt_group *group;
    ebmt_train_data data;
    char *command_line;
} parts;

static ebm_status run(const ebmt_train_args *a, const parts *p, ebm_error *err)
{
    console screen = {.silent = ebmt_group_rank(p->group) != 0};
    ebmt_run_options opt = {.config = a->config,
                            .data = &p->data.train,
                            .held_out = p->data.held_out.count > 0 ? &p->data.held_out : NULL,
                            .validation_every = a->validation_every,
                            .out_dir = a->out,
                            .resume = a->resume,
                            .checkpoint_every = a->checkpoint_every,
                            .samples_every = a->samples_every,
                            .threads = a->threads,
                            .group = p->group,
                            .hooks = {.user = &screen, .report = on_report, .note = on_note},
                            .command_line = p->command_line,
                            .title = a->title ? a->title : "",
                            .licence = a->licence ? a->licence : ""};
    ebm_status st = ebmt__cli_kernels(a->kernels, &opt.kernels, err);
    if (st == EBM_OK)
        st = open_init(a, &opt, err);
    if (st != EBM_OK)
        return st;
    ebmt__progress_init(&screen.progress, stderr, isatty(STDERR_FILENO) == 1, terminal_width());
    catch_signals();
    st = ebmt_run(&opt, err);
    ebmt__progress_finish(&screen.progress);
    ebm_model_unref(opt.init);
    return st;
}

static int prepare_out(const ebmt_train_args *a, ebm_error *err)
{
    if (check_out(a, err) != EBM_OK)
        return ebmt__cli_fail(ebmt__train_command.name, err);
    if (ebm_dir_make(a->out, err) != EBM_OK) {
        (void)ebmt__cli_fail(ebmt__train_command.name, err);
        return EBMT_EXIT_CANNOT_CREATE;
    }
    return EBMT_EXIT_OK;
}

/* Processes on one machine share its processors, unless --threads says otherwise. */
static void divide_threads(ebmt_train_args *args, const ebmt_group *group)
{
    int32_t share = args->threads / ebmt_group_beside(group);
    if (!ebmt__option_given(&ebmt__train_command, &args->parsed, "--threads"))
        args->threads = share > 1 ? share : 1;
}

/* Where each process has drawn a seed, the leader's is that of all. What was given stays: seeds
 * that differ are told when settings are compared. */
static ebm_status share_seed(ebmt_train_args *args, ebmt_group *group, ebm_error *err)
{
    uint64_t leader[2] = {args->seed_drawn, args->config.seed};
    ebm_status st = ebmt_group_share(group, 0, leader, sizeof leader, err);
    if (st == EBM_OK && args->seed_drawn && leader[0])
        args->config.seed = leader[1];
    return st;
}

static int with_data(ebmt_train_args *args, parts *p)
{
    ebm_error err = {0};
    bool leader = ebmt_group_rank(p->group) == 0;
    const ebmt_data_options data = ebmt__data_options_of(&args->data);
    ebm_status st = ebmt__train_data_open(&data, args->validation_every > 0, &p->data, &err);
    if (st == EBM_OK)
        st = fit_to_data(args, &p->data.train, &err);
    if (st != EBM_OK)
        return ebmt__cli_fail(ebmt__train_command.name, &err);
    int code = leader ? prepare_out(args, &err) : EBMT_EXIT_OK;
    if (code != EBMT_EXIT_OK)
        return code;
    if (leader)
        ebmt__train_data_tell(&p->data);
    if (run(args, p, &err) != EBM_OK)
        code = ebmt__cli_fail(ebmt__train_command.name, &err);
    ebmt__train_data_tell_damage(&p->data);
    return code;
}

/* Everything behind the flags. */
static int train(ebmt_train_args *args, int argc, char **argv)
{
    ebm_error err = {0};
    parts p = {NULL};
    if (ebmt_group_join(&p.group, &err) != EBM_OK)
        return ebmt__cli_fail(ebmt__train_command.name, &err);
    divide_threads(args, p.group);
    p.command_line = join_words(argc, argv);
    int code = share_seed(args, p.group, &err) == EBM_OK
                   ? with_data(args, &p)
                   : ebmt__cli_fail(ebmt__train_command.name, &err);
    ebm_free(p.command_line);
    ebmt__train_data_clear(&p.data);
    ebmt_group_leave(p.group, code != EBMT_EXIT_OK);
    return code;
}

int ebmt__cmd_train(int argc, char **argv)
{
    ebmt_train_args args;
    int code;
    if (ebmt__train_flags_parse(argc, argv, &args, &code))
        code = train(&args, argc, argv);
    ebmt__train_flags_clear(&args);
    return code;
}
