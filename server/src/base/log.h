/* The log: one JSON object a line. Text from outside is escaped here and nowhere else, and a
 * reader that stops reading costs lines, never time. Knows nothing of what it reports. */
#ifndef EBMD_LOG_H
#define EBMD_LOG_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ebmd_log ebmd_log;

typedef enum ebmd_level { EBMD_INFO, EBMD_WARN, EBMD_ERROR } ebmd_level;

/* One member of a line: text if it is not NULL, else the number. */
typedef struct ebmd_field {
    const char *key;
    const char *text;
    double number;
} ebmd_field;

#define EBMD_LOG_LINE_MAX 4096 /* PIPE_BUF: such a write to a pipe with room is never split */
#define EBMD_LOG_TEXT_MAX 512  /* bytes of one text that are kept */

/* Logs to an open descriptor, which stays the caller's. @own free with ebmd_log_close()
 * @err NULL: no memory */
ebmd_log *ebmd_log_open(int fd);
void ebmd_log_close(ebmd_log *log); /* NULL allowed */

/* Writes one line: ts, level, event, then the fields. log may be NULL.
 * @thread any; lines do not mix */
void ebmd_log_event(ebmd_log *log, ebmd_level level, const char *event, const ebmd_field *fields,
                    size_t n);

/* Lines of one kind in this second. Zero-initialise. */
typedef struct ebmd_log_limit {
    atomic_llong second;
    atomic_int lines;
} ebmd_log_limit;
/* True for the first few lines of each second. @thread any */
bool ebmd_log_allows(ebmd_log_limit *limit, int per_second);

/* Writes a line that the HTTP library has to say. It writes one per broken connection, with client
 * data in it: a flood of bad clients must not become a flood of lines, so there are ten a second.
 */
__attribute__((format(printf, 3, 0))) void ebmd_log_foreign(ebmd_log *log, ebmd_log_limit *limit,
                                                            const char *fmt, va_list ap);

/* Formats what ebmd_log_event() would write, without the time stamp's freedom: for tests too.
 * Returns the bytes used, newline included; never more than `size`. @range size >= 256 */
size_t ebmd_log_format(char *out, size_t size, int64_t unix_ms, ebmd_level level, const char *event,
                       const ebmd_field *fields, size_t n);

#endif
