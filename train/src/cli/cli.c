/* Replies and small services that every command needs. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

static int exit_status(ebm_status st)
{
    switch (st) {
    case EBM_OK:
        return EBMT_EXIT_OK;
    case EBM_ERR_ARG:
        return EBMT_EXIT_USAGE;
    case EBM_ERR_NOT_FOUND:
        return EBMT_EXIT_NO_INPUT;
    case EBM_ERR_RANGE:
    case EBM_ERR_SHAPE:
    case EBM_ERR_FORMAT:
    case EBM_ERR_LIMIT:
    case EBM_ERR_DIGEST:
    case EBM_ERR_DIVERGED:
        return EBMT_EXIT_DATA;
    case EBM_ERR_IO:
        return EBMT_EXIT_IO;
    case EBM_ERR_NOMEM:
        return EBMT_EXIT_OS;
    case EBM_ERR_UNSUPPORTED:
        return EBMT_EXIT_UNAVAILABLE;
    case EBM_ERR_BAD_STATE:
        return EBMT_EXIT_TEMP_FAIL;
    case EBM_ERR_CANCELLED:
    case EBM_ERR_INTERNAL:
        break;
    }
    return EBMT_EXIT_INTERNAL;
}

/* Names of files and flags come from outside: no byte of them may drive the terminal. */
static void print_safely(const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f)
            (void)fprintf(stderr, "\\x%02x", c);
        else
            (void)fputc(c, stderr);
    }
}

void ebmt__cli_say(const char *command, const ebm_error *err)
{
    (void)fprintf(stderr, "ebm %s: ", command);
    if (err->where[0]) {
        print_safely(err->where);
        (void)fputs(": ", stderr);
    }
    print_safely(err->text[0] ? err->text : ebm_status_name(err->status));
    (void)fputc('\n', stderr);
}

int ebmt__cli_fail(const char *command, const ebm_error *err)
{
    ebmt__cli_say(command, err);
    return exit_status(err->status);
}

ebm_status ebmt__cli_blame(const char *flag, const char *path, const ebm_error *why, ebm_error *err)
{
    enum { SHOWN = 120 }; /* of a long path the end tells more */
    const size_t n = strlen(path), w = strlen(why->where);
    const bool is_path = w <= n && strcmp(path + n - w, why->where) == 0;
    return ebm_error_set(err, why->status, flag, "%s%s: %s%s%.200s", n > SHOWN ? "..." : "",
                         n > SHOWN ? path + n - SHOWN : path, is_path ? "" : why->where,
                         is_path ? "" : ": ", why->text);
}

int ebmt__cli_usage(const char *command, const ebm_error *err)
{
    (void)ebmt__cli_fail(command, err);
    (void)fprintf(stderr, "usage: ebm %s [--flag VALUE]...; `ebm %s --help` lists the flags\n",
                  command, command);
    return EBMT_EXIT_USAGE;
}

bool ebmt__cli_parse(const ebmt_command *command, int argc, char **argv, void *values,
                     ebmt_parsed *parsed, int *code)
{
    ebm_error err = {0};
    if (ebmt__options_parse(command, argc, argv, values, parsed, &err) != EBM_OK) {
        ebmt__options_clear(parsed);
        /* a file of flags that is missing or damaged is no mistake in a flag */
        const bool flag = err.status == EBM_ERR_ARG || err.status == EBM_ERR_RANGE;
        *code = flag ? ebmt__cli_usage(command->name, &err) : ebmt__cli_fail(command->name, &err);
        return false;
    }
    if (parsed->help) {
        ebmt__options_help(command, values, stdout);
        *code = EBMT_EXIT_OK;
        return false;
    }
    return true;
}

ebm_status ebmt__cli_kernels(const char *flag, const ebm_kernels **out, ebm_error *err)
{
    ebm_error inner = {0};
    ebm_status st = ebm_kernels_select(flag, out, &inner);
    if (st == EBM_OK)
        return EBM_OK;
    /* a set that does not exist is a mistake in the flag, not a missing file */
    return ebm_error_set(err, st == EBM_ERR_NOT_FOUND ? EBM_ERR_ARG : st,
                         strcmp(inner.where, "kernels") == 0 ? "--kernels" : inner.where, "%s",
                         inner.text);
}

ebm_status ebmt__cli_draw_seed(int64_t *seed, ebm_error *err)
{
    uint64_t word;
    if (getrandom(&word, sizeof word, 0) != (ssize_t)sizeof word)
        return ebm_error_set(err, EBM_ERR_UNSUPPORTED, "--seed", "the system gave no randomness");
    *seed = (int64_t)(word >> 11); /* 53 bits */
    return EBM_OK;
}

double ebmt__cli_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int32_t ebmt__cli_processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 256 ? 256 : (int32_t)n;
}
