/* Names and checks of rows, see jobrow.h. */
#include "store/jobrow.h"

#include <math.h>
#include <string.h>

const char *ebmd_job_state_name(ebmd_job_state state)
{
    static const char *const names[EBMD_JOB_STATES] = {"queued", "running",  "succeeded",
                                                       "failed", "canceled", "expired"};

    return (unsigned)state < EBMD_JOB_STATES ? names[state] : "unknown";
}

bool ebmd_job_state_final(ebmd_job_state state)
{
    return state != EBMD_JOB_QUEUED && state != EBMD_JOB_RUNNING;
}

/* Visible ASCII without quotes and backslashes, terminated inside its room. */
static bool text_ok(const char *text, size_t room)
{
    size_t n = strnlen(text, room);

    for (size_t i = 0; i < n; i++) {
        if (text[i] <= ' ' || text[i] > '~' || text[i] == '"' || text[i] == '\\')
            return false;
    }
    return n < room;
}

static bool hex_ok(const char *text)
{
    size_t n = strnlen(text, EBMD_HEX_SIZE);

    return n == 0 || (n == EBMD_HEX_SIZE - 1 && strspn(text, "0123456789abcdef") == n);
}

static bool time_ok(int64_t ms)
{
    return ms >= 0 && ms <= INT64_C(253402300799999); /* the year 9999 */
}

static bool duration_ok(double ms)
{
    return isfinite(ms) && ms >= 0.0;
}

static bool texts_ok(const ebmd_row *r)
{
    return ebmd_id_is_job(r->id, strnlen(r->id, sizeof(r->id))) && r->kind[0] != '\0' &&
           text_ok(r->kind, sizeof(r->kind)) && text_ok(r->owner, sizeof(r->owner)) &&
           text_ok(r->code, sizeof(r->code)) && text_ok(r->model, sizeof(r->model)) &&
           hex_ok(r->idem) && hex_ok(r->digest);
}

static bool numbers_ok(const ebmd_row *r)
{
    return (unsigned)r->state < EBMD_JOB_STATES && r->seq > 0 && r->seq <= EBMD_SEQ_MAX &&
           r->work >= 0 && r->work <= EBMD_WORK_MAX && r->fence >= 0 && r->fence < INT64_MAX &&
           r->attempts >= 0 && r->attempts < 1000000 && r->priority >= 0 &&
           r->priority < EBMD_PRIORITIES && r->parts >= 1 && r->parts <= EBMD_PARTS_MAX &&
           isfinite(r->vtime) && r->vtime >= 0.0;
}

bool ebmd_row_valid(const ebmd_row *r)
{
    if (!texts_ok(r) || !numbers_ok(r))
        return false;
    for (int i = 0; i < EBMD_BLOB_TYPES; i++) {
        if (r->bytes[i] < 0 || r->bytes[i] > (INT64_C(1) << 40))
            return false;
    }
    return time_ok(r->created_ms) && time_ok(r->started_ms) && time_ok(r->completed_ms) &&
           time_ok(r->deadline_ms) && duration_ok(r->timings.queue_ms) &&
           duration_ok(r->timings.compute_ms) && duration_ok(r->timings.encode_ms);
}

int64_t ebmd_row_bytes(const ebmd_row *row)
{
    int64_t sum = 0;

    for (int i = 0; i < EBMD_BLOB_TYPES; i++)
        sum += row->bytes[i];
    return sum;
}
