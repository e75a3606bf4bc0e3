/* Results of operations as members of a job object. Knows names, units and signs; energies are
 * made of log densities here. */
#include <math.h>

#include "api_internal.h"

/* JSON has no NaN. */
json_t *ebma__number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *bytes(const void *data, size_t size)
{
    return ebma__base64(data, size);
}

/* --- images -------------------------------------------------------------------------------- */

static json_t *nulls(int32_t n)
{
    json_t *a = json_array();

    for (int32_t i = 0; a && i < n; i++) {
        if (json_array_append_new(a, json_null()) != 0) {
            json_decref(a);
            return NULL;
        }
    }
    return a;
}

static void set_chain(json_t *o, const ebma_chains *c, int32_t k, bool *ok)
{
    const ebm_mcmc *chain = &c->chain[k];

    ebma__set(o, "steps", json_integer((json_int_t)chain->total), ok);
    ebma__set(o, "level", json_integer(chain->level), ok);
    if (!c->metropolis)
        return;
    ebma__set(o, "accept_rate",
              ebma__number(chain->moves > 0 ? chain->accept / (double)chain->moves : NAN), ok);
    ebma__set(o, "step_size", ebma__number(chain->step_size), ok);
}

static json_t *image_object(const ebma_job *job, int32_t k)
{
    const ebma_op_request *r = job->request;
    const ebma_drawn *d = job->results->drawn;
    json_t *o = json_object();
    bool ok = o != NULL;

    ebma__set(o, "index", json_integer((json_int_t)(d->first_index + k)), &ok);
    if (r->format == EBMA_FORMAT_B64_JSON)
        ebma__set(o, "b64_json", json_null(), &ok); /* the place where the bytes will go */
    if (r->format == EBMA_FORMAT_URL)
        ebma__set(o, "url", json_sprintf("/v1/jobs/%s/images/%d.png", job->id, (int)k), &ok);
    ebma__set(o, "energy",
              isfinite(d->image[k].logp) ? json_real(ebma_energy(d->image[k].logp)) : json_null(),
              &ok);
    ebma__set(o, "sha256", json_string(d->image[k].sha256), &ok);
    if (d->levels > 0 && r->format == EBMA_FORMAT_B64_JSON)
        ebma__set(o, "levels", nulls(d->levels), &ok);
    if (d->snapshots > 0 && r->format == EBMA_FORMAT_B64_JSON)
        ebma__set(o, "snapshots", nulls(d->snapshots), &ok);
    if (job->results->chains)
        set_chain(o, job->results->chains, k, &ok);
    if (!ok) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static json_t *marks_array(const ebma_drawn *d)
{
    json_t *a = json_array();

    for (int32_t i = 0; a && i < d->snapshots; i++) {
        if (json_array_append_new(a, json_integer((json_int_t)d->mark[i])) != 0) {
            json_decref(a);
            return NULL;
        }
    }
    return a;
}

static void set_joint(json_t *root, const ebma_drawn *d, bool *ok)
{
    for (size_t i = 0; i < d->n_joint; i++)
        ebma__set_path(root, d->joint[i].name, bytes(d->joint[i].png, d->joint[i].size), ok);
    if (d->snapshots > 0)
        ebma__set(root, "snapshot_steps", marks_array(d), ok);
    if (d->mask_coverage > 0.0)
        ebma__set(root, "mask_coverage", json_real(d->mask_coverage), ok);
}

/* --- chains -------------------------------------------------------------------------------- */

static json_t *drift_object(const ebm_drift *d)
{
    return json_pack("{s:b, s:o, s:o, s:o}", "left_band", d->left_band, "energy_early",
                     ebma__number(-d->early), "energy_late", ebma__number(-d->late), "outside",
                     ebma__number(d->outside));
}

static bool mixed(const ebm_chains_report *r)
{
    return r->worst_rhat <= 1.01 && r->least_ess >= 100.0 * (double)r->chains;
}

json_t *ebma__report_object(const ebma_chains *c)
{
    const ebm_chains_report *r = c->report;
    json_t *o = json_object();
    bool ok = o != NULL;

    ebma__set(o, "chains", json_integer((json_int_t)r->chains), &ok);
    ebma__set(o, "draws", json_integer((json_int_t)r->draws), &ok);
    ebma__set(o, "rhat", ebma__number(r->worst_rhat), &ok);
    ebma__set(o, "ess", ebma__number(r->least_ess), &ok);
    ebma__set(o, "accept_rate", ebma__number(r->acceptance), &ok);
    ebma__set(o, "energy_mean", ebma__number(-r->logp.mean), &ok);
    ebma__set(o, "energy_sd", ebma__number(r->logp.sd), &ok);
    ebma__set(o, "energy_rhat", ebma__number(r->logp.rhat), &ok);
    ebma__set(o, "energy_ess_bulk", ebma__number(r->logp.ess_bulk), &ok);
    ebma__set(o, "energy_ess_tail", ebma__number(r->logp.ess_tail), &ok);
    if (r->banded)
        ebma__set(o, "drift", drift_object(&r->drift), &ok);
    ebma__set(o, "mixed", json_boolean(mixed(r)), &ok);
    ebma__set(o, "diverged", json_boolean(r->diverged), &ok);
    ebma__set(o, "stopped_by_until", json_boolean(c->stopped), &ok);
    ebma__set(o, "complete", json_boolean(!c->partial), &ok);
    if (!ok) {
        json_decref(o);
        return NULL;
    }
    return o;
}

/* --- scores -------------------------------------------------------------------------------- */

static json_t *energies(const double *logp, int32_t n)
{
    json_t *a = json_array();

    for (int32_t t = 0; a && t < n; t++) {
        if (json_array_append_new(a, json_real(ebma_energy(logp[t]))) != 0) {
            json_decref(a);
            return NULL;
        }
    }
    return a;
}

static json_t *percentiles(const ebm_calibration *c, const double *logp)
{
    json_t *a = json_array();

    for (int32_t t = 0; a && t < c->levels; t++) {
        if (json_array_append_new(a, ebma__number(ebm_calibration_percentile(c, t, logp[t]))) !=
            0) {
            json_decref(a);
            return NULL;
        }
    }
    return a;
}

/* Of the energy: the sign is turned. */
static json_t *gradient_array(const float *grad, size_t dim)
{
    json_t *a = json_array();

    for (size_t i = 0; a && i < dim; i++) {
        if (json_array_append_new(a, ebma__number(ebma_energy((double)grad[i]))) != 0) {
            json_decref(a);
            return NULL;
        }
    }
    return a;
}

static json_t *score_object(const ebma_scores *s, int32_t k)
{
    const size_t levels = (size_t)s->levels;
    const double *features = s->features + (size_t)k * EBM_FEATURES * levels;
    const double *logp = features + EBM_FEATURE_LOGP * levels;
    json_t *o = json_object();
    bool ok = o != NULL;

    ebma__set(o, "index", json_integer(k), &ok);
    ebma__set(o, "energy", json_real(ebma_energy(logp[0])), &ok);
    ebma__set(o, "energies", energies(logp, s->levels), &ok);
    if (s->calibration) {
        const ebm_calibration *c = s->calibration;
        double score = ebm_calibration_score(c, features);

        ebma__set(o, "percentiles", percentiles(c, logp), &ok);
        ebma__set(o, "score", ebma__number(score), &ok);
        ebma__set(o, "ood_percentile",
                  ebma__number(100.0 - ebm_calibration_percentile(c, c->levels, score)), &ok);
    }
    if (s->gradient)
        ebma__set(o, "gradient", gradient_array(s->gradient + (size_t)k * s->dim, s->dim), &ok);
    if (!ok) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static void set_scores(json_t *root, const ebma_scores *s, bool *ok)
{
    const ebm_calibration *c = s->calibration;

    ebma__set(root, "comparable_within", json_string(s->comparable_within), ok);
    ebma__set(root, "calibration",
              c ? json_pack("{s:I, s:i}", "count", (json_int_t)c->count, "draws", c->draws)
                : json_null(),
              ok);
}

/* --- likelihoods --------------------------------------------------------------------------- */

static json_t *log_z_object(const ebm_log_z *z)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:I}", "value", ebma__number(z->value), "bound",
                     ebma__number(z->bound), "standard_error", ebma__number(z->std_error), "ess",
                     ebma__number(z->ess), "acceptance", ebma__number(z->acceptance), "particles",
                     (json_int_t)z->particles);
}

