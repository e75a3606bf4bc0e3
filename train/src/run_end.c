/* The end of a run: which weights are kept, and what is said about it. */
#include <stdio.h>

#include "ebm/memory.h"
#include "run_internal.h"
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

/* Goes back to the newest checkpoint that is whole. False, with a note, if there is none: the state
 * is then what it was. */
static bool step_back(ebmt__run *r)
{
    char *saved = NULL, line[320];
    ebm_error err = {0};
    ebm_status st = ebmt_checkpoint_load(r->opt->out_dir, &r->tr->state, &saved, r->opt->hooks.note,
                                         r->opt->hooks.user, &err);
    ebm_free(saved);
    if (st == EBM_OK)
        return true;
    snprintf(line, sizeof line, "no earlier weights to keep: %s", err.text);
    ebmt__run_note(r, line);
    return false;
}

/* The checkpoint of the end, unless the signs are bad: then the one before is kept, if any. Weights
 * that look bad are better than none: people can look at them. */
static ebm_status last_checkpoint(ebmt__run *r, ebm_error *err)
{
    if (ebmt__watch_uneasy(&r->watch)) {
        if (step_back(r))
            return EBM_OK;
        ebmt__run_note(r, "signs of a divergence at the end: the weights are saved all the same");
    }
    return ebmt_checkpoint_save(r->opt->out_dir, &r->tr->state, r->config_json, err);
}

/* After a step back: people are told when the older model is there, not before. */
static ebm_status save_kept(ebmt__run *r, ebm_error *err)
{
    char line[96];
    ebm_status st = save_model(r, err);
    if (st != EBM_OK)
        return st;
    snprintf(line, sizeof line, "kept the weights of iteration %lld",
             (long long)r->tr->state.iteration);
    ebmt__run_note(r, line);
    return EBM_OK;
}

/* What a run has come to. */
typedef struct ending {
    int64_t reached; /* iterations done, */
    int64_t kept;    /* those of the weights that are left: fewer after a step back */
    bool complete;
} ending;

void ebmt__run_end_failed(ebmt__run *r, const ebm_error *why)
{
    char line[512];
    if (!ebmt__run_leads(r))
        return;
    snprintf(line, sizeof line, "The run ended with an error: %s: %s", why->where, why->text);
    ebmt__run_page(r, line);
}

/* What the report says of the end: of what has been done, not of what was meant to be. */
static void tell_ending(ebmt__run *r, const ending *e)
{
    char line[160];
    if (e->kept < e->reached)
        snprintf(line, sizeof line,
                 "Signs of a divergence at the end: the model is that of iteration %lld; --resume "
                 "repeats from there.",
                 (long long)e->kept);
    else
        snprintf(line, sizeof line, "%s",
                 e->complete ? "The run is complete." : "Stopped on request.");
    ebmt__run_page(r, line);
}

/* Somebody who asked for a stop takes what there is. Somebody who did not is told that the last
 * iterations are missing, in a way that a script notices. */
static ebm_status judge_ending(const ending *e, ebm_error *err)
{
    if (!e->complete || e->kept >= e->reached)
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_DIVERGED, "levels",
                         "signs of a divergence at iteration %lld: the model is that of iteration "
                         "%lld",
                         (long long)e->reached, (long long)e->kept);
}

/* A run that was told to stop draws no last sheet: somebody waits for it to end. */
static ebm_status leave_model(ebmt__run *r, ebm_error *err)
{
    ending e = {.reached = r->tr->state.iteration};
    e.complete = e.reached >= r->tr->config.iterations;
    ebm_status st = last_checkpoint(r, err);
    e.kept = r->tr->state.iteration;
    if (st == EBM_OK)
        st = e.kept < e.reached ? save_kept(r, err) : save_model(r, err);
    if (st == EBM_OK && e.complete)
        st = ebmt__run_sheet(r, "samples.png", FINAL_SHEET_IMAGES, err);
    if (st != EBM_OK) {
        ebmt__run_end_failed(r, err);
        return st;
    }
    tell_ending(r, &e);
    return judge_ending(&e, err);
}

ebm_status ebmt__run_finish(ebmt__run *r, ebm_error *err)
{
    ebm_status st = ebmt__run_check_weights(r, err);
    if (st != EBM_OK)
        ebmt__run_end_failed(r, err);
    else if (ebmt__run_leads(r))
        st = leave_model(r, err);
    return ebmt_group_agree(r->opt->group, st, NULL, err);
}

/* After a divergence: the model of the newest checkpoint, if there is one. */
static void keep_last_good(ebmt__run *r, const ebm_error *why)
{
    char line[512], left[64] = "No model of earlier weights was saved.";
    ebm_error err = {0};
    const bool back = step_back(r), kept = back && save_kept(r, &err) == EBM_OK;
    if (back && !kept) {
        snprintf(line, sizeof line, "no model of earlier weights saved: %s", err.text);
        ebmt__run_note(r, line);
    }
    if (kept)
        snprintf(left, sizeof left, "The model is that of iteration %lld.",
                 (long long)r->tr->state.iteration);
    snprintf(line, sizeof line, "The run diverged: %s. %s", why->text, left);
    ebmt__run_page(r, line);
}

/* Nobody leaves before the leader has saved what is good: the first process to exit with an error
   would take it down. */
void ebmt__run_end_diverged(ebmt__run *r, const ebm_error *why)
{
    if (ebmt__run_leads(r))
        keep_last_good(r, why);
    ebm_status st = ebmt_group_agree(r->opt->group, EBM_OK, NULL, NULL);
    (void)st; /* there is nothing left that could fail */
}
