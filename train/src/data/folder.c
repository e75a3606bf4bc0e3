/* A folder of pictures as a source: every PNG, JPEG and WebP below it, in the order of their
 * paths. Follows no symbolic link. Has never heard of what is in a picture. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/input.h"
#include "data/picture.h"
#include "data/source.h"
#include "ebm/memory.h"

#define MAX_DEPTH 16
#define MAX_FILES (1 << 24)
/* All names together; a million files with names of 40 bytes take 40 MB. */
#define MAX_NAME_BYTES ((size_t)1 << 30)

/* Names relative to `root`, one after the other, each with its zero. */
typedef struct folder {
    char root[PATH_MAX];
    bool without_test; /* test/ in the root holds the other part */
    char *names;
    size_t n_bytes, room;
    const char **file; /* [count], in order; made when all names are known */
    int64_t count, ignored;
} folder;

static void folder_free(void *self)
{
    folder *f = self;
    free(f->names);
    free((void *)f->file);
    ebm_free(f);
}

static ebm_status no_memory(ebm_error *err)
{
    return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the names of a folder");
}

/* --- the list of files --------------------------------------------------------------------- */

static bool is_picture_name(const char *name)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg", ".webp"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof endings[0]; i++) {
        if (strcasecmp(dot, endings[i]) == 0)
            return true;
    }
    return false;
}

static ebm_status grow(folder *f, size_t more, ebm_error *err)
{
    size_t room = f->room ? f->room : 4096;
    while (room < f->n_bytes + more)
        room *= 2;
    if (room == f->room)
        return EBM_OK;
    char *names = realloc(f->names, room);
    if (!names)
        return no_memory(err);
    f->names = names;
    f->room = room;
    return EBM_OK;
}

static ebm_status add_name(folder *f, const char *path, ebm_error *err)
{
    const size_t n = strlen(path) + 1;
    if (f->count == MAX_FILES || f->n_bytes + n > MAX_NAME_BYTES)
        return ebm_error_set(err, EBM_ERR_LIMIT, f->root, "over %d pictures or %zu bytes of names",
                             MAX_FILES, MAX_NAME_BYTES);
    ebm_status st = grow(f, n, err);
    if (st != EBM_OK)
        return st;
    memcpy(f->names + f->n_bytes, path, n);
    f->n_bytes += n;
    f->count++;
    return EBM_OK;
}

/* The path of the directory being listed; it grows and shrinks with the descent. */
typedef struct walk {
    folder *f;
    char path[PATH_MAX]; /* relative to the root, "" for the root itself */
    size_t n;
    int depth;
} walk;

static ebm_status list_directory(walk *w, int dirfd, ebm_error *err);

static ebm_status descend(walk *w, int dirfd, const char *name, ebm_error *err)
{
    if (w->depth == MAX_DEPTH)
        return ebm_error_set(err, EBM_ERR_LIMIT, w->path, "folders are nested over %d deep",
                             MAX_DEPTH);
    const int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW);
    if (fd < 0) {
        w->f->ignored++;
        return EBM_OK;
    }
    w->depth++;
    ebm_status st = list_directory(w, fd, err);
    w->depth--;
    return st;
}

/* Regular files that may be read and are named like pictures; anything else is counted. */
static ebm_status take_file(walk *w, int dirfd, const char *name, mode_t mode, ebm_error *err)
{
    if (S_ISREG(mode) && is_picture_name(name) && faccessat(dirfd, name, R_OK, 0) == 0)
        return add_name(w->f, w->path, err);
    w->f->ignored++;
    return EBM_OK;
}

