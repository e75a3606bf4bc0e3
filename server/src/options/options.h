/* What the operator decides, as one table: command line, environment, configuration file, help
 * and documents are all made from its rows. A flag beats the environment, which beats the file,
 * which beats the default. Knows spellings and bounds; starts nothing. */
#ifndef EBMD_OPTIONS_H
#define EBMD_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "ebm/status.h"
#include "http/listen.h"
#include "http/proxies.h"

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

#define EBMD_PATH_MAX 4096

/* What to do instead of serving. */
typedef enum ebmd_action {
    EBMD_SERVE,
    EBMD_SHOW_HELP,
    EBMD_SHOW_VERSION,
    EBMD_CHECK_CONFIG,
    EBMD_PRINT_CONFIG, /* a configuration file with every option as a comment */
    EBMD_PRINT_TABLE,  /* the same as a table in Markdown */
    EBMD_MAKE_KEY
} ebmd_action;

typedef struct ebmd_options {
    ebmd_address listen, admin;
    char config[EBMD_PATH_MAX]; /* "": no file */
    char models[EBMD_PATH_MAX];
    char store[EBMD_PATH_MAX];
    char kernels[32];
    char cors_origins[4096];
    char api_keys[EBMD_PATH_MAX];                         /* "": nobody needs a key */
    char tls_cert[EBMD_PATH_MAX], tls_key[EBMD_PATH_MAX]; /* "": plain HTTP */
    ebmd_proxies proxies;
    unsigned workers, slots, queue, queue_work, result_ttl, connections, drain_seconds, sync_limit;
    unsigned drain_delay;
    unsigned streams; /* 0: half of the connections */
    unsigned stream_heartbeat;
    unsigned jobs_per_key; /* 0: half of what fits */
    unsigned request_work;
    unsigned slots_mib, queue_mib, result_mib;
    bool playground;
    ebmd_action action;
    const char *key_id; /* for MAKE_KEY; an argument of the command line */
} ebmd_options;

/* Fills *out. `lookup` answers for environment variables (getenv, or a test's). With an action
 * other than SERVE and CHECK_CONFIG nothing else is looked at.
 * Returns an exit code: OK, USAGE (unknown, repeated or incomplete flag), CONFIG (a value out of
 * bounds, an unreadable file); err->where names the flag, the variable or file:line. */
int ebmd_options_parse(int argc, const char *const *argv, char *(*lookup)(const char *),
                       ebmd_options *out, ebm_error *err);

/* How many streams there may be. */
unsigned ebmd_options_streams(const ebmd_options *o);

/* Written from the table: --help, --print-config, --print-options. */
void ebmd_options_help(FILE *out);
void ebmd_options_conf(FILE *out);
void ebmd_options_markdown(FILE *out);

#endif
