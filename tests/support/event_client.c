/* Streams of events, see event_client.h. */
#include "event_client.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "real_time.h"

bool events_open(event_client *c, int port, const char *method, const char *path,
                 const char *headers, const char *body)
{
    char head[4096];
    int n;

    memset(c, 0, sizeof(*c));
    c->fd = http_connect(port);
    n = snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: t\r\n%s", method, path, headers);
    if (body)
        n += snprintf(head + n, sizeof(head) - (size_t)n,
                      "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
    n += snprintf(head + n, sizeof(head) - (size_t)n, "\r\n%s", body ? body : "");
    return c->fd >= 0 && (size_t)n < sizeof(head) && http_send(c->fd, head, (size_t)n) &&
           http_read(c->fd, true, &c->reply);
}

static bool append(char **to, size_t *n, size_t *room, const char *bytes, size_t k)
{
    if (*n + k + 1 > *room) {
        char *more = realloc(*to, 2 * (*n + k + 1));

        if (!more)
            return false;
        *to = more;
        *room = 2 * (*n + k + 1);
    }
    memcpy(*to + *n, bytes, k);
    *n += k;
    (*to)[*n] = '\0';
    return true;
}

/* Moves whole chunks from raw to text. */
static bool decode(event_client *c)
{
    for (;;) {
        char *end = c->n > 0 ? strstr(c->raw, "\r\n") : NULL;
        size_t head = end ? (size_t)(end - c->raw) + 2 : 0;
        size_t size = end ? strtoul(c->raw, NULL, 16) : 0;

        if (!end || c->n < head + size + 2)
            return true;
        if (size == 0)
            c->ended = true;
        else if (!append(&c->text, &c->len, &c->text_room, c->raw + head, size))
            return false;
        c->n -= head + size + 2;
        memmove(c->raw, c->raw + head + size + 2, c->n + 1);
    }
}

static bool receive_more(event_client *c, int timeout_ms)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    char bytes[16384];
    ssize_t k;

    if (c->ended || poll(&p, 1, timeout_ms) != 1)
        return false;
    k = recv(c->fd, bytes, sizeof(bytes), 0);
    return k > 0 && append(&c->raw, &c->n, &c->room, bytes, (size_t)k) && decode(c);
}

static int left_ms(double until)
{
    return (int)((until - real_now_s()) * 1e3) + 1;
}

static bool is_field(const char *line, const char *name)
{
    return strncmp(line, name, strlen(name)) == 0;
}

/* Reads the lines of one block; false for those without data. */
static bool parse(char *block, one_event *out)
{
    memset(out, 0, sizeof(*out));
    for (char *line = strtok(block, "\n"); line; line = strtok(NULL, "\n")) {
        if (is_field(line, "id: "))
            out->id = strtoll(line + 4, NULL, 10);
        else if (is_field(line, "event: "))
            snprintf(out->name, sizeof(out->name), "%s", line + 7);
        else if (is_field(line, "data: "))
            out->data = strdup(line + 6);
    }
    return out->data != NULL;
}

bool events_next(event_client *c, one_event *out, int timeout_ms)
{
    double until = real_now_s() + timeout_ms / 1e3;

    for (;;) {
        char *end = c->len > 0 ? strstr(c->text, "\n\n") : NULL;

        if (end) {
            bool good;
            size_t n = (size_t)(end - c->text) + 2;

            *end = '\0';
            good = parse(c->text, out);
            c->len -= n;
            memmove(c->text, c->text + n, c->len + 1);
            if (good)
                return true;
        } else if (real_now_s() >= until || !receive_more(c, left_ms(until))) {
            return false;
        }
    }
}

bool events_until(event_client *c, const char *name, one_event *out, int timeout_ms)
{
    double until = real_now_s() + timeout_ms / 1e3;

    while (real_now_s() < until && events_next(c, out, left_ms(until))) {
        if (strcmp(out->name, name) == 0)
            return true;
        event_clear(out);
    }
    return false;
}

void event_clear(one_event *e)
{
    free(e->data);
    memset(e, 0, sizeof(*e));
}

void events_close(event_client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    http_reply_clear(&c->reply);
    free(c->raw);
    free(c->text);
    memset(c, 0, sizeof(*c));
    c->fd = -1;
}
