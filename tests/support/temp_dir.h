/* A directory that exists for the length of one test, and small files in it. */
#ifndef TEMP_DIR_H
#define TEMP_DIR_H

#include <stdbool.h>
#include <stddef.h>

#define TEMP_PATH_MAX 512

/* Makes an empty directory under $TMPDIR or /tmp and stores its path; false when that fails. */
bool temp_dir_make(char path[TEMP_PATH_MAX]);
/* Removes it and all below it; symbolic links are removed, not followed. */
void temp_dir_remove(const char *path);

/* Set-up and tear-down of a cmocka test: *state becomes the path of a new directory. */
int temp_dir_set_up(void **state);
int temp_dir_tear_down(void **state);
/* A test of cmocka's with a directory of its own. */
#define TEMP_DIR_TEST(test)                                                                        \
    cmocka_unit_test_setup_teardown(test, temp_dir_set_up, temp_dir_tear_down)

/* Stores dir/name; false when it does not fit. */
bool temp_dir_join(const char *dir, const char *name, char out[TEMP_PATH_MAX]);
/* Writes a file, replacing what was there. */
bool temp_dir_write(const char *dir, const char *name, const void *data, size_t size);
/* Number of entries, "." and ".." left out; -1 when the directory cannot be read. */
int temp_dir_count(const char *path);

#endif
