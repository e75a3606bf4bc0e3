/* Formats and paces the progress line. Asks nobody for the time. */
#include <math.h>
#include <string.h>

#include "progress.h"

#define LINE_MAX_CHARS    400
#define TERMINAL_INTERVAL 0.1 /* seconds between two drawings of the line */
#define PLAIN_INTERVAL    10.0
#define SPEED_MEMORY      30.0 /* seconds over which the speed is averaged */
#define BAR_MAX           30
#define BAR_MIN           8

void ebmt__progress_init(ebmt_progress *p, FILE *out, bool terminal, int32_t width)
{
    memset(p, 0, sizeof *p);
    p->out = out;
    p->terminal = terminal;
    p->width = width < 20 ? 20 : width > LINE_MAX_CHARS ? LINE_MAX_CHARS : width;
}

/* "3h02m", "4m05s", "7s"; "--" while nothing is known. */
static void format_left(double seconds, char *out, size_t size)
{
    if (!(seconds >= 0.0) || seconds > 1e8) {
        (void)snprintf(out, size, "--");
        return;
    }
    long s = lround(seconds);
    if (s >= 3600)
        (void)snprintf(out, size, "%ldh%02ldm", s / 3600, s / 60 % 60);
    else if (s >= 60)
        (void)snprintf(out, size, "%ldm%02lds", s / 60, s % 60);
    else
        (void)snprintf(out, size, "%lds", s);
}

static void format_speed(double per_iteration, char *out, size_t size)
{
    if (per_iteration <= 0.0)
        (void)snprintf(out, size, "-- it/s");
    else if (per_iteration < 1.0)
        (void)snprintf(out, size, "%.1f it/s", 1.0 / per_iteration);
    else
        (void)snprintf(out, size, "%.1f s/it", per_iteration);
}

static double fraction(const ebmt_report *r)
{
    if (r->iterations <= 0)
        return 0.0;
    double f = (double)r->iteration / (double)r->iterations;
    return f < 0.0 ? 0.0 : f > 1.0 ? 1.0 : f;
}

static void format_facts(const ebmt_progress *p, const ebmt_report *r, char *out, size_t size)
{
    char speed[32], left[32];
    double todo = (double)(r->iterations - r->iteration);
    format_speed(p->per_iteration, speed, sizeof speed);
    format_left(p->per_iteration > 0.0 ? todo * p->per_iteration : -1.0, left, sizeof left);
    int n = snprintf(out, size, "%lld/%lld %3.0f%%  %s  ETA %s  loss %.4g  grad %.3g",
                     (long long)r->iteration, (long long)r->iterations, floor(100.0 * fraction(r)),
                     speed, left, r->loss, r->grad_norm);
    if (n > 0 && (size_t)n < size && r->matching != 0.0)
        (void)snprintf(out + n, size - (size_t)n, "  match %.4g", r->matching);
}

/* "[=====>    ] " of `room` characters in all, or nothing when that is too few to tell anything. */
static size_t format_bar(double done, size_t room, char *out)
{
    if (room < BAR_MIN + 3)
        return 0;
    size_t cells = room - 3 < BAR_MAX ? room - 3 : BAR_MAX;
    size_t full = (size_t)(done * (double)cells);
    out[0] = '[';
    for (size_t i = 0; i < cells; i++)
        out[1 + i] = i < full ? '=' : i == full ? '>' : ' ';
    out[1 + cells] = ']';
    out[2 + cells] = ' ';
    return cells + 3;
}

void ebmt__progress_format(const ebmt_progress *p, const ebmt_report *report, char *line,
                           size_t size)
{
    char facts[LINE_MAX_CHARS];
    char full[LINE_MAX_CHARS + BAR_MAX + 4];
    size_t bar = 0;
    format_facts(p, report, facts, sizeof facts);
    size_t length = strlen(facts);
    size_t columns = (size_t)p->width - 1; /* a full last column makes terminals wrap */
    if (p->terminal && length < columns)
        bar = format_bar(fraction(report), columns - length, full);
    memcpy(full + bar, facts, length + 1);
    if (p->terminal && bar + length > columns)
        full[columns] = '\0';
    (void)snprintf(line, size, "%s", full);
}

/* An average over the last SPEED_MEMORY seconds, whatever the iterations take: a resumed run is
 * measured by what it did itself. */
static void learn_speed(ebmt_progress *p, const ebmt_report *r, double now)
{
    double elapsed = now - p->now;
    double iterations = (double)(r->iteration - p->iteration);
    if (p->begun && iterations > 0.0 && elapsed > 0.0) {
        double fresh = elapsed / iterations;
        double keep = p->per_iteration > 0.0 ? exp(-elapsed / SPEED_MEMORY) : 0.0;
        p->per_iteration = keep * p->per_iteration + (1.0 - keep) * fresh;
    }
    p->now = now;
    p->iteration = r->iteration;
}

static void draw(ebmt_progress *p, const char *line)
{
    size_t length = strlen(line);
    size_t rest = p->on_screen > length ? p->on_screen - length : 0;
    (void)fprintf(p->out, "\r%s%*s", line, (int)rest, "");
    p->on_screen = length;
}

void ebmt__progress_update(ebmt_progress *p, const ebmt_report *report, double now)
{
    char line[LINE_MAX_CHARS];
    double interval = p->terminal ? TERMINAL_INTERVAL : PLAIN_INTERVAL;
    bool due = !p->begun || now - p->shown >= interval || report->iteration >= report->iterations;
    learn_speed(p, report, now);
    p->begun = true;
    if (!due)
        return;
    p->shown = now;
    ebmt__progress_format(p, report, line, sizeof line);
    if (p->terminal)
        draw(p, line);
    else
        (void)fprintf(p->out, "%s\n", line);
    (void)fflush(p->out);
}

void ebmt__progress_note(ebmt_progress *p, const char *line)
{
    if (p->on_screen > 0)
        draw(p, "");
    (void)fprintf(p->out, "%s%s\n", p->terminal ? "\r" : "", line);
    (void)fflush(p->out);
}

void ebmt__progress_finish(ebmt_progress *p)
{
    if (p->on_screen > 0)
        (void)fputc('\n', p->out);
    p->on_screen = 0;
    (void)fflush(p->out);
}
