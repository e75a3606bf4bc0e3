/* A raw HTTP client for tests, see http_client.h. */
#include "http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define JSON       "Content-Type: application/json\r\n"
#define TIMEOUT_MS 120000 /* of a daemon that hangs; sanitizers and busy machines are slow */

int http_connect(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

bool http_send(int fd, const void *data, size_t n)
{
    const char *p = data;

    while (n > 0) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

        if (k <= 0)
            return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

bool http_send_text(int fd, const char *text)
{
    return http_send(fd, text, strlen(text));
}

static ssize_t receive(int fd, char *out, size_t n, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    if (poll(&p, 1, timeout_ms) != 1)
        return -1;
    return recv(fd, out, n, 0);
}

static bool read_head(int fd, http_reply *out)
{
    size_t n = 0;

    while (n + 1 < sizeof(out->head)) {
        /* byte by byte: what follows the head belongs to the body or the next reply */
        if (receive(fd, out->head + n, 1, TIMEOUT_MS) != 1)
            return false;
        out->head[++n] = '\0';
        if (n >= 4 && memcmp(out->head + n - 4, "\r\n\r\n", 4) == 0)
            return sscanf(out->head, "HTTP/1.1 %d", &out->status) == 1;
    }
    return false;
}

bool http_read(int fd, bool has_body, http_reply *out)
{
    char length[32];
    size_t got = 0;

    memset(out, 0, sizeof(*out));
    if (!read_head(fd, out)) {
        out->status = 0;
        return false;
    }
    if (out->status == 100)
        return http_read(fd, has_body, out);
    if (http_header(out, "Content-Length", length, sizeof(length)))
        out->size = has_body ? strtoul(length, NULL, 10) : 0;
    out->body = calloc(out->size + 1, 1);
    while (out->body && got < out->size) {
        ssize_t k = receive(fd, out->body + got, out->size - got, TIMEOUT_MS);

        if (k <= 0) {
            http_reply_clear(out);
            return false;
        }
        got += (size_t)k;
    }
    return out->body != NULL;
}

bool http_ends(int fd, int timeout_ms)
{
    char byte;

    /* a reset is an end too: it follows when the server closes with our bytes unread */
    return receive(fd, &byte, 1, timeout_ms) <= 0 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0 &&
           send(fd, "", 0, MSG_NOSIGNAL) <= 0;
}

bool http_call(int port, const char *method, const char *path, const char *headers,
               const char *body, http_reply *out)
{
    char head[4096];
    int fd = http_connect(port);
    int n;
    bool ok;

    memset(out, 0, sizeof(*out));
    n = snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: t\r\n%s", method, path, headers);
    if (body)
        n += snprintf(head + n, sizeof(head) - (size_t)n, "Content-Length: %zu\r\n", strlen(body));
    n += snprintf(head + n, sizeof(head) - (size_t)n, "\r\n");
    ok = fd >= 0 && (size_t)n < sizeof(head) && http_send(fd, head, (size_t)n) &&
         (!body || http_send_text(fd, body)) && http_read(fd, strcmp(method, "HEAD") != 0, out);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool http_post(int port, const char *path, const char *body, http_reply *out)
{
    return http_call(port, "POST", path, JSON, body, out);
}

int http_status(int port, const char *method, const char *path, const char *headers,
                const char *body)
{
    http_reply r;
    int status = http_call(port, method, path, headers, body, &r) ? r.status : 0;

    http_reply_clear(&r);
    return status;
}

int http_get_status(int port, const char *path)
{
    return http_status(port, "GET", path, "", NULL);
}

int http_post_status(int port, const char *path, const char *body)
{
    return http_status(port, "POST", path, JSON, body);
}

const char *http_header(const http_reply *reply, const char *name, char *out, size_t size)
{
    size_t n = strlen(name);

    for (const char *line = strstr(reply->head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
            line += n + 1;
            line += strspn(line, " ");
            snprintf(out, size, "%.*s", (int)strcspn(line, "\r"), line);
            return out;
        }
    }
    return NULL;
}

void http_reply_clear(http_reply *reply)
{
    free(reply->body);
    memset(reply, 0, sizeof(*reply));
}
