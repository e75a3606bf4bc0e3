/* Writes metrics.jsonl and, on resume, cuts what the checkpoint does not know of.
 * Has never heard of losses or terminals. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "ebm/memory.h"
#include "metrics_log.h"

#define FILE_NAME  "metrics.jsonl"
#define LINE_START "{\"iteration\":"
/* Far above the longest line: EBM_MAX_LEVELS numbers in each of seven lists. */
#define LINE_MAX_BYTES (1 << 18)

struct ebmt_metrics {
    FILE *file;
    char path[];
};

/* Returns the iteration of a complete line, or -1 for one that we did not write whole. */
static int64_t line_iteration(const char *line, size_t length)
{
    char *end;
    if (length < 2 || line[length - 1] != '\n' || line[length - 2] != '}' ||
        strncmp(line, LINE_START, strlen(LINE_START)) != 0)
        return -1;
    errno = 0;
    long long value = strtoll(line + strlen(LINE_START), &end, 10);
    return errno == 0 && *end == ',' && value >= 0 ? (int64_t)value : -1;
}

/* Lines are in order of iterations, so what is to go is always a tail. A line that does not fit
 * is none of ours.
 * @shape line [LINE_MAX_BYTES] */
static off_t length_to_keep(FILE *file, int64_t keep_through, char *line)
{
    off_t keep = 0;
    int64_t last = 0;
    while (fgets(line, LINE_MAX_BYTES, file)) {
        size_t n = strlen(line);
        int64_t iteration = line_iteration(line, n);
        if (iteration <= last || iteration > keep_through)
            break;
        last = iteration;
        keep += (off_t)n;
    }
    return keep;
}

static ebm_status io_error(const ebmt_metrics *m, const char *what, ebm_error *err)
{
    return ebm_error_set(err, EBM_ERR_IO, m->path, "cannot %s: %s", what, strerror(errno));
}

static ebm_status cut_tail(ebmt_metrics *m, int64_t keep_through, ebm_error *err)
{
    ebm_status st = EBM_OK;
    char *line = ebm_alloc(LINE_MAX_BYTES, 1);
    if (!line)
        return ebm_error_set(err, EBM_ERR_NOMEM, m->path, "no memory to read the file");
    off_t keep = length_to_keep(m->file, keep_through, line);
    if (ferror(m->file))
        st = io_error(m, "read", err);
    else if (fseeko(m->file, 0, SEEK_END) != 0 || ftruncate(fileno(m->file), keep) != 0)
        st = io_error(m, "cut", err);
    ebm_free(line);
    return st;
}

