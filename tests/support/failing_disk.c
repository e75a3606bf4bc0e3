/* A disk that fails when it is told to, preloaded under a daemon. With P for the value of
 * EBM_FAILING_DISK: while the file P.full is there, writes to job files find no room; once a file
 * P.sync is there, the next sync of one fails, and later ones "work" again; P.base is the same for
 * the file itself alone, not its log.
 * Knows calls and names of files; not what is written. */
#define _GNU_SOURCE /* RTLD_NEXT, pwrite64 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_named(int fd, const char *end)
{
    char link[64], name[4096];
    const char *found;
    ssize_t n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, name, sizeof(name) - 1);
    if (n <= 0)
        return false;
    name[n] = '\0';
    found = strstr(name, "jobs.db");
    return found && strcmp(found + strlen("jobs.db"), end) == 0;
}

static bool is_job_file(int fd)
{
    return is_named(fd, "") || is_named(fd, "-wal") || is_named(fd, "-journal");
}

static bool told(const char *what, char path[4096])
{
    const char *prefix = getenv("EBM_FAILING_DISK");

    if (!prefix)
        return false;
    snprintf(path, 4096, "%s.%s", prefix, what);
    return access(path, F_OK) == 0;
}

static bool is_full(int fd)
{
    char path[4096];

    if (!told("full", path) || !is_job_file(fd))
        return false;
    errno = ENOSPC;
    return true;
}

/* Who takes the order away is the one that fails. */
static bool loses(int fd)
{
    char path[4096];

    if (!(told("sync", path) && is_job_file(fd)) && !(told("base", path) && is_named(fd, "")))
        return false;
    if (unlink(path) != 0)
        return false;
    errno = EIO;
    return true;
}

/* ISO C has no conversion from what dlsym() gives to a function. */
#define NEXT(pointer, name) (*(void **)&(pointer) = dlsym(RTLD_NEXT, name))

ssize_t write(int fd, const void *data, size_t size)
{
    ssize_t (*next)(int, const void *, size_t);

    NEXT(next, "write");
    return is_full(fd) ? -1 : next(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    ssize_t (*next)(int, const void *, size_t, off_t);

    NEXT(next, "pwrite");
    return is_full(fd) ? -1 : next(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    ssize_t (*next)(int, const void *, size_t, off64_t);

    NEXT(next, "pwrite64");
    return is_full(fd) ? -1 : next(fd, data, size, at);
}

int fsync(int fd)
{
    int (*next)(int);

    NEXT(next, "fsync");
    return loses(fd) ? -1 : next(fd);
}

int fdatasync(int fd)
{
    int (*next)(int);

    NEXT(next, "fdatasync");
    return loses(fd) ? -1 : next(fd);
}
