/* A client that sends exactly the bytes it is given, so that tests can break HTTP's rules.
 * Knows sockets and the outline of a reply; not what is asked. */
#ifndef EBM_TEST_HTTP_CLIENT_H
#define EBM_TEST_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_HEAD_MAX 8192

typedef struct http_reply {
    int status; /* 0: the connection ended before a complete reply */
    char head[HTTP_HEAD_MAX];
    char *body; /* free(); terminated by a zero */
    size_t size;
} http_reply;

/* Connects to 127.0.0.1. Returns a descriptor, or -1. */
int http_connect(int port);
bool http_send(int fd, const void *data, size_t n);
bool http_send_text(int fd, const char *text);
/* Reads one reply: head, then Content-Length bytes (none for HEAD replies: has_body false). */
bool http_read(int fd, bool has_body, http_reply *out);
/* True if the peer closes without sending another byte within the time. */
bool http_ends(int fd, int timeout_ms);
/* One request on its own connection; headers is "" or lines that end in "\r\n". */
bool http_call(int port, const char *method, const char *path, const char *headers,
               const char *body, http_reply *out);
/* POST with Content-Type: application/json. */
bool http_post(int port, const char *path, const char *body, http_reply *out);
/* The status of http_call(), of a GET without headers, and of http_post(); 0 if there was no
 * complete reply. */
int http_status(int port, const char *method, const char *path, const char *headers,
                const char *body);
int http_get_status(int port, const char *path);
int http_post_status(int port, const char *path, const char *body);
/* Value of a header of the reply (any case), copied to out; NULL if it is not there. */
const char *http_header(const http_reply *reply, const char *name, char *out, size_t size);
void http_reply_clear(http_reply *reply);

#endif
