/* Finds sheets by their names and chooses among them. Knows files; has never heard of models. */
#include "report_sheets.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "html_page.h"

#define PREFIX     "samples-"
#define MAX_LISTED ((size_t)1 << 20)

typedef struct list {
    int64_t *iteration; /* ascending */
    size_t n, room;
} list;

/* Returns the iteration that a file name stands for, or -1. Only the spelling that we write. */
static int64_t parse_name(const char *name)
{
    char again[64];
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
        return -1;
    errno = 0;
    long long value = strtoll(name + strlen(PREFIX), NULL, 10);
    if (errno != 0 || value < 0)
        return -1;
    (void)snprintf(again, sizeof again, EBMT_SHEET_NAME, value);
    return strcmp(again, name) == 0 ? (int64_t)value : -1;
}

static bool list_add(list *l, int64_t iteration)
{
    if (l->n == l->room) {
        size_t room = l->room ? 2 * l->room : 64;
        int64_t *grown = room <= MAX_LISTED ? ebm_alloc(room, sizeof *grown) : NULL;
        if (!grown)
            return false;
        if (l->n)
            memcpy(grown, l->iteration, l->n * sizeof *grown);
        ebm_free(l->iteration);
        l->iteration = grown;
        l->room = room;
    }
    l->iteration[l->n++] = iteration;
    return true;
}

static int ascending(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static bool list_dir(const char *dir, list *l)
{
    const struct dirent *entry;
    bool room = true;
    DIR *d = opendir(dir);
    if (!d) /* no directory, no sheets; who writes the page will tell */
        return true;
    while (room && (entry = readdir(d)) != NULL) {
        int64_t iteration = parse_name(entry->d_name);
        if (iteration >= 0)
            room = list_add(l, iteration);
    }
    (void)closedir(d);
    if (l->n > 1)
        qsort(l->iteration, l->n, sizeof *l->iteration, ascending);
    return room;
}

/* Sheet i of `shown`, evenly over the list; the last one is the newest. */
static int64_t chosen(const list *l, size_t i, size_t shown)
{
    return l->iteration[shown > 1 ? i * (l->n - 1) / (shown - 1) : l->n - 1];
}

static void name_of(int64_t iteration, char name[64])
{
    (void)snprintf(name, 64, EBMT_SHEET_NAME, (long long)iteration);
}

/* Bytes of a file in a page, in base64; a huge number if it cannot be told. */
static size_t page_bytes(const char *dir, int64_t iteration)
{
    char path[4096], name[64];
    struct stat st;
    name_of(iteration, name);
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= sizeof path || stat(path, &st) != 0 || st.st_size < 0 ||
        (uint64_t)st.st_size > SIZE_MAX / 1024)
        return SIZE_MAX / 1024;
    return (size_t)st.st_size / 3 * 4 + 256;
}

/* How many fit: all that are wanted, or half as many, and so on. */
static size_t count_shown(const char *dir, const list *l, size_t limit)
{
    size_t shown = l->n < EBMT_SHEETS_SHOWN ? l->n : EBMT_SHEETS_SHOWN;
    for (; shown > 0; shown /= 2) {
        size_t sum = 0;
        for (size_t i = 0; i < shown; i++)
            sum += page_bytes(dir, chosen(l, i, shown));
        if (sum <= limit)
            break;
    }
    return shown;
}

static ebm_status put_sheet(FILE *f, const char *dir, int64_t iteration, size_t limit,
                            ebm_error *err)
{
    static const unsigned char signature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    unsigned char *data = NULL;
    size_t size = 0;
    char name[64];
    ebm_error none = {0};
    name_of(iteration, name);
    ebm_status st = ebm_file_read(dir, name, limit, &data, &size, &none);
    if (st == EBM_ERR_NOMEM)
        return ebm_error_set(err, st, "report", "no memory");
    if (st == EBM_OK && size > sizeof signature && memcmp(data, signature, sizeof signature) == 0) {
        (void)fprintf(f, "<h3>Iteration %lld</h3>\n", (long long)iteration);
        st = ebmt__html_png(f, data, size, err);
    } else {
        st = EBM_OK;
    }
    ebm_free(data);
    return st;
}

ebm_status ebmt__report_sheets_put(FILE *f, const char *dir, size_t limit, ebm_error *err)
{
    list l = {NULL, 0, 0};
    ebm_status st = EBM_OK;
    if (!list_dir(dir, &l)) {
        st = ebm_error_set(err, EBM_ERR_NOMEM, "report", "too many sheets to list");
        goto out;
    }
    size_t shown = count_shown(dir, &l, limit);
    if (shown > 0)
        (void)fputs("<h2>Samples</h2>\n", f);
    for (size_t i = shown; i > 0 && st == EBM_OK; i--)
        st = put_sheet(f, dir, chosen(&l, i - 1, shown), limit, err);
out:
    ebm_free(l.iteration);
    return st;
}