/* A large log Z makes a small likelihood: the ends change places. */
static json_t *ais_object(const ebma_likelihoods *l, int32_t k)
{
    const ebm_interval z = ebm_log_z_interval(&l->forward, &l->reverse);
    const double value = l->ladder[k] - 0.5 * (l->forward.value + l->reverse.value);

    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "log_likelihood_nats", ebma__number(value),
                     "lower", ebma__number(l->ladder[k] - z.high), "upper",
                     ebma__number(l->ladder[k] - z.low), "standard_error",
                     ebma__number(0.5 * hypot(l->forward.std_error, l->reverse.std_error)),
                     "bits_per_dim", ebma__number(ebm_bits_per_dim(value, l->dim, l->levels)));
}

static json_t *recovery_object(const ebma_likelihoods *l, int32_t k)
{
    const ebm_bound *b = &l->bound[k];
    const double value = 0.5 * (b->forward + b->reverse);

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "log_likelihood_nats", ebma__number(value),
                     "lower", ebma__number(b->low), "upper", ebma__number(b->high),
                     "standard_error", ebma__number(b->std_error), "acceptance",
                     ebma__number(b->acceptance), "bits_per_dim",
                     ebma__number(ebm_bits_per_dim(value, l->dim, l->levels)));
}

static json_t *likelihood_object(const ebma_likelihoods *l, int32_t k)
{
    json_t *o = json_object();
    bool ok = o != NULL;

    ebma__set(o, "index", json_integer(k), &ok);
    if (l->ais)
        ebma__set(o, "ais", ais_object(l, k), &ok);
    if (l->recovery)
        ebma__set(o, "recovery", recovery_object(l, k), &ok);
    if (!ok) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static void set_likelihoods(json_t *root, const ebma_likelihoods *l, bool *ok)
{
    ebma__set(root, "comparable_within", json_string(l->comparable_within), ok);
    if (l->ais) {
        ebma__set(root, "log_partition_forward", log_z_object(&l->forward), ok);
        ebma__set(root, "log_partition_reverse", log_z_object(&l->reverse), ok);
    }
    if (l->recovery)
        ebma__set(root, "log_partition_top", log_z_object(&l->top), ok);
}

/* --- all ----------------------------------------------------------------------------------- */

static int32_t count_of(const ebma_results *r)
{
    if (r->drawn)
        return r->drawn->n;
    return r->scores ? r->scores->n : r->likelihoods->n;
}

static json_t *item_object(const ebma_job *job, int32_t k)
{
    const ebma_results *r = job->results;

    if (r->drawn)
        return image_object(job, k);
    return r->scores ? score_object(r->scores, k) : likelihood_object(r->likelihoods, k);
}

static json_t *data_array(const ebma_job *job)
{
    json_t *data = json_array();

    for (int32_t k = 0; data && k < count_of(job->results); k++) {
        if (json_array_append_new(data, item_object(job, k)) != 0) {
            json_decref(data);
            return NULL;
        }
    }
    return data;
}

void ebma__set_results(json_t *root, const ebma_job *job, bool *ok)
{
    const ebma_results *r = job->results;

    ebma__set(root, "data", data_array(job), ok);
    if (r->drawn)
        set_joint(root, r->drawn, ok);
    if (r->chains)
        ebma__set(root, "diagnostics", ebma__report_object(r->chains), ok);
    if (r->scores)
        set_scores(root, r->scores, ok);
    if (r->likelihoods)
        set_likelihoods(root, r->likelihoods, ok);
}
