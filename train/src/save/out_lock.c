/* See out_lock.h. */
#include "out_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The holder may have another name here: one in another container has the id 0. */
static ebm_status refuse(int fd, const char *dir, ebm_error *err)
{
    struct flock holder = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_GETLK, &holder) == 0 && holder.l_type != F_UNLCK && holder.l_pid > 0)
        return ebm_error_set(err, EBM_ERR_BAD_STATE, dir,
                             "process %ld trains in this directory; one at a time",
                             (long)holder.l_pid);
    return ebm_error_set(err, EBM_ERR_BAD_STATE, dir,
                         "another process trains in this directory; one at a time");
}

ebm_status ebmt__out_lock(const char *dir, int *fd, ebm_error *err)
{
    struct flock want = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/.lock", dir);
    *fd = -1;
    if (n < 0 || (size_t)n >= sizeof path)
        return ebm_error_set(err, EBM_ERR_ARG, "out", "the path is too long");
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (file < 0)
        return ebm_error_set(err, EBM_ERR_IO, path, "cannot open: %s", strerror(errno));
    if (fcntl(file, F_SETLK, &want) == 0) {
        *fd = file;
        return EBM_OK;
    }
    ebm_status st = errno == EACCES || errno == EAGAIN
                        ? refuse(file, dir, err)
                        : ebm_error_set(err, EBM_ERR_IO, path, "cannot lock: %s", strerror(errno));
    (void)close(file);
    return st;
}
