/* Everybody who watches a job as it runs: the streams, and a feed of events for each job that is
 * watched. Feeds are kept in memory alone, and a little longer than anybody watches, so that a
 * client whose line broke finds what it missed.
 * Knows jobs' ids, views and events; not how a stream is sent (stream.h), nor who asks for it.
 * @thread every call from any thread. Lock order: the store's lock, then ours, then the
 * listener's; so nothing here calls the store with the lock held. */
#ifndef EBMD_LIVE_H
#define EBMD_LIVE_H

#include <stdatomic.h>

#include "base/metrics.h"
#include "store/store.h"
#include "watch/feed.h"

typedef struct ebmd_live ebmd_live;

/* One who watches. Lies in whatever watches, zeroed; the first seven are set by it. */
typedef struct ebmd_watch {
    char id[EBMD_ID_SIZE];
    char owner[EBMD_OWNER_SIZE];
    void (*wake)(void *arg); /* there may be something to send; must not come back */
    void *arg;
    const atomic_bool *gone; /* its client has left */
    int32_t preview_every;   /* wants to see a chain every so many levels; 0: never */
    int64_t last_seen;       /* number of the last event it has; -1: none */

    ebmd_live *home;          /* since it was admitted */
    struct ebmd_topic *topic; /* since it joined */
    struct ebmd_watch *prev, *next;
    int64_t cursor;     /* number of the last event given */
    double beat_at;     /* ebmd_clock_ms(): when to show that the line stands */
    double old_at;      /* when it has lasted long enough */
    bool begun, missed; /* it has been told the rules; it has to be told that events were missed */
} ebmd_watch;

typedef struct ebmd_live_options {
    ebmd_store *store;
    ebmd_metrics *metrics;                       /* NULL: nobody counts */
    double (*seconds)(void *arg, int64_t work);  /* how long so much work takes */
    void (*pictured)(void *arg, const char *id); /* a picture that was asked for is there */
    /* Writes the job object as it stands; of a job that is not there any more, what is to be said
     * of it. @own *json: ebm_free() */
    ebm_status (*describe)(void *arg, const char *id, ebmd_job_state *state, char **json,
                           size_t *size);
    void *arg;
    size_t streams; /* at once; a quarter of them for one owner */
    double beat_ms; /* between two signs of life on a stream that has nothing to say */
} ebmd_live_options;

/* @own ebmd_live_free() @err NULL: no memory */
ebmd_live *ebmd_live_create(const ebmd_live_options *opt);
void ebmd_live_free(ebmd_live *l); /* NULL allowed; nobody may watch */

typedef enum ebmd_admission { EBMD_ADMITTED, EBMD_LIVE_FULL, EBMD_LIVE_OWNER_FULL } ebmd_admission;
/* Takes a place for a stream, before anything is done for it. @own ebmd_live_leave() */
EBM_MUST_CHECK ebmd_admission ebmd_live_admit(ebmd_live *l, ebmd_watch *w);
/* Begins to watch the job w->id. view: as the store shows it just now, NULL if it is not there.
 * @err false: no memory */
EBM_MUST_CHECK bool ebmd_live_join(ebmd_watch *w, const ebmd_view *view);
/* Gives the place back; afterwards nobody wakes it. Also for one that was never admitted. */
void ebmd_live_leave(ebmd_watch *w);

/* What a stream has to send next. */
typedef enum ebmd_turn {
    EBMD_TURN_NOTHING,
    EBMD_TURN_BEGIN, /* the rules of the stream */
    EBMD_TURN_RESET, /* that events were missed, with the job object */
    EBMD_TURN_EVENT, /* item: a copy, ebm_free() */
    EBMD_TURN_BEAT,  /* a sign of life */
    EBMD_TURN_END,   /* how the job has ended: the last one */
    EBMD_TURN_DRAIN, /* that we are going away: the last one */
    EBMD_TURN_OLD,   /* that it should connect again: the last one */
    EBMD_TURN_BROKEN /* no memory to tell it: the last one */
} ebmd_turn;
typedef struct ebmd_next {
    ebmd_turn turn;
    int64_t number; /* of RESET and END */
    ebmd_feed_item *item;
} ebmd_next;
ebmd_next ebmd_live_next(ebmd_watch *w);
/* The job object for RESET and END, see ebmd_live_options. @err NOMEM and what the store says */
EBM_MUST_CHECK ebm_status ebmd_live_describe(const ebmd_live *l, const char *id,
                                             ebmd_job_state *state, char **json, size_t *size);

/* --- what happens -------------------------------------------------------------------------- */

/* A job has been queued again. */
void ebmd_live_queued(ebmd_live *l, const char *id);
/* A worker has begun with it. */
void ebmd_live_started(ebmd_live *l, const ebmd_row *row);
/* A job has ended. */
void ebmd_live_ended(ebmd_live *l, const char *id);
/* We are going away: ends all streams. */
void ebmd_live_drain(ebmd_live *l);
/* Looks after everybody: call several times a second. Makes progress events, at most four a
 * second for each job, wakes who has to show a sign of life, forgets what nobody watches. */
void ebmd_live_tick(ebmd_live *l);

/* Who wants to see a chain. */
enum {
    EBMD_WANTED_EVENT = 1,  /* a stream: ebmd_live_show() */
    EBMD_WANTED_PICTURE = 2 /* somebody who asked once: ebmd_live_picture_put() */
};
/* Who wants a picture of a chain that stands at `level` and was last shown to streams at `shown`
 * (-1: never); at most two a second for each job. */
unsigned ebmd_live_wants(ebmd_live *l, const char *id, int32_t level, int32_t shown);
/* True if anybody watches, or has asked for a picture. */
bool ebmd_live_watched(ebmd_live *l, const char *id);
/* Adds a PREVIEW or IMAGE event to those of a job that is known to have started. */
void ebmd_live_show(ebmd_live *l, const char *id, const ebma_event *event);

/* --- one picture at a time: live_picture.c ---------------------------------------------------- */

/* Asks for the next picture of a job that runs, as the store shows it just now.
 * @err false: no memory */
EBM_MUST_CHECK bool ebmd_live_picture_ask(ebmd_live *l, const ebmd_view *view);
/* Keeps a picture and tells those who have asked. Without memory they ask again. */
void ebmd_live_picture_put(ebmd_live *l, const char *id, const void *png, size_t size);
/* Copies the last picture of a job that has not ended, if it is at most so old.
 * @own *png: ebm_free() @err NOT_FOUND, NOMEM */
EBM_MUST_CHECK ebm_status ebmd_live_picture_get(ebmd_live *l, const char *id, double age_ms,
                                                char **png, size_t *size);

size_t ebmd_live_count(ebmd_live *l); /* streams */
size_t ebmd_live_limit(const ebmd_live *l);

#endif
