/* ebmd: options in, exit code out. Knows no part of the daemon. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon.h"
#include "http/keys.h"

static void complain(const ebm_error *err)
{
    fprintf(stderr, "ebmd: %s%s%s\n", err->where, err->where[0] ? ": " : "", err->text);
}

/* The key goes to its user, the line into the file; neither is kept here. */
static int make_key(const char *id, ebm_error *err)
{
    char key[EBMD_KEY_TEXT_SIZE], line[EBMD_KEY_TEXT_SIZE];

    if (ebmd_keys_make(id, key, line, err) != EBM_OK)
        return err->status == EBM_ERR_ARG ? EBMD_EX_USAGE : EBMD_EX_OS;
    printf("key:  %s\nline: %s\n", key, line);
    return EBMD_EX_OK;
}

/* Everything that is not serving. @err false: serve */
static bool show(const ebmd_options *options)
{
    switch (options->action) {
    case EBMD_SHOW_HELP:
        ebmd_options_help(stdout);
        return true;
    case EBMD_SHOW_VERSION:
        puts("ebmd " EBMD_VERSION);
        return true;
    case EBMD_PRINT_CONFIG:
        ebmd_options_conf(stdout);
        return true;
    case EBMD_PRINT_TABLE:
        ebmd_options_markdown(stdout);
        return true;
    case EBMD_MAKE_KEY:
    case EBMD_CHECK_CONFIG:
    case EBMD_SERVE:
        break;
    }
    return false;
}

int main(int argc, char **argv)
{
    ebmd_options options;
    ebm_error err = {0};
    bool abrupt = false;
    int rc = ebmd_options_parse(argc, (const char *const *)argv, getenv, &options, &err);

    if (rc == EBMD_EX_OK && show(&options))
        return EBMD_EX_OK;
    if (rc == EBMD_EX_OK && options.action == EBMD_CHECK_CONFIG) {
        rc = ebmd_daemon_check(&options, &err);
        if (rc == EBMD_EX_OK)
            puts("ebmd: the configuration is fine");
    } else if (rc == EBMD_EX_OK && options.action == EBMD_MAKE_KEY) {
        rc = make_key(options.key_id, &err);
    } else if (rc == EBMD_EX_OK) {
        rc = ebmd_daemon_run(&options, &abrupt, &err);
    }
    if (err.status != EBM_OK)
        complain(&err);
    if (abrupt)
        _exit(rc); /* a worker is stuck; every accepted job is recorded, so this loses nothing */
    return rc;
}
