/* From a store's name on the command line to its driver. Knows the names, no driver's inside. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/io.h"
#include "store/store.h"

#define SQLITE_PREFIX "sqlite:"
#define PATH_ROOM     4096

bool ebmd_store_spec_valid(const char *spec)
{
    size_t n = strlen(SQLITE_PREFIX);

    if (strcmp(spec, "memory") == 0 || strcmp(spec, "auto") == 0)
        return true;
    return strncmp(spec, SQLITE_PREFIX, n) == 0 && spec[n] != '\0' && strlen(spec) < PATH_ROOM;
}

ebm_status ebmd_store_default_path(char *(*lookup)(const char *), char *out, size_t size,
                                   ebm_error *err)
{
    static const struct {
        const char *variable, *below;
    } places[] = {
        {"STATE_DIRECTORY", ""}, {"XDG_STATE_HOME", "/ebmd"}, {"HOME", "/.local/state/ebmd"}};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const char *base = lookup(places[i].variable);
        int n;

        if (!base || base[0] != '/') /* a relative one would depend on where we were started */
            continue;
        n = snprintf(out, size, "%s%s/jobs.db", base, places[i].below);
        if (n < 0 || (size_t)n >= size)
            return ebm_error_set(err, EBM_ERR_NOT_FOUND, places[i].variable, "path too long");
        return EBM_OK;
    }
    return ebm_error_set(err, EBM_ERR_NOT_FOUND, "--store",
                         "auto needs STATE_DIRECTORY, XDG_STATE_HOME or HOME; or say sqlite:FILE "
                         "or memory");
}

static ebm_status open_default(ebmd_backend **out, ebm_error *err)
{
    char path[PATH_ROOM], dir[PATH_ROOM];
    ebm_error cause = {0};
    ebm_status st = ebmd_store_default_path(getenv, path, sizeof(path), err);

    if (st != EBM_OK)
        return st;
    snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
    if (ebm_dir_make(dir, &cause) != EBM_OK)
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, "--store",
                             "cannot make %s for the job store; say sqlite:FILE or memory", dir);
    return ebmd_backend_sqlite_open(path, out, err);
}

ebm_status ebmd_store_open(const char *spec, const ebmd_limits *limits, ebmd_store **out,
                           ebm_error *err)
{
    ebmd_backend *backend = NULL;
    ebm_status st;

    *out = NULL;
    if (!ebmd_store_spec_valid(spec))
        return ebm_error_set(err, EBM_ERR_ARG, "--store", "must be auto, memory or sqlite:FILE");
    if (strcmp(spec, "memory") == 0)
        st = ebmd_backend_memory_open(&backend, err);
    else if (strcmp(spec, "auto") == 0)
        st = open_default(&backend, err);
    else
        st = ebmd_backend_sqlite_open(spec + strlen(SQLITE_PREFIX), &backend, err);
    return st == EBM_OK ? ebmd_store_local_open(limits, NULL, backend, out, err) : st;
}
