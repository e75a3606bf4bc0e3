/* JSON log lines, see log.h. */
#include "base/log.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ebm/memory.h"
#include "ebma/api.h"

struct ebmd_log {
    int fd;
    pthread_mutex_t lock;
    uint64_t dropped; /* lines lost since the last one that got through */
};

/* A line being built; what does not fit is left out, the object still closes. */
typedef struct line {
    char *out;
    size_t room, used;
} line;

#define FOREIGN_PER_S 10
#define TAIL          4 /* '"', '}', newline, zero */

static bool put_raw(line *l, const char *text, size_t n)
{
    if (n > l->room - l->used)
        return false;
    memcpy(l->out + l->used, text, n);
    l->used += n;
    return true;
}

/* Everything but visible ASCII becomes \u00XX, so that no byte of a client can end the line,
 * colour a terminal or break the JSON. */
static void put_escaped(line *l, const char *text)
{
    char esc[8];

    for (size_t i = 0; text[i] && i < EBMD_LOG_TEXT_MAX; i++) {
        unsigned char c = (unsigned char)text[i];
        bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';

        if (plain) {
            esc[0] = (char)c;
            esc[1] = '\0';
        } else {
            snprintf(esc, sizeof(esc), "\\u%04x", (unsigned)c);
        }
        if (!put_raw(l, esc, strlen(esc)))
            return;
    }
}

static void put_member(line *l, const ebmd_field *f)
{
    size_t start = l->used;
    char number[40];
    bool ok;

    ok = put_raw(l, ",\"", 2) && put_raw(l, f->key, strlen(f->key)) && put_raw(l, "\":", 2);
    if (ok && f->text) {
        ok = put_raw(l, "\"", 1);
        if (ok)
            put_escaped(l, f->text);
        if (ok && l->used < l->room)
            l->out[l->used++] = '"';
        else
            ok = false;
    } else if (ok) {
        int n = snprintf(number, sizeof(number), "%.10g", f->number);
        ok = n > 0 && f->number - f->number == 0.0 && put_raw(l, number, (size_t)n);
    }
    if (!ok)
        l->used = start;
}

size_t ebmd_log_format(char *out, size_t size, int64_t unix_ms, ebmd_level level, const char *event,
                       const ebmd_field *fields, size_t n)
{
    static const char *const names[] = {"info", "warn", "error"};
    line l = {.out = out, .room = size - TAIL};
    char ts[EBMA_TIME_SIZE];
    int head;

    ebma_time_format(unix_ms, ts);
    head = snprintf(out, l.room, "{\"ts\":\"%s\",\"level\":\"%s\",\"event\":\"%.64s\"", ts,
                    names[level], event);
    l.used = head > 0 && (size_t)head < l.room ? (size_t)head : 0;
    for (size_t i = 0; i < n; i++)
        put_member(&l, &fields[i]);
    memcpy(out + l.used, "}\n", 3);
    return l.used + 2;
}

bool ebmd_log_allows(ebmd_log_limit *limit, int per_second)
{
    long long second = (long long)(ebmd_clock_ms() / 1e3);

    if (atomic_exchange(&limit->second, second) != second)
        atomic_store(&limit->lines, 0);
    return atomic_fetch_add(&limit->lines, 1) < per_second;
}

ebmd_log *ebmd_log_open(int fd)
{
    ebmd_log *log = ebm_alloc(1, sizeof(*log));

    if (!log)
        return NULL;
    log->fd = fd;
    if (pthread_mutex_init(&log->lock, NULL) != 0) {
        ebm_free(log);
        return NULL;
    }
    return log;
}

void ebmd_log_close(ebmd_log *log)
{
    if (!log)
        return;
    pthread_mutex_destroy(&log->lock);
    ebm_free(log);
}

/* A pipe that polls writable has room for PIPE_BUF bytes, so a line never blocks; one that does
 * not poll writable has a reader that is stuck, and the line is dropped and counted. */
static bool write_line(ebmd_log *log, const char *text, size_t n)
{
    struct pollfd p = {.fd = log->fd, .events = POLLOUT};

    if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
        return false;
    return write(log->fd, text, n) == (ssize_t)n;
}

static void report_dropped(ebmd_log *log)
{
    ebmd_field f = {.key = "lines", .number = (double)log->dropped};
    char text[256];
    size_t n;

    n = ebmd_log_format(text, sizeof(text), ebmd_clock_wall_ms(), EBMD_WARN, "log_dropped", &f, 1);
    if (write_line(log, text, n))
        log->dropped = 0;
}

void ebmd_log_event(ebmd_log *log, ebmd_level level, const char *event, const ebmd_field *fields,
                    size_t n)
{
    char text[EBMD_LOG_LINE_MAX];
    size_t size;

    if (!log)
        return;
    size = ebmd_log_format(text, sizeof(text), ebmd_clock_wall_ms(), level, event, fields, n);
    pthread_mutex_lock(&log->lock);
    if (log->dropped > 0)
        report_dropped(log);
    if (!write_line(log, text, size))
        log->dropped++;
    pthread_mutex_unlock(&log->lock);
}

void ebmd_log_foreign(ebmd_log *log, ebmd_log_limit *limit, const char *fmt, va_list ap)
{
    char text[256];
    ebmd_field field = {.key = "text", .text = text};

    if (!ebmd_log_allows(limit, FOREIGN_PER_S))
        return;
    vsnprintf(text, sizeof(text), fmt, ap);
    text[strcspn(text, "\r\n")] = '\0';
    ebmd_log_event(log, EBMD_INFO, "http_library", &field, 1);
}
