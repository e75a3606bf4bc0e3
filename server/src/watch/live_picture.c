/* Single pictures of jobs on their way, see live.h: asked for by one, made by a worker, kept for a
 * while. They are no events: who only wants to see where a job stands needs no stream. */
#include <string.h>

#include "base/clock.h"
#include "ebm/memory.h"
#include "watch/live_internal.h"

bool ebmd_live_picture_ask(ebmd_live *l, const ebmd_view *view)
{
    ebmd_topic *t;

    pthread_mutex_lock(&l->lock);
    t = ebmd__live_topic(l, view->row.id);
    if (t) {
        ebmd__live_publish(l, t, view);
        t->picture.asked = true;
        t->idle_since = ebmd_clock_ms();
    }
    pthread_mutex_unlock(&l->lock);
    return t != NULL;
}

void ebmd_live_picture_put(ebmd_live *l, const char *id, const void *png, size_t size)
{
    char *copy = ebm_alloc(size, 1);
    ebmd_topic *t;

    if (copy)
        memcpy(copy, png, size);
    pthread_mutex_lock(&l->lock);
    t = *ebmd__live_slot(l, id);
    if (t && copy) {
        char *old = t->picture.png;

        t->picture.png = copy;
        t->picture.size = size;
        t->picture.made_at = ebmd_clock_ms();
        copy = old;
    }
    if (t)
        t->picture.asked = false;
    pthread_mutex_unlock(&l->lock);
    ebm_free(copy);
    l->opt.pictured(l->opt.arg, id);
}

static ebm_status copy_picture(const ebmd_topic *t, char **png, size_t *size)
{
    *png = ebm_alloc(t->picture.size, 1);
    if (!*png)
        return EBM_ERR_NOMEM;
    memcpy(*png, t->picture.png, t->picture.size);
    *size = t->picture.size;
    return EBM_OK;
}

ebm_status ebmd_live_picture_get(ebmd_live *l, const char *id, double age_ms, char **png,
                                 size_t *size)
{
    double oldest = ebmd_clock_ms() - age_ms;
    ebm_status st = EBM_ERR_NOT_FOUND;
    const ebmd_topic *t;

    *png = NULL;
    *size = 0;
    pthread_mutex_lock(&l->lock);
    t = *ebmd__live_slot(l, id);
    if (t && !t->ended && t->picture.png && t->picture.made_at >= oldest)
        st = copy_picture(t, png, size);
    pthread_mutex_unlock(&l->lock);
    return st;
}
