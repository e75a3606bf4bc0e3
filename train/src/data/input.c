/* See input.h. */
#include "data/input.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool join(const char *dir, const char *name, char out[PATH_MAX])
{
    const int n = snprintf(out, PATH_MAX, "%s%s%s", dir ? dir : "", dir ? "/" : "", name);
    return n >= 0 && n < PATH_MAX;
}

ebm_status ebmt__input_open(const char *dir, const char *name, ebmt__input *out, ebm_error *err)
{
    char path[PATH_MAX];
    struct stat info;
    *out = (ebmt__input){.fd = -1};
    if (!join(dir, name, path))
        return ebm_error_set(err, EBM_ERR_LIMIT, name, "the path is too long");
    /* O_NONBLOCK: opening a FIFO must not wait for its other end */
    out->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (out->fd < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? ebm_error_set(err, EBM_ERR_NOT_FOUND, path, "no such file")
                   : ebm_error_set(err, EBM_ERR_IO, path, "cannot open: %s", strerror(errno));
    if (fstat(out->fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size < 0) {
        ebmt__input_close(out);
        return ebm_error_set(err, EBM_ERR_FORMAT, path, "not a regular file");
    }
    out->size = (size_t)info.st_size;
    return EBM_OK;
}

ebm_status ebmt__input_read(const ebmt__input *in, const char *where, size_t offset, void *out,
                            size_t n, ebm_error *err)
{
    unsigned char *to = out;
    if (offset > in->size || n > in->size - offset)
        return ebm_error_set(err, EBM_ERR_IO, where, "the file ends before byte %zu", offset);
    while (n > 0) {
        const ssize_t got = pread(in->fd, to, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ebm_error_set(err, EBM_ERR_IO, where, "cannot read: %s", strerror(errno));
        if (got == 0)
            return ebm_error_set(err, EBM_ERR_IO, where, "the file became shorter");
        to += got;
        offset += (size_t)got;
        n -= (size_t)got;
    }
    return EBM_OK;
}

void ebmt__input_close(ebmt__input *in)
{
    if (in->fd >= 0)
        (void)close(in->fd);
    in->fd = -1;
}

bool ebmt__input_exists(const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct stat info;
    return join(dir, name, path) && stat(path, &info) == 0;
}
