/* What `ebm mcmc` says: lines on stdout, traces in a file. See mcmc_run.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli/mcmc_run.h"
#include "ebm/io.h"

void ebmt__mcmc_print_chain(const ebmt__mcmc *m, int32_t k, const char *file, const char *sha256,
                            double logp)
{
    const ebm_mcmc *c = &m->chain[k];
    (void)printf("{\"index\":%u,\"file\":\"%s\",\"steps\":%lld,\"level\":%d", c->noise.index, file,
                 (long long)c->total, c->level);
    ebmt__op_print_number("energy", -logp);
    if (m->plan.sampler != EBM_SAMPLER_LANGEVIN) {
        ebmt__op_print_number("accept_rate", c->moves > 0 ? c->accept / (double)c->moves : NAN);
        ebmt__op_print_number("step_size", c->step_size);
    }
    (void)printf(",\"sha256\":\"%s\"}\n", sha256);
}

static void print_drift(const ebm_drift *d)
{
    (void)printf(",\"drift\":{\"left_band\":%s", d->left_band ? "true" : "false");
    ebmt__op_print_number("energy_early", -d->early);
    ebmt__op_print_number("energy_late", -d->late);
    ebmt__op_print_number("outside", d->outside);
    (void)printf("}");
}

void ebmt__mcmc_print_report(const ebmt__mcmc *m)
{
    const ebm_chains_report *r = &m->report;
    (void)printf("{\"diagnostics\":{\"chains\":%zu,\"draws\":%zu", r->chains, r->draws);
    ebmt__op_print_number("rhat", r->worst_rhat);
    ebmt__op_print_number("ess", r->least_ess);
    ebmt__op_print_number("accept_rate", r->acceptance);
    ebmt__op_print_number("energy_mean", -r->logp.mean);
    ebmt__op_print_number("energy_sd", r->logp.sd);
    ebmt__op_print_number("energy_rhat", r->logp.rhat);
    ebmt__op_print_number("energy_ess_bulk", r->logp.ess_bulk);
    ebmt__op_print_number("energy_ess_tail", r->logp.ess_tail);
    if (r->banded)
        print_drift(&r->drift);
    (void)printf(",\"mixed\":%s,\"diverged\":%s,\"stopped_by_until\":%s}}\n",
                 r->worst_rhat <= 1.01 && r->least_ess >= 100.0 * (double)r->chains ? "true"
                                                                                    : "false",
                 r->diverged ? "true" : "false", m->stopped ? "true" : "false");
}

/* --- traces -------------------------------------------------------------------------------- */

/* JSON has no NaN. @own the caller's; NULL without memory */
static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *column(const ebm_trace *t, int32_t k, double sign)
{
    const size_t columns = 2 + (size_t)t->n_directions;
    json_t *a = json_array();
    for (size_t i = 0; i < t->count; i++) {
        if (json_array_append_new(a, number(sign * t->scalars[i * columns + (size_t)k])) != 0) {
            json_decref(a);
            return NULL;
        }
    }
    return a;
}

static json_t *projections(const ebm_trace *t)
{
    json_t *a = json_array();
    for (int32_t k = 0; k < t->n_directions; k++) {
        if (json_array_append_new(a, column(t, 2 + k, 1.0)) != 0) {
            json_decref(a);
            return NULL;
        }
    }
    return a;
}

static json_t *all_traces(const ebmt__mcmc *m)
{
    json_t *a = json_array();
    for (int32_t k = 0; k < m->n; k++) {
        const ebm_trace *t = &m->trace[k];
        json_t *o = json_pack("{s:I, s:o, s:o, s:o}", "index", (json_int_t)m->chain[k].noise.index,
                              "energy", column(t, 0, -1.0), "accept", column(t, 1, 1.0),
                              "projections", projections(t));
        if (json_array_append_new(a, o) != 0) {
            json_decref(a);
            return NULL;
        }
    }
    return a;
}

ebm_status ebmt__mcmc_write_traces(const ebmt__mcmc *m, const char *file, ebm_error *err)
{
    json_t *o = json_pack("{s:I, s:I, s:o}", "thin", (json_int_t)m->trace[0].thin, "warmup",
                          (json_int_t)m->run.call.params.warmup, "chains", all_traces(m));
    char *text = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    ebm_status st = text ? ebm_file_write(file, text, strlen(text), err)
                         : ebm_error_set(err, EBM_ERR_NOMEM, "--traces", "no memory");
    free(text);
    json_decref(o);
    return st;
}
