/* Whole files in and out: reading behind a limit and beneath a directory, writing atomically.
 * Knows bytes and paths; never what a file means. */
#define _GNU_SOURCE /* syscall() for openat2, which glibc 2.36 does not wrap; strerrordesc_np() */
#include "ebm/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ebm/memory.h"
#include "io/file.h"

/* O_NONBLOCK: opening a FIFO must not wait for its other end; fstat refuses it afterwards. */
#define READ_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* A rename elsewhere can make openat2 answer EAGAIN, a stale file can hold a temporary name. */
#define OPEN_TRIES 16

static ebm_status io_error(ebm_error *err, const char *where, const char *doing, int code)
{
    const char *reason = strerrordesc_np(code);
    return ebm_error_set(err, EBM_ERR_IO, where, "%s: %s", doing,
                         reason != NULL ? reason : "unknown error");
}

static void close_fd(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

/* --- reading ------------------------------------------------------------------------------ */

/* Copies the next component of *name and moves behind it; false if it is not a plain name. */
static bool next_component(const char **name, char part[NAME_MAX + 1])
{
    const size_t n = strcspn(*name, "/");
    if (n == 0 || n > NAME_MAX) {
        return false;
    }
    memcpy(part, *name, n);
    part[n] = '\0';
    *name += n;
    return strcmp(part, ".") != 0 && strcmp(part, "..") != 0;
}

int ebm__open_walk(int dirfd, const char *name)
{
    char part[NAME_MAX + 1];
    int at = dirfd, fd = -1;
    for (;;) {
        if (!next_component(&name, part)) {
            errno = EXDEV;
            fd = -1;
            break;
        }
        const bool last = *name == '\0';
        fd = openat(at, part, READ_FLAGS | O_NOFOLLOW | (last ? 0 : O_DIRECTORY));
        if (fd < 0 || last) {
            break;
        }
        if (at != dirfd) {
            close_fd(at);
        }
        at = fd;
        name++;
    }
    if (at != dirfd) {
        const int code = errno;
        close_fd(at);
        errno = code;
    }
    return fd;
}

/* Opens name beneath dirfd; seccomp filters older than openat2 answer EPERM instead of ENOSYS. */
static int open_beneath(int dirfd, const char *name)
{
    struct open_how how = {.flags = READ_FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    for (int i = 0; i < OPEN_TRIES; i++) {
        const long fd = syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
        if (fd >= 0) {
            return (int)fd;
        }
        if (errno == ENOSYS || errno == EPERM) {
            return ebm__open_walk(dirfd, name);
        }
        if (errno != EAGAIN && errno != EINTR) {
            return -1;
        }
    }
    return -1;
}

static int open_for_reading(const char *dir, const char *name)
{
    if (dir == NULL) {
        return open(name, READ_FLAGS);
    }
    const int dirfd = open(dir, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    if (dirfd < 0) {
        return -1;
    }
    const int fd = open_beneath(dirfd, name);
    const int code = errno;
    close_fd(dirfd);
    errno = code;
    return fd;
}

static ebm_status open_error(const char *name, int code, ebm_error *err)
{
    switch (code) {
    case ENOENT:
    case ENOTDIR:
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, name, "no such file");
    case EXDEV:
        return ebm_error_set(err, EBM_ERR_FORMAT, name, "path leaves its directory");
    case ELOOP:
        return ebm_error_set(err, EBM_ERR_FORMAT, name, "symbolic link refused");
    case ENXIO: /* a socket */
        return ebm_error_set(err, EBM_ERR_FORMAT, name, "not a regular file");
    default:
        return io_error(err, name, "cannot open", code);
    }
}

/* Fills buffer[0..want) from `offset`; *got is smaller only at the end of the file. */
static int read_fully(int fd, unsigned char *buffer, size_t want, size_t offset, size_t *got)
{
    *got = 0;
    while (*got < want) {
        const ssize_t n = pread(fd, buffer + *got, want - *got, (off_t)(offset + *got));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno;
        }
        if (n == 0) {
            break;
        }
        *got += (size_t)n;
    }
    return 0;
}

static bool same_content(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Reads one byte more than the file had when it was opened, into the room of the final zero: that
 * shows growth even on file systems with coarse time stamps. */
static ebm_status read_content(int fd, const char *name, const struct stat *before,
                               unsigned char *data, ebm_error *err)
{
    const size_t size = (size_t)before->st_size;
    struct stat after;
    size_t got;
    const int code = read_fully(fd, data, size + 1, 0, &got);
    if (code != 0) {
        return io_error(err, name, "cannot read", code);
    }
    if (got != size || fstat(fd, &after) != 0 || !same_content(before, &after)) {
        return ebm_error_set(err, EBM_ERR_IO, name, "file changed while it was read");
    }
    data[size] = 0;
    return EBM_OK;
}

static ebm_status check_file(int fd, const char *name, size_t limit, struct stat *st,
                             ebm_error *err)
{
    if (fstat(fd, st) != 0) {
        return io_error(err, name, "cannot stat", errno);
    }
    if (!S_ISREG(st->st_mode) || st->st_size < 0) {
        return ebm_error_set(err, EBM_ERR_FORMAT, name, "not a regular file");
    }
    if ((uintmax_t)st->st_size > limit || (uintmax_t)st->st_size >= SIZE_MAX) {
        return ebm_error_set(err, EBM_ERR_LIMIT, name, "file has %jd bytes, at most %zu are read",
                             (intmax_t)st->st_size, limit);
    }
    return EBM_OK;
}

ebm_status ebm_file_read(const char *dir, const char *name, size_t limit, unsigned char **data,
                         size_t *size, ebm_error *err)
{
    struct stat before;
    unsigned char *content = NULL;
    *data = NULL;
    *size = 0;
    const int fd = open_for_reading(dir, name);
    if (fd < 0) {
        return open_error(name, errno, err);
    }
    ebm_status st = check_file(fd, name, limit, &before, err);
    if (st != EBM_OK) {
        goto out;
    }
    content = ebm_alloc((size_t)before.st_size + 1, 1);
    if (content == NULL) {
        st = ebm_error_set(err, EBM_ERR_NOMEM, name, "no memory for %jd bytes",
                           (intmax_t)before.st_size);
        goto out;
    }
    st = read_content(fd, name, &before, content, err);
    if (st == EBM_OK) {
        *data = content;
        *size = (size_t)before.st_size;
        content = NULL;
    }
out:
    ebm_free(content);
    close_fd(fd);
    return st;
}

/* --- writing ------------------------------------------------------------------------------ */

/* Opens the directory a path lies in and finds the last component. */
static int open_parent(const char *path, const char **base)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const size_t n = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    *base = path + n;
    if (n >= sizeof(dir)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(dir, path, n);
    dir[n] = '\0';
    return open(n == 0 ? "." : dir, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
}

/* Creates a new file with a name of its own. The name holds the process and the time, so that a
 * file left by a crash blocks nobody; O_EXCL makes a guess of the name harmless. */
static int create_temporary(int dirfd, char name[NAME_MAX + 1])
{
    struct timespec now = {0, 0};
    for (unsigned i = 0; i < OPEN_TRIES; i++) {
        (void)clock_gettime(CLOCK_REALTIME, &now);
        (void)snprintf(name, NAME_MAX + 1, ".ebm-%ld-%lld-%09ld-%u.tmp", (long)getpid(),
                       (long long)now.tv_sec, now.tv_nsec, i);
        const int fd =
            openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)0644);
        if (fd >= 0 || errno != EEXIST) {
            return fd;
        }
    }
    return -1;
}

static int write_fully(int fd, const unsigned char *data, size_t size)
{
    while (size > 0) {
        const ssize_t n = write(fd, data, size);
        if (n < 0 && errno != EINTR) {
            return errno;
        }
        if (n > 0) {
            data += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

/* Writes, syncs and closes; close is checked because some file systems report a full disk there. */
static int fill_file(int fd, const void *data, size_t size)
{
    int code = write_fully(fd, data, size);
    if (code == 0 && fsync(fd) != 0) {
        code = errno;
    }
    if (close(fd) != 0 && code == 0) {
        code = errno;
    }
    return code;
}

/* Makes the rename durable. Some file systems cannot sync a directory and say EINVAL: the rename
 * has happened and nothing more can be done. */
static int sync_directory(int dirfd)
{
    return fsync(dirfd) == 0 || errno == EINVAL ? 0 : errno;
}

ebm_status ebm_file_write(const char *path, const void *data, size_t size, ebm_error *err)
{
    const char *base;
    char temporary[NAME_MAX + 1];
    const int dirfd = open_parent(path, &base);
    if (dirfd < 0) {
        return io_error(err, path, "cannot open its directory", errno);
    }
    const int fd = create_temporary(dirfd, temporary);
    int code = fd < 0 ? errno : fill_file(fd, data, size);
    if (code == 0 && renameat(dirfd, temporary, dirfd, base) != 0) {
        code = errno;
    }
    if (code != 0 && fd >= 0) {
        (void)unlinkat(dirfd, temporary, 0);
    } else if (code == 0) {
        code = sync_directory(dirfd);
    }
    close_fd(dirfd);
    return code == 0 ? EBM_OK : io_error(err, path, "cannot write", code);
}

ebm_status ebm__file_rename(const char *dir, const char *from, const char *to, ebm_error *err)
{
    const int dirfd = open(dir, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    if (dirfd < 0) {
        return open_error(dir, errno, err);
    }
    int code = renameat(dirfd, from, dirfd, to) == 0 ? 0 : errno;
    if (code == 0) {
        code = sync_directory(dirfd);
    }
    close_fd(dirfd);
    return code == 0 ? EBM_OK : io_error(err, to, "cannot rename", code);
}

/* --- directories -------------------------------------------------------------------------- */

static ebm_status make_one(const char *path, ebm_error *err)
{
    struct stat st;
    if (mkdir(path, 0777) == 0) {
        return EBM_OK;
    }
    const int code = errno;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        return EBM_OK;
    }
    return io_error(err, path, "cannot make the directory", code);
}

ebm_status ebm_dir_make(const char *path, ebm_error *err)
{
    char part[PATH_MAX];
    const size_t n = strlen(path);
    ebm_status st = EBM_OK;
    if (n == 0 || n >= sizeof(part)) {
        return ebm_error_set(err, EBM_ERR_ARG, path, "path is empty or too long");
    }
    for (size_t i = 1; i <= n && st == EBM_OK; i++) {
        if (path[i] == '/' || path[i] == '\0') {
            memcpy(part, path, i);
            part[i] = '\0';
            st = make_one(part, err);
        }
    }
    return st;
}
