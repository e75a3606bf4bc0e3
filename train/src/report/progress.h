/* Progress of a run for people: one line that rewrites itself on a terminal, a plain line now
 * and then elsewhere. Knows reports and a stream; time comes in as an argument. */
#ifndef EBMT_PROGRESS_H
#define EBMT_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ebmt/train.h"

typedef struct ebmt_progress {
    FILE *out;
    bool terminal;
    int32_t width; /* columns of the terminal */

    bool begun;
    int64_t iteration;    /* of the last update */
    double now;           /* time of the last update */
    double per_iteration; /* running seconds per iteration; 0: unknown yet */
    double shown;         /* time of the last line */
    size_t on_screen;     /* characters of the line that is being rewritten */
} ebmt_progress;

/* @range width 20..400, other values are clamped */
void ebmt__progress_init(ebmt_progress *p, FILE *out, bool terminal, int32_t width);

/* Tells of one iteration; most calls print nothing. @unit now: seconds of a monotonic clock */
void ebmt__progress_update(ebmt_progress *p, const ebmt_report *report, double now);

/* Prints a line of its own, above the progress line if there is one. */
void ebmt__progress_note(ebmt_progress *p, const char *line);

/* Ends the line that is being rewritten, if there is one. */
void ebmt__progress_finish(ebmt_progress *p);

/* Formats the line of a report: bar (on a terminal, when it fits), counts, speed, time left,
 * loss, gradient norm. Never more than p->width-1 characters on a terminal.
 * @shape line [size], zero-terminated */
void ebmt__progress_format(const ebmt_progress *p, const ebmt_report *report, char *line,
                           size_t size);

#endif
