/* Requests and replies in JSON, see json_client.h. */
#include "json_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define JSON "Content-Type: application/json\r\n"

json_t *json_of_reply(const http_reply *r, int status)
{
    json_t *root = json_loadb(r->body ? r->body : "", r->size, JSON_REJECT_DUPLICATES, NULL);

    if (r->status != status)
        fail_msg("%d, not %d: %s", r->status, status, r->body ? r->body : "");
    assert_non_null(root);
    return root;
}

json_t *json_call(int port, const char *method, const char *path, const char *body, int status)
{
    const char *headers = status == 200 ? JSON "Prefer: wait=60\r\n" : JSON;
    http_reply r;
    json_t *root;

    assert_true(http_call(port, method, path, body ? headers : "", body, &r));
    if (r.status != status)
        fail_msg("%s %s %s: %d, not %d: %s", method, path, body ? body : "", r.status, status,
                 r.body);
    root = json_of_reply(&r, status);
    http_reply_clear(&r);
    return root;
}
