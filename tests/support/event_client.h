/* A client that reads a stream of events, for tests. Knows chunks and the outline of an event; not
 * what is streamed. */
#ifndef EBM_TEST_EVENT_CLIENT_H
#define EBM_TEST_EVENT_CLIENT_H

#include "http_client.h"

typedef struct event_client {
    int fd;
    http_reply reply; /* the head, and the body of a refusal */
    char *raw;        /* bytes that are not decoded yet */
    size_t n, room;
    char *text; /* decoded, not yet given out */
    size_t len, text_room;
    bool ended; /* the last chunk has come */
} event_client;

typedef struct one_event {
    long long id; /* 0: none */
    char name[32];
    char *data; /* free() */
} one_event;

/* Sends a request and reads the head of its reply. @err false: no connection, no head */
bool events_open(event_client *c, int port, const char *method, const char *path,
                 const char *headers, const char *body);
/* Reads the next event; signs of life are passed over.
 * @err false: none came in time, or the stream has ended (c->ended: properly) */
bool events_next(event_client *c, one_event *out, int timeout_ms);
/* Reads on until an event of this name comes. */
bool events_until(event_client *c, const char *name, one_event *out, int timeout_ms);
void event_clear(one_event *e);
void events_close(event_client *c);

#endif