static ebm_status visit(walk *w, int dirfd, const char *name, ebm_error *err)
{
    struct stat info;
    const size_t before = w->n;
    const int n =
        snprintf(w->path + before, sizeof w->path - before, "%s%s", before ? "/" : "", name);
    if (n < 0 || (size_t)n >= sizeof w->path - before) {
        w->path[before] = '\0';
        return ebm_error_set(err, EBM_ERR_LIMIT, w->path, "a path is too long");
    }
    w->n += (size_t)n;
    ebm_status st = EBM_OK;
    if (fstatat(dirfd, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
        w->f->ignored++;
    else if (before == 0 && w->f->without_test && strcmp(name, "test") == 0)
        st = EBM_OK; /* not ours */
    else if (S_ISDIR(info.st_mode))
        st = descend(w, dirfd, name, err);
    else
        st = take_file(w, dirfd, name, info.st_mode, err);
    w->n = before;
    w->path[before] = '\0';
    return st;
}

/* @own closes dirfd */
static ebm_status list_directory(walk *w, int dirfd, ebm_error *err)
{
    ebm_status st = EBM_OK;
    DIR *dir = fdopendir(dirfd);
    if (!dir) {
        (void)close(dirfd);
        return no_memory(err);
    }
    while (st == EBM_OK) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry)
            break;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            st = visit(w, dirfd, entry->d_name, err);
    }
    if (st == EBM_OK && errno != 0)
        st = ebm_error_set(err, EBM_ERR_IO, w->path[0] ? w->path : w->f->root,
                           "cannot list the folder: %s", strerror(errno));
    (void)closedir(dir);
    return st;
}

static int by_bytes(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* The order of a directory is the file system's own; that of the bytes is the same everywhere. */
static ebm_status sort_names(folder *f, ebm_error *err)
{
    f->file = malloc(((size_t)f->count + 1) * sizeof *f->file);
    if (!f->file)
        return no_memory(err);
    const char *at = f->names;
    for (int64_t i = 0; i < f->count; i++, at += strlen(at) + 1)
        f->file[i] = at;
    qsort((void *)f->file, (size_t)f->count, sizeof *f->file, by_bytes);
    return EBM_OK;
}

static ebm_status list(folder *f, ebm_error *err)
{
    walk *w = ebm_alloc(1, sizeof *w);
    if (!w)
        return no_memory(err);
    w->f = f;
    const int fd = open(f->root, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    ebm_status st = fd < 0 ? ebm_error_set(err, EBM_ERR_NOT_FOUND, f->root, "no such folder")
                           : list_directory(w, fd, err);
    ebm_free(w);
    if (st == EBM_OK)
        st = sort_names(f, err);
    return st;
}

/* --- the source ---------------------------------------------------------------------------- */

static ebm_status read_file(void *self, int64_t i, ebm_image *image, ebm_error *err)
{
    const folder *f = self;
    unsigned char *bytes = NULL;
    size_t size = 0;
    ebm_error inner = {0};
    ebm_status st =
        ebm_file_read(f->root, f->file[i], EBMT_PICTURE_MAX_BYTES, &bytes, &size, &inner);
    if (st == EBM_OK)
        st = ebmt__picture_decode(bytes, size, image, &inner);
    ebm_free(bytes);
    return ebmt__name_file(st, &inner, f->root, f->file[i], err);
}

bool ebmt__folder_has_parts(const char *path)
{
    return ebmt__input_exists(path, "train") || ebmt__input_exists(path, "test");
}

/* A folder with train/ or test/ in it has parts: without train/, what is not in test/ is training
 * data. Any other is all training data. */
static ebm_status choose_root(folder *f, const char *path, ebmt_split split, ebm_error *err)
{
    const char *part = split == EBMT_TRAIN ? "train" : "test";
    const bool inside = split == EBMT_TEST || ebmt__input_exists(path, part);
    const int n =
        snprintf(f->root, PATH_MAX, "%s%s%s", path, inside ? "/" : "", inside ? part : "");
    f->without_test = !inside;
    if (n < 0 || n >= PATH_MAX)
        return ebm_error_set(err, EBM_ERR_LIMIT, path, "the path is too long");
    return EBM_OK;
}

ebm_status ebmt__folder_open(const char *path, ebmt_split split, ebmt__source *out, ebm_error *err)
{
    folder *f = ebm_alloc(1, sizeof *f);
    if (!f)
        return no_memory(err);
    ebm_status st = choose_root(f, path, split, err);
    if (st == EBM_OK)
        st = list(f, err);
    if (st != EBM_OK) {
        folder_free(f);
        return st;
    }
    *out = (ebmt__source){.count = f->count,
                          .ignored = f->ignored,
                          .self = f,
                          .read = read_file,
                          .close = folder_free};
    return EBM_OK;
}
