/* Jobs for tests, see job_client.h. */
#include "job_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "real_time.h"

#define LATER "Content-Type: application/json\r\nPrefer: respond-async\r\n"

int job_send(int port, const char *path, const char *headers, const char *body, char id[64])
{
    char all[1024];
    http_reply r;
    int status;

    assert_true(snprintf(all, sizeof(all), LATER "%s", headers) < (int)sizeof(all));
    assert_true(http_call(port, "POST", path, all, body, &r));
    status = r.status;
    if (!http_header(&r, "X-Job-Id", id, 64))
        id[0] = '\0';
    http_reply_clear(&r);
    return status;
}

void job_begin(int port, const char *path, const char *body, char id[64])
{
    assert_int_equal(job_send(port, path, "", body, id), 202);
    assert_string_not_equal(id, "");
}

int job_cancel(int port, const char *id)
{
    char path[128];

    snprintf(path, sizeof(path), "/v1/jobs/%s/cancel", id);
    return http_status(port, "POST", path, "", NULL);
}

static json_t *look(int port, const char *id, const char *query)
{
    char path[128];

    snprintf(path, sizeof(path), "/v1/jobs/%s%s", id, query);
    return json_call(port, "GET", path, NULL, 200);
}

static bool has_status(const json_t *job, const char *status)
{
    const char *now = json_string_value(json_object_get(job, "status"));

    return now && strcmp(now, status) == 0;
}

json_t *job_look(int port, const char *id)
{
    return look(port, id, "");
}

bool job_is(int port, const char *id, const char *status)
{
    json_t *job = job_look(port, id);
    bool is = has_status(job, status);

    json_decref(job);
    return is;
}

void job_wait(int port, const char *id, const char *status)
{
    for (int i = 0; i < 24000 && !job_is(port, id, status); i++)
        real_sleep_ms(5);
    if (!job_is(port, id, status))
        fail_msg("%s is not %s", id, status);
}

json_t *job_end(int port, const char *id)
{
    for (int i = 0; i < 10; i++) {
        json_t *job = look(port, id, "?wait=100");

        if (!has_status(job, "queued") && !has_status(job, "running"))
            return job;
        json_decref(job);
    }
    fail_msg("%s does not end", id);
    return NULL;
}
