/* Events of one job, see feed.h. */
#include "watch/feed.h"

#include <string.h>

#include "ebm/memory.h"

void ebmd_feed_start(ebmd_feed *f, int64_t now_ms)
{
    *f = (ebmd_feed){.lost = now_ms, .newest = now_ms};
}

static void drop_first(ebmd_feed *f)
{
    ebmd_feed_item *item = f->first;

    f->first = item->next;
    if (!f->first)
        f->last = NULL;
    f->items--;
    f->bytes -= item->size;
    ebm_free(item);
}

void ebmd_feed_clear(ebmd_feed *f)
{
    while (f->first)
        drop_first(f);
}

int64_t ebmd_feed_number(ebmd_feed *f, int64_t now_ms)
{
    f->newest = now_ms > f->newest ? now_ms : f->newest + 1;
    return f->newest;
}

static bool replaces(ebma_event_type type)
{
    return type == EBMA_EVENT_PROGRESS || type == EBMA_EVENT_PREVIEW || type == EBMA_EVENT_QUEUED ||
           type == EBMA_EVENT_DIAGNOSTICS;
}

/* Takes out the event that a new one of this type and index makes superfluous; there is at most
 * one, because each was taken out in its turn. */
static void drop_replaced(ebmd_feed *f, ebma_event_type type, int64_t index)
{
    ebmd_feed_item *before = NULL;

    for (ebmd_feed_item *item = f->first; item; before = item, item = item->next) {
        if (item->type != type || item->index != index)
            continue;
        if (before)
            before->next = item->next;
        else
            f->first = item->next;
        if (f->last == item)
            f->last = before;
        f->items--;
        f->bytes -= item->size;
        ebm_free(item);
        return;
    }
}

static ebmd_feed_item *make_item(const ebma_event *event)
{
    char *json = NULL;
    size_t size;
    ebmd_feed_item *item;

    if (ebma_event_encode(event, &json, &size, NULL) != EBM_OK)
        return NULL;
    item = ebm_alloc(sizeof(*item) + size, 1);
    if (item) {
        item->type = event->type;
        item->index = event->index;
        item->size = size;
        memcpy(item->data, json, size);
    }
    ebm_free(json);
    return item;
}

void ebmd_feed_push(ebmd_feed *f, const ebma_event *event, int64_t now_ms)
{
    int64_t id = ebmd_feed_number(f, now_ms);
    ebmd_feed_item *item = make_item(event);

    if (!item) {
        f->lost = id;
        return;
    }
    if (replaces(event->type))
        drop_replaced(f, event->type, event->index);
    item->id = id;
    if (f->last)
        f->last->next = item;
    else
        f->first = item;
    f->last = item;
    f->items++;
    f->bytes += item->size;
    while (f->items > EBMD_FEED_ITEMS_MAX || f->bytes > EBMD_FEED_BYTES_MAX) {
        f->lost = f->first->id;
        drop_first(f);
    }
}

const ebmd_feed_item *ebmd_feed_after(const ebmd_feed *f, int64_t id)
{
    const ebmd_feed_item *item = f->first;

    while (item && item->id <= id)
        item = item->next;
    return item;
}

bool ebmd_feed_covers(const ebmd_feed *f, int64_t id)
{
    return id >= f->lost && id <= f->newest;
}
