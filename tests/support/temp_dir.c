/* Makes and removes the scratch directories of the tests. */
#define _XOPEN_SOURCE 700 /* nftw */
#include "temp_dir.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

bool temp_dir_make(char path[TEMP_PATH_MAX])
{
    const char *base = getenv("TMPDIR");
    const int n = snprintf(path, TEMP_PATH_MAX, "%s/ebm-test-XXXXXX",
                           base != NULL && base[0] != '\0' ? base : "/tmp");
    return n > 0 && n < TEMP_PATH_MAX && mkdtemp(path) != NULL;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    (void)remove(path);
    return 0;
}

void temp_dir_remove(const char *path)
{
    (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int temp_dir_set_up(void **state)
{
    char *dir = malloc(TEMP_PATH_MAX);
    *state = dir;
    return dir != NULL && temp_dir_make(dir) ? 0 : -1;
}

int temp_dir_tear_down(void **state)
{
    temp_dir_remove(*state);
    free(*state);
    return 0;
}

bool temp_dir_join(const char *dir, const char *name, char out[TEMP_PATH_MAX])
{
    const int n = snprintf(out, TEMP_PATH_MAX, "%s/%s", dir, name);
    return n > 0 && n < TEMP_PATH_MAX;
}

bool temp_dir_write(const char *dir, const char *name, const void *data, size_t size)
{
    char path[TEMP_PATH_MAX];
    if (!temp_dir_join(dir, name, path)) {
        return false;
    }
    FILE *f = fopen(path, "wb");
    if (f == NULL) {
        return false;
    }
    const bool written = size == 0 || fwrite(data, 1, size, f) == size;
    return fclose(f) == 0 && written;
}

int temp_dir_count(const char *path)
{
    DIR *d = opendir(path);
    if (d == NULL) {
        return -1;
    }
    int n = 0;
    while (readdir(d) != NULL) {
        n++;
    }
    (void)closedir(d);
    return n - 2;
}
