/* Lock files, see process_lock.h. */
#include "base/process_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_ROOM 4096

static ebm_status refuse(int fd, const char *path, ebm_error *err)
{
    struct flock who = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(fd, F_GETLK, &who) == 0 && who.l_type != F_UNLCK)
        return ebm_error_set(err, EBM_ERR_BAD_STATE, path,
                             "locked by process %ld; one process at a time", (long)who.l_pid);
    return ebm_error_set(err, EBM_ERR_BAD_STATE, path, "locked; one process at a time");
}

ebm_status ebmd_process_lock(const char *path, int *fd, ebm_error *err)
{
    struct flock want = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char name[PATH_ROOM + 8];
    struct stat st;
    ebm_status result;

    *fd = -1;
    if (strlen(path) >= PATH_ROOM)
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, path, "path too long");
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, path, "not a regular file");
    snprintf(name, sizeof(name), "%s.lock", path);
    *fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0)
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, path, "cannot create a file here: %s",
                             strerror(errno));
    if (fcntl(*fd, F_SETLK, &want) == 0)
        return EBM_OK;
    result = refuse(*fd, path, err);
    close(*fd);
    *fd = -1;
    return result;
}
