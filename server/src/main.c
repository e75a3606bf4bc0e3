/* ebmd: options in, exit code out. Knows no part of the daemon. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon.h"

static void complain(const ebm_error *err)
{
    fprintf(stderr, "ebmd: %s%s%s\n", err->where, err->where[0] ? ": " : "", err->text);
}

int main(int argc, char **argv)
{
    ebmd_options options;
    ebm_error err = {0};
    bool abrupt = false;
    int rc = ebmd_options_parse(argc, (const char *const *)argv, getenv, &options, &err);

    if (rc == EBMD_EX_OK && options.help) {
        ebmd_options_help(stdout);
        return EBMD_EX_OK;
    }
    if (rc == EBMD_EX_OK && options.version) {
        puts("ebmd " EBMD_VERSION);
        return EBMD_EX_OK;
    }
    if (rc == EBMD_EX_OK)
        rc = ebmd_daemon_run(&options, &abrupt, &err);
    if (err.status != EBM_OK)
        complain(&err);
    if (abrupt)
        _exit(rc); /* a worker is stuck; every accepted job is recorded, so this loses nothing */
    return rc;
}
