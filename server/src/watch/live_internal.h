/* What the files of live share. Not for others. All of it needs the lock. */
#ifndef EBMD_LIVE_INTERNAL_H
#define EBMD_LIVE_INTERNAL_H

#include <pthread.h>

#include "watch/live.h"

#define EBMD__LIVE_BUCKETS 1024u

/* A job that is watched. */
typedef struct ebmd_topic {
    struct ebmd_topic *next; /* in its bucket */
    char id[EBMD_ID_SIZE];
    ebmd_feed feed;
    size_t watches;
    double look_at, idle_since, preview_at;
    bool ended;
    int64_t end_number;
    bool known; /* the next two are what was published last */
    ebmd_job_state state;
    size_t position;
    ebmd_progress progress;
    struct {
        bool asked; /* somebody waits for the next one */
        char *png;  /* the last one; NULL: none yet */
        size_t size;
        double made_at;
    } picture;
} ebmd_topic;

struct ebmd_live {
    ebmd_live_options opt;
    pthread_mutex_t lock;
    ebmd_topic *bucket[EBMD__LIVE_BUCKETS];
    size_t n_topics;
    ebmd_watch *watches; /* admitted ones */
    size_t n_watches;
    bool draining;
};

/* Where the topic of a job is, or would be put. */
ebmd_topic **ebmd__live_slot(ebmd_live *l, const char *id);
/* The topic of a job, made if there is none. @err NULL: no memory */
ebmd_topic *ebmd__live_topic(ebmd_live *l, const char *id);
/* Forgets topics that nobody watches: those that have ended or are old, or all. */
void ebmd__live_drop_idle(ebmd_live *l, double now, bool all);
/* Wakes who watches a topic; NULL: everybody. */
void ebmd__live_wake(const ebmd_live *l, const ebmd_topic *t);
/* Says what is new about a job; view NULL: it is not there. */
void ebmd__live_publish(ebmd_live *l, ebmd_topic *t, const ebmd_view *view);
/* The job has ended: there will be no more events but that. */
void ebmd__live_end(ebmd_topic *t);

#endif
