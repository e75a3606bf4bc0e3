/* What file.c shows to its unit test: the way of opening used where the kernel lacks openat2. */
#ifndef EBM__FILE_H
#define EBM__FILE_H

/* Opens a relative name beneath dirfd one component at a time, following no symbolic link at all.
 * Returns a descriptor, or -1 with errno (EXDEV for an absolute name, an empty, "." or ".."
 * component). */
int ebm__open_walk(int dirfd, const char *name);

#endif
