/* The `ebm` command: finds the sub-command and leaves the rest to it. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

#ifndef EBM_VERSION
#define EBM_VERSION "unknown"
#endif

typedef struct entry {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} entry;

static const entry commands[] = {
    {"train", "train a model by diffusion recovery likelihood", ebmt__cmd_train},
    {"train-classifier", "train the image classifier that eval measures with",
     ebmt__cmd_train_classifier},
    {"eval", "compare images of a model with real ones", ebmt__cmd_eval},
    {"sample", "draw images from a model, or edit one", ebmt__cmd_sample},
    {"inpaint", "repaint the masked part of a picture", ebmt__cmd_inpaint},
    {"mcmc", "run long Markov chains with diagnostics", ebmt__cmd_mcmc},
    {"interpolate", "interpolate between two seeds or two pictures", ebmt__cmd_interpolate},
    {"energy", "tell how likely pictures are to a model", ebmt__cmd_energy},
    {"likelihood", "estimate normalised likelihoods with error bars", ebmt__cmd_likelihood},
    {"verify", "make an image again from its receipt and compare", ebmt__cmd_verify},
    {"check", "compare a kernel set with reference numbers", ebmt__cmd_check},
    {"bench", "measure speed on this machine", ebmt__cmd_bench},
    {"eval2d", "compare a model of points with the density of its data", ebmt__cmd_eval2d},
    {"inspect", "describe a model directory", ebmt__cmd_inspect},
    {"join", "make one model of several that know different noise levels", ebmt__cmd_join},
    {"jobs", "look at jobs of a daemon, wait for them, cancel them", ebmt__cmd_jobs},
    {"probe", "ask a URL whether it answers, for health checks", ebmt__cmd_probe},
};
#define N_COMMANDS (sizeof commands / sizeof commands[0])

static void print_usage(FILE *out)
{
    (void)fprintf(out, "usage: ebm COMMAND [--flag VALUE]...\n\n");
    for (size_t i = 0; i < N_COMMANDS; i++)
        (void)fprintf(out, "  %-16s %s\n", commands[i].name, commands[i].summary);
    (void)fprintf(out, "\n`ebm COMMAND --help` lists the flags of a command; `ebm --version` tells "
                       "the version.\n");
}

/* A descriptor that is closed at the start would be given to the first file that is opened, and
 * messages would end up in a checkpoint. */
static int occupy_standard_streams(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= 2);
    return fd < 0 ? -1 : close(fd);
}

static int dispatch(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_usage(stdout);
        return EBMT_EXIT_OK;
    }
    if (strcmp(name, "--version") == 0) {
        (void)printf("ebm %s\n", EBM_VERSION);
        return EBMT_EXIT_OK;
    }
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(argc - 2, argv + 2);
    }
    (void)fprintf(stderr, "ebm: %s\n", argc > 1 ? "no such command" : "no command given");
    print_usage(stderr);
    return EBMT_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    if (occupy_standard_streams() != 0)
        return EBMT_EXIT_OS;
    int code = dispatch(argc, argv);
    /* a full disk behind stdout shows here and nowhere else */
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == EBMT_EXIT_OK)
        return EBMT_EXIT_IO;
    return code;
}
