/* What those who watch a run are shown of its parts, see job_run.h. Knows kinds' pictures; not who
 * watches. */
#include <string.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "run/job_run.h"

static void show_preview(const ebmd_run_env *env, ebmd_run *run, int32_t part, ebmd_tools *tools)
{
    const ebmd_kind *kind = run->plan.kind;
    ebma_event e = {.type = EBMA_EVENT_PREVIEW, .index = run->plan.first_index + part};
    ebmd_part *p = &run->part[part];
    unsigned char *png = NULL;
    ebmd_sight at = {0};
    unsigned wanted;

    kind->look(&run->plan, part, p->state, &at);
    /* a long chain may stay at one level: each time is a new sight */
    wanted = ebmd_live_wants(env->live, run->lease.id, at.level, kind->lasts ? -1 : p->shown - 1);
    if (wanted == 0 ||
        kind->preview(&run->plan, part, p->state, tools, &png, &e.png_size, NULL) != EBM_OK)
        return;
    e.png = png;
    e.progress.level = at.level;
    e.progress.step = at.step;
    if (wanted & EBMD_WANTED_EVENT) {
        ebmd_live_show(env->live, run->lease.id, &e);
        p->shown = at.level + 1;
    }
    if (wanted & EBMD_WANTED_PICTURE)
        ebmd_live_picture_put(env->live, run->lease.id, png, e.png_size);
    ebm_free(png);
}

void ebmd_run_show(const ebmd_run_env *env, ebmd_run *run, int32_t part, ebmd_tools *tools,
                   bool finished)
{
    const ebmd_kind *kind = run->plan.kind;
    const ebmd_result *result = &run->part[part].result;
    ebma_event e = {
        .type = EBMA_EVENT_IMAGE, .index = run->plan.first_index + part, .seed = run->plan.seed};
    char sha256[65];

    if (!env->live || !ebmd_live_watched(env->live, run->lease.id))
        return;
    if (!finished && kind->look && kind->preview)
        show_preview(env, run, part, tools);
    if (!finished || !kind->media || strcmp(kind->media, "image/png") != 0)
        return;
    e.weighed = kind->weighed;
    e.logp = result->value[0];
    ebm_sha256_hex(result->output[0].data, result->output[0].size, sha256);
    e.sha256 = sha256;
    e.png = run->plan.bare ? NULL : result->output[0].data;
    e.png_size = result->output[0].size;
    ebmd_live_show(env->live, run->lease.id, &e);
}
