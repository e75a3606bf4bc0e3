/* The command line and the environment as one table. A flag beats the environment, which beats
 * the default. Knows spellings and bounds; starts nothing. */
#ifndef EBMD_OPTIONS_H
#define EBMD_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "ebm/status.h"

/* Exit codes of sysexits.h that we use. */
enum {
    EBMD_EX_OK = 0,
    EBMD_EX_USAGE = 64,
    EBMD_EX_DATA = 65,
    EBMD_EX_NOINPUT = 66,
    EBMD_EX_UNAVAILABLE = 69,
    EBMD_EX_SOFTWARE = 70,
    EBMD_EX_OS = 71,
    EBMD_EX_CANTCREATE = 73,
    EBMD_EX_IO = 74,
    EBMD_EX_TEMPFAIL = 75,
    EBMD_EX_CONFIG = 78
};

typedef struct ebmd_address {
    char host[256];
    char port[8];
    bool none; /* the listener is switched off */
} ebmd_address;

typedef struct ebmd_options {
    ebmd_address listen, admin;
    char models[4096];
    char store[4096];
    char kernels[32];
    char cors_origins[4096];
    unsigned workers, queue, connections, drain_seconds;
    bool help, version;
} ebmd_options;

/* Fills *out. `lookup` answers for environment variables (getenv, or a test's).
 * Returns an exit code: OK, USAGE (unknown, repeated or incomplete flag), CONFIG (a value out of
 * bounds); err->where names the flag or variable. */
int ebmd_options_parse(int argc, const char *const *argv, char *(*lookup)(const char *),
                       ebmd_options *out, ebm_error *err);
/* Writes the help, made from the table. */
void ebmd_options_help(FILE *out);

#endif
