/* See checkpoint_dir.h. */
#include "checkpoint_dir.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ebm/memory.h"

#define NAME_PREFIX "checkpoint-"
#define NAME_SUFFIX ".safetensors"
#define KEEP        2
#define MAX_LISTED  100000

/* Returns the iteration that a file name stands for, or -1. Only the spelling that we write is
 * accepted, so that no two names mean the same iteration. */
static int64_t parse_name(const char *name)
{
    char again[64];
    char *end;
    if (strncmp(name, NAME_PREFIX, strlen(NAME_PREFIX)) != 0)
        return -1;
    errno = 0;
    long long value = strtoll(name + strlen(NAME_PREFIX), &end, 10);
    if (errno != 0 || value < 0 || strcmp(end, NAME_SUFFIX) != 0)
        return -1;
    (void)snprintf(again, sizeof again, NAME_PREFIX "%lld" NAME_SUFFIX, value);
    return strcmp(again, name) == 0 ? (int64_t)value : -1;
}

static ebm_status list_add(ebmt__checkpoint_list *list, int64_t iteration, ebm_error *err)
{
    if (list->n == list->room) {
        size_t room = list->room ? 2 * list->room : 16;
        int64_t *grown = list->n < MAX_LISTED ? ebm_alloc(room, sizeof *grown) : NULL;
        if (!grown)
            return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "too many checkpoints to list");
        if (list->n)
            memcpy(grown, list->iteration, list->n * sizeof *grown);
        ebm_free(list->iteration);
        list->iteration = grown;
        list->room = room;
    }
    list->iteration[list->n++] = iteration;
    return EBM_OK;
}

static int newest_first(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x < *y) - (*x > *y);
}

ebm_status ebmt__checkpoints_list(const char *dir, ebmt__checkpoint_list *list, ebm_error *err)
{
    ebm_status st = EBM_OK;
    const struct dirent *entry;
    DIR *d = opendir(dir);
    if (!d)
        return ebm_error_set(err, errno == ENOENT ? EBM_ERR_NOT_FOUND : EBM_ERR_IO, dir,
                             "cannot list the directory: %s", strerror(errno));
    errno = 0;
    while (st == EBM_OK && (entry = readdir(d)) != NULL) {
        int64_t iteration = parse_name(entry->d_name);
        if (iteration >= 0)
            st = list_add(list, iteration, err);
        errno = 0;
    }
    if (st == EBM_OK && errno != 0)
        st = ebm_error_set(err, EBM_ERR_IO, dir, "cannot list the directory: %s", strerror(errno));
    (void)closedir(d);
    if (list->n > 1)
        qsort(list->iteration, list->n, sizeof *list->iteration, newest_first);
    return st;
}

ebm_status ebmt__checkpoint_path(const char *dir, int64_t iteration, char **path, ebm_error *err)
{
    size_t room = strlen(dir) + 64;
    *path = ebm_alloc(room, 1);
    if (!*path)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a path");
    (void)snprintf(*path, room, "%s/" NAME_PREFIX "%lld" NAME_SUFFIX, dir, (long long)iteration);
    return EBM_OK;
}

ebm_status ebmt__checkpoint_newest(const char *dir, int64_t *iteration, ebm_error *err)
{
    ebmt__checkpoint_list list = {NULL, 0, 0};
    ebm_error inner = {0};
    ebm_status st = ebmt__checkpoints_list(dir, &list, &inner);
    *iteration = list.n ? list.iteration[0] : -1;
    ebm_free(list.iteration);
    if (st == EBM_ERR_NOT_FOUND)
        return EBM_OK;
    return st == EBM_OK ? EBM_OK : ebm_error_set(err, st, inner.where, "%s", inner.text);
}

void ebmt__checkpoints_remove_old(const char *dir, int64_t iteration)
{
    ebmt__checkpoint_list list = {NULL, 0, 0};
    size_t kept = 0;
    if (ebmt__checkpoints_list(dir, &list, NULL) == EBM_OK) {
        for (size_t i = 0; i < list.n; i++) {
            char *path = NULL;
            if (list.iteration[i] > iteration || kept++ < KEEP)
                continue;
            if (ebmt__checkpoint_path(dir, list.iteration[i], &path, NULL) == EBM_OK)
                (void)unlink(path);
            ebm_free(path);
        }
    }
    ebm_free(list.iteration);
}

/* Names that ebm_file_write() gives to files before they are whole. */
static bool is_half_written(const char *name)
{
    size_t n = strlen(name);
    return strncmp(name, ".ebm-", 5) == 0 && n > 4 && strcmp(name + n - 4, ".tmp") == 0;
}

void ebmt__checkpoint_sweep(const char *dir)
{
    const struct dirent *entry;
    DIR *d = opendir(dir);
    while (d && (entry = readdir(d)) != NULL) {
        if (is_half_written(entry->d_name))
            (void)unlinkat(dirfd(d), entry->d_name, 0);
    }
    if (d)
        (void)closedir(d);
}
