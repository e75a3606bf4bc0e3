/* The end of a run: which weights are kept, and what is said about it. */
#include <stdio.h>

#include "ebm/memory.h"
#include "run_internal.h"
#include "save/checkpoint.h"
#include "save/manifest_facts.h"

/* Images on the sheet of a run that is complete. */
#define FINAL_SHEET_IMAGES 64

static ebm_status save_model(ebmt__run *r, ebm_error *err)
{
    char version[32], *facts = NULL;
    const char *command = r->opt->command_line ? r->opt->command_line : "";
    ebm_status st =
        ebmt__manifest_facts(command, r->tr->state.iteration, r->config_json, &facts, err);
    if (st != EBM_OK)
        return st;
    snprintf(version, sizeof version, "%lld", (long long)r->tr->state.iteration);
    const ebm_manifest_extra extra = {.version = version,
                                      .title = r->opt->title,
                                      .licence = r->opt->licence,
                                      .training_json = facts};
    ebmt__trainer_average(r->tr);
    st = ebm_model_save(r->tr->averaged, &extra, r->opt->out_dir, err);
    ebm_free(facts);
    return st;
}

/* Goes back to the newest checkpoint. @err NOT_FOUND: there is none */
static ebm_status step_back(ebmt__run *r, ebm_error *err)
{
    char *saved = NULL, line[96];
    ebm_status st = ebmt_checkpoint_load(r->opt->out_dir, &r->tr->state, &saved, r->opt->hooks.note,
                                         r->opt->hooks.user, err);
    if (st == EBM_OK) {
        snprintf(line, sizeof line, "kept the weights of iteration %lld",
                 (long long)r->tr->state.iteration);
        ebmt__run_note(r, line);
    }
    ebm_free(saved);
    return st;
}

/* The checkpoint of the end, unless the signs are bad: then the one before is kept, if any. */
static ebm_status last_checkpoint(ebmt__run *r, ebm_error *err)
{
    int64_t newest = -1;
    ebm_status st = EBM_OK;
    if (ebmt__watch_uneasy(&r->watch))
        st = ebmt__checkpoint_newest(r->opt->out_dir, &newest, err);
    if (st != EBM_OK)
        return st;
    return newest >= 0 ? step_back(r, err)
                       : ebmt_checkpoint_save(r->opt->out_dir, &r->tr->state, r->config_json, err);
}

/* A run that was told to stop draws no last sheet: somebody waits for it to end. */
static ebm_status leave_model(ebmt__run *r, ebm_error *err)
{
    bool complete = r->tr->state.iteration == r->tr->config.iterations;
    ebm_status st = last_checkpoint(r, err);
    if (st == EBM_OK)
        st = save_model(r, err);
    if (st == EBM_OK && complete)
        st = ebmt__run_sheet(r, "samples.png", FINAL_SHEET_IMAGES, err);
    ebmt__run_page(r, complete ? "The run is complete." : "Stopped on request.");
    return st;
}

ebm_status ebmt__run_finish(ebmt__run *r, ebm_error *err)
{
    ebm_status st = ebmt__run_check_weights(r, err);
    if (st == EBM_OK && ebmt__run_leads(r))
        st = leave_model(r, err);
    return ebmt_group_agree(r->opt->group, st, NULL, err);
}

/* After a divergence: the model of the newest checkpoint, if there is one. */
static void keep_last_good(ebmt__run *r)
{
    char line[96];
    ebm_error err = {0};
    ebm_status st = step_back(r, &err);
    if (st == EBM_OK)
        st = save_model(r, &err);
    if (st != EBM_OK) {
        snprintf(line, sizeof line, "no earlier weights kept: %.64s", err.text);
        ebmt__run_note(r, line);
    }
    ebmt__run_page(r, "The run diverged.");
}

/* Nobody leaves before the leader has saved what is good: the first process to exit with an error
   would take it down. */
void ebmt__run_end_diverged(ebmt__run *r)
{
    if (ebmt__run_leads(r))
        keep_last_good(r);
    ebm_status st = ebmt_group_agree(r->opt->group, EBM_OK, NULL, NULL);
    (void)st; /* there is nothing left that could fail */
}
