/* A daemon with three small models, three pictures, and the command `ebm` beside it, for tests that
 * compare what the two make of pictures. Every function fails the test if something goes wrong.
 * Knows calls and files; not what is compared. */
#ifndef EBM_TEST_PICTURE_DAEMON_H
#define EBM_TEST_PICTURE_DAEMON_H

#include <stddef.h>
#include <stdint.h>

#include "daemon_process.h"
#include "http_form.h"
#include "json_client.h"

#define PICTURE_SIDE 8 /* of the models' images */

typedef struct picture_file {
    unsigned char *bytes;
    size_t size;
} picture_file;

typedef struct picture_daemon {
    daemon_process d;
    picture_file one, two, mask; /* PNG files, also in d.dir; the mask's lower half is white */
} picture_daemon;

/* Models a-tiny, b-tiny and slow, then the start. Returns 0, or -1. */
int picture_daemon_setup(picture_daemon *p);
/* Starts it, again after a kill: jobs are kept in a file. Returns 0, or -1. */
int picture_daemon_start(picture_daemon *p);
int picture_daemon_teardown(picture_daemon *p);

/* Both return the JSON of a reply that has this status. @own takes body; json_decref() */
json_t *picture_post_json(const picture_daemon *p, const char *path, json_t *body, int status);
/* @own clears f; json_decref() */
json_t *picture_post_form(const picture_daemon *p, const char *path, http_form *f, int status);
/* @own json_decref() */
json_t *picture_base64(const picture_file *f);

/* Runs `ebm` on the daemon's models; its pictures go to d.dir/out. */
void picture_command(const picture_daemon *p, const char *arguments);
/* A string of base64 is the file d.dir/name. */
void picture_assert_file(const picture_daemon *p, const json_t *value, const char *name);
/* Images of a job object are out/000000.png and so on. */
void picture_assert_images(const picture_daemon *p, const json_t *root, size_t n);

#endif