static ebm_status open_and_cut(ebmt_metrics *m, int64_t keep_through, ebm_error *err)
{
    int fd = open(m->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        return io_error(m, "open", err);
    m->file = fdopen(fd, "r+");
    if (!m->file) {
        (void)close(fd);
        return io_error(m, "open", err);
    }
    return cut_tail(m, keep_through, err);
}

ebm_status ebmt__metrics_open(const char *dir, int64_t keep_through, ebmt_metrics **out,
                              ebm_error *err)
{
    size_t room = strlen(dir) + sizeof FILE_NAME + 1;
    ebmt_metrics *m = ebm_alloc(1, sizeof *m + room);
    *out = NULL;
    if (!m)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the metrics file");
    (void)snprintf(m->path, room, "%s/" FILE_NAME, dir);
    ebm_status st = open_and_cut(m, keep_through, err);
    if (st != EBM_OK) {
        ebmt__metrics_close(m);
        return st;
    }
    *out = m;
    return EBM_OK;
}

static void put_real(FILE *f, const char *key, double value)
{
    if (isfinite(value))
        (void)fprintf(f, ",\"%s\":%.9g", key, value);
    else
        (void)fprintf(f, ",\"%s\":null", key);
}

static void put_reals(FILE *f, const char *key, const double *values, int32_t n)
{
    if (!values)
        return;
    (void)fprintf(f, ",\"%s\":[", key);
    for (int32_t i = 0; i < n; i++) {
        if (isfinite(values[i]))
            (void)fprintf(f, "%s%.9g", i ? "," : "", values[i]);
        else
            (void)fprintf(f, "%snull", i ? "," : "");
    }
    (void)fputc(']', f);
}

static void put_counts(FILE *f, const char *key, const int64_t *values, int32_t n)
{
    if (!values)
        return;
    (void)fprintf(f, ",\"%s\":[", key);
    for (int32_t i = 0; i < n; i++)
        (void)fprintf(f, "%s%lld", i ? "," : "", (long long)values[i]);
    (void)fputc(']', f);
}

static bool some_finite(const double *values, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (isfinite(values[i]))
            return true;
    return false;
}

ebm_status ebmt__metrics_append(ebmt_metrics *m, const ebmt_report *r, ebm_error *err)
{
    FILE *f = m->file;
    (void)fprintf(f, LINE_START "%lld", (long long)r->iteration);
    put_real(f, "seconds", r->seconds);
    put_real(f, "loss", r->loss);
    put_real(f, "matching", r->matching);
    put_real(f, "grad_norm", r->grad_norm);
    put_real(f, "lr", r->lr);
    put_reals(f, "gap", r->gap, r->levels);
    put_reals(f, "displacement", r->displacement, r->levels);
    /* matching alone and normal transitions make no moves: the list would be all null */
    if (r->acceptance && some_finite(r->acceptance, r->levels))
        put_reals(f, "acceptance", r->acceptance, r->levels);
    put_reals(f, "level_matching", r->level_matching, r->levels);
    put_counts(f, "seen", r->seen, r->levels);
    if (r->persistent) {
        put_real(f, "persistent_gap", r->persistent_gap);
        put_real(f, "persistent_acceptance", r->persistent_acceptance);
    }
    put_reals(f, "validation_gap", r->validation_gap, r->levels);
    put_reals(f, "validation_error", r->validation_error, r->levels);
    (void)fputs("}\n", f);
    if (fflush(f) != 0 || ferror(f))
        return io_error(m, "write", err);
    return EBM_OK;
}

static void hand_out(FILE *file, char *line,
                     void (*take)(void *user, const char *line, int64_t file_bytes), void *user)
{
    off_t size = fseeko(file, 0, SEEK_END) == 0 ? ftello(file) : 0;
    rewind(file);
    while (fgets(line, LINE_MAX_BYTES, file) && strchr(line, '\n'))
        take(user, line, (int64_t)size);
}

ebm_status ebmt__metrics_read(const char *dir,
                              void (*take)(void *user, const char *line, int64_t file_bytes),
                              void *user, ebm_error *err)
{
    size_t room = strlen(dir) + sizeof FILE_NAME + 1;
    char *path = ebm_alloc(room, 1), *line = ebm_alloc(LINE_MAX_BYTES, 1);
    FILE *file = NULL;
    ebm_status st = EBM_ERR_NOMEM;
    if (!path || !line) {
        st = ebm_error_set(err, EBM_ERR_NOMEM, "metrics", "no memory to read the file");
        goto out;
    }
    (void)snprintf(path, room, "%s/" FILE_NAME, dir);
    file = fopen(path, "re");
    if (file)
        hand_out(file, line, take, user);
    if (file ? ferror(file) != 0 : errno != ENOENT) {
        st = ebm_error_set(err, EBM_ERR_IO, path, "cannot read: %s", strerror(errno));
        goto out;
    }
    st = EBM_OK;
out:
    if (file)
        (void)fclose(file);
    ebm_free(path);
    ebm_free(line);
    return st;
}

void ebmt__metrics_close(ebmt_metrics *m)
{
    if (!m)
        return;
    if (m->file)
        (void)fclose(m->file);
    ebm_free(m);
}
