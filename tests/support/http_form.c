/* Forms for tests, see http_form.h. */
#include "http_form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void http_form_raw(http_form *f, const void *data, size_t size)
{
    if (f->size + size > f->room) {
        f->room = 2 * (f->size + size);
        f->body = realloc(f->body, f->room);
        if (!f->body)
            abort();
    }
    memcpy(f->body + f->size, data, size);
    f->size += size;
}

void http_form_add(http_form *f, const char *name, const char *file, const void *data, size_t size)
{
    char head[512];
    int n = file ? snprintf(head, sizeof(head),
                            "--" HTTP_FORM_BOUNDARY "\r\nContent-Disposition: form-data; "
                            "name=\"%s\"; filename=\"%s\"\r\nContent-Type: image/png\r\n\r\n",
                            name, file)
                 : snprintf(head, sizeof(head),
                            "--" HTTP_FORM_BOUNDARY
                            "\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n",
                            name);

    http_form_raw(f, head, (size_t)n);
    http_form_raw(f, data, size);
    http_form_raw(f, "\r\n", 2);
}

void http_form_text(http_form *f, const char *name, const char *value)
{
    http_form_add(f, name, NULL, value, strlen(value));
}

void http_form_close(http_form *f)
{
    static const char end[] = "--" HTTP_FORM_BOUNDARY "--\r\n";

    http_form_raw(f, end, sizeof(end) - 1);
}

void http_form_clear(http_form *f)
{
    free(f->body);
    memset(f, 0, sizeof(*f));
}

bool http_send_body(int port, const char *path, const char *type, const char *more,
                    const void *body, size_t size, http_reply *out)
{
    int fd = http_connect(port);
    char head[1024];
    int n = snprintf(head, sizeof(head),
                     "POST %s HTTP/1.1\r\nHost: t\r\nContent-Type: %s\r\n%sContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n",
                     path, type, more, size);
    bool ok = fd >= 0 && n > 0 && (size_t)n < sizeof(head) && http_send(fd, head, (size_t)n);

    memset(out, 0, sizeof(*out));
    if (ok)
        (void)http_send(fd, body, size); /* a refusal may come before the end */
    ok = ok && http_read(fd, true, out);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool http_send_form(int port, const char *path, const char *more, const http_form *f,
                    http_reply *out)
{
    return http_send_body(port, path, "multipart/form-data; boundary=" HTTP_FORM_BOUNDARY, more,
                          f->body, f->size, out);
}
