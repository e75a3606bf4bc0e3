/* What a run does on its way and at its end alike: notes, sheets, the report, equal weights in a
 * group. Has never heard of when. */
#include <stdio.h>

#include "ebm/io.h"
#include "report/run_report.h"
#include "report/sheet.h"
#include "run_internal.h"

bool ebmt__run_leads(const ebmt__run *r)
{
    return ebmt_group_rank(r->opt->group) == 0;
}

void ebmt__run_note(const ebmt__run *r, const char *line)
{
    if (ebmt__run_leads(r) && r->opt->hooks.note)
        r->opt->hooks.note(r->opt->hooks.user, line);
}

ebm_status ebmt__run_sheet(ebmt__run *r, const char *name, int32_t images, ebm_error *err)
{
    char path[4096];
    ebm_error own = {0};
    if (r->tr->g->channels == 2 &&
        r->tr->g->height == 1) /* points make no pictures; `ebm eval2d` draws their density */
        return EBM_OK;
    int n = snprintf(path, sizeof path, "%s/%s", r->opt->out_dir, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return ebm_error_set(err, EBM_ERR_ARG, "out", "the path is too long");
    ebmt__trainer_average(r->tr);
    ebm_status st =
        ebmt__sheet_write(r->tr->averaged, r->tr->pool, r->tr->config.seed, images, path, &own);
    if (st == EBM_ERR_DIVERGED) {
        ebmt__run_note(r, "samples diverged, no sheet written");
        return EBM_OK;
    }
    return st == EBM_OK ? EBM_OK : ebm_error_set(err, st, own.where, "%s", own.text);
}

void ebmt__run_page(ebmt__run *r, const char *outcome)
{
    char line[200];
    ebm_error err = {0};
    const ebmt__run_report report = {.history = r->history,
                                     .dir = r->opt->out_dir,
                                     .title = r->opt->title ? r->opt->title : "",
                                     .config_json = r->config_json,
                                     .outcome = outcome};
    if (ebmt__run_report_write(&report, &err) == EBM_OK)
        return;
    snprintf(line, sizeof line, "no report written: %.150s", err.text);
    ebmt__run_note(r, line);
}

ebm_status ebmt__run_check_weights(const ebmt__run *r, ebm_error *err)
{
    const ebmt_state *s = &r->tr->state;
    char hex[65];
    if (ebmt_group_size(r->opt->group) == 1)
        return EBM_OK;
    ebm_sha256_hex(s->params, s->size.params * sizeof *s->params, hex);
    return ebmt_group_check_same(r->opt->group, "the weights", hex, err);
}
