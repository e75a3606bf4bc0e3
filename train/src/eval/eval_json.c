/* The evaluation report as JSON. Formats numbers; measures nothing. */
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/memory.h"
#include "ebmt/eval.h"
#include "save/manifest_facts.h"

/* JSON has no NaN: what was not measured is null. */
static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* Paths may hold any bytes. */
static json_t *text_or_null(const char *text)
{
    char plain[EBMT_COMMAND_MAX + 1];
    if (!text)
        return json_null();
    ebmt__text_plain(text, plain);
    return json_string(plain);
}

static json_t *number(const ebmt_number *v)
{
    return json_pack("{s:o, s:o, s:I}", "value", real(v->value), "se", real(v->se), "n",
                     (json_int_t)v->n);
}

static json_t *shares(const ebmt_class_figures *c)
{
    json_t *list = json_array();
    for (int32_t i = 0; i < c->classes; i++)
        (void)json_array_append_new(list, number(&c->share[i]));
    return list;
}

static json_t *comparison(const ebmt_comparison *c, bool with_shares)
{
    json_t *object =
        json_pack("{s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "set", c->name, "reference",
                  c->reference, "n", (json_int_t)c->n, "n_reference", (json_int_t)c->n_reference,
                  "frechet", number(&c->frechet), "frechet_unbiased", number(&c->frechet_unbiased),
                  "kernel", number(&c->kernel), "precision", number(&c->precision), "recall",
                  number(&c->recall), "class_score", number(&c->classes.score));
    if (object && with_shares) {
        (void)json_object_set_new(object, "class_shares", shares(&c->classes));
        const ebmt_number entropy = ebmt_class_entropy(&c->classes);
        (void)json_object_set_new(object, "class_entropy", number(&entropy));
    }
    return object;
}

static json_t *memorisation(const ebmt_memorisation *m)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "median", number(&m->median),
                     "test_median", number(&m->test_median), "closest", real(m->closest),
                     "test_closest", real(m->test_closest), "threshold", real(m->threshold),
                     "below_threshold", number(&m->below), "copies", number(&m->copies),
                     "test_copies", number(&m->test_copies));
}

static json_t *drawing(const ebmt_eval_facts *f)
{
    if (!f->draw)
        return json_null();
    static const char *const begin[] = {"model", "above", "predicted"};
    return json_pack("{s:I, s:i, s:I, s:i, s:o, s:s, s:o}", "n", (json_int_t)f->draw->n,
                     "first_index", f->draw->first_index, "seed", (json_int_t)f->draw->seed,
                     "steps_per_level", f->draw->steps_per_level, "noise_scale",
                     real(f->draw->noise_scale), "begin", begin[f->draw->begin], "seconds",
                     real(f->seconds));
}

static json_t *source(const ebmt_eval_facts *f)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:{s:I, s:o}, s:o}", "path", text_or_null(f->source),
                     "model_sha256", text_or_null(f->model_sha256), "kernel_class",
                     text_or_null(f->kernel_class), "data", text_or_null(f->data), "test_images",
                     "n", (json_int_t)f->n_test, "sha256", text_or_null(f->test_sha256), "draw",
                     drawing(f));
}

static json_t *classifier(const ebmt_classifier_info *c)
{
    if (!c)
        return json_null();
    return json_pack("{s:s, s:I, s:o, s:i, s:i}", "sha256", c->sha256, "train_images",
                     (json_int_t)c->train_count, "test_accuracy", real(c->test_accuracy),
                     "features", c->features, "classes", c->classes);
}

static json_t *ood_row(const ebmt_ood_row *r)
{
    json_t *quantiles = json_array();
    for (int i = 0; i < EBMT_OOD_QUANTILES; i++)
        (void)json_array_append_new(quantiles, real(r->quantile[i]));
    return json_pack("{s:s, s:I, s:o, s:o}", "set", r->name, "n", (json_int_t)r->n,
                     "score_quantiles", quantiles, "auroc", number(&r->auroc));
}

static void add_ood(const ebmt_ood_report *ood, json_t *object)
{
    json_t *list = json_array();
    for (int32_t i = 0; i < ood->n_rows; i++)
        (void)json_array_append_new(list, ood_row(&ood->row[i]));
    (void)json_object_set_new(object, "out_of_distribution", list);
}

static json_t *inception(const ebmt_inception_info *i)
{
    if (!i)
        return json_null();
    return json_pack("{s:s, s:s, s:s, s:i, s:i}", "sha256", i->sha256, "graph",
                     ebmt_inception_graph_name(i->graph), "input",
                     ebmt_inception_input_name(i->input), "features", i->features, "classes",
                     i->classes);
}

static json_t *ruler(const ebmt_ruler_report *r, bool complete)
{
    const bool own = r->of_the_data;
    json_t *object =
        json_pack("{s:s, s:o}", "ruler", r->name, "samples", comparison(&r->samples, own));
    if (!object || !complete)
        return object;
    (void)json_object_set_new(object, "floors",
                              json_pack("[o, o, o]", comparison(&r->train, own),
                                        comparison(&r->halves, own),
                                        comparison(&r->gaussian, own)));
    (void)json_object_set_new(object, "floors_kept", json_boolean(r->floors_kept));
    if (own)
        (void)json_object_set_new(object, "memorisation", memorisation(&r->features));
    return object;
}

static json_t *rulers(const ebmt_eval_report *report)
{
    json_t *list = json_array();
    for (int32_t i = 0; i < report->n_rulers; i++)
        (void)json_array_append_new(list, ruler(&report->ruler[i], report->complete));
    return list;
}

static json_t *log_z(const ebm_log_z *z)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:I}", "value", real(z->value), "se", real(z->std_error),
                     "ess", real(z->ess), "acceptance", real(z->acceptance), "particles",
                     (json_int_t)z->particles);
}

static json_t *bits(const ebmt_bits_report *b)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:o}", "ladder_low",
                     number(&b->ladder_low), "ladder_high", number(&b->ladder_high), "bound_low",
                     number(&b->bound_low), "bound_high", number(&b->bound_high), "log_z_forward",
                     log_z(&b->forward), "log_z_reverse", log_z(&b->reverse), "temperatures",
                     b->temperatures, "bound_acceptance", real(b->acceptance));
}

static json_t *long_mark(const ebmt_long_mark *m)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "steps", (json_int_t)m->steps,
                     "frechet", number(&m->frechet), "frechet_unbiased",
                     number(&m->frechet_unbiased), "log_density", number(&m->log_density),
                     "log_density_sd", real(m->log_density_sd), "inside_band", number(&m->inside),
                     "acceptance", real(m->acceptance), "diverged", (json_int_t)m->diverged);
}

static json_t *long_chains(const ebmt_long_report *r)
{
    json_t *marks = json_array();
    for (int32_t i = 0; i < r->n_marks; i++)
        (void)json_array_append_new(marks, long_mark(&r->mark[i]));
    return json_pack("{s:s, s:i, s:I, s:I, s:o, s:[o, o], s:I, s:o}", "sampler",
                     ebmt_sampler_name(r->sampler), "leapfrog", (int)r->leapfrog, "chains",
                     (json_int_t)r->chains, "burn_in", (json_int_t)r->burn_in, "ruler",
                     text_or_null(r->ruler), "band", real(r->band.low), real(r->band.high),
                     "band_images", (json_int_t)r->band_images, "marks", marks);
}

ebm_status ebmt_eval_json(const ebmt_eval_report *report, const ebmt_eval_facts *facts, char **text,
                          ebm_error *err)
{
    json_t *object = json_pack("{s:i, s:o, s:o, s:o, s:o}", "format", 3, "source", source(facts),
                               "classifier", classifier(facts->classifier), "inception",
                               inception(facts->inception), "rulers", rulers(report));
    *text = NULL;
    if (object && report->complete) {
        (void)json_object_set_new(object, "test_is_train", json_boolean(report->test_is_train));
        (void)json_object_set_new(object, "pixel_memorisation", memorisation(&report->pixels));
    }
    if (object && report->ood.n_rows > 0)
        add_ood(&report->ood, object);
    if (object && report->bits.n > 0)
        (void)json_object_set_new(object, "bits_per_dimension", bits(&report->bits));
    if (object && report->longer.n_marks > 0)
        (void)json_object_set_new(object, "long_chains", long_chains(&report->longer));
    char *dump = object ? json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(object);
    if (dump) {
        /* callers free with ebm_free(), jansson's blocks need not come from the same place */
        *text = ebm_alloc(strlen(dump) + 1, 1);
        if (*text)
            memcpy(*text, dump, strlen(dump) + 1);
        free(dump);
    }
    return *text ? EBM_OK : ebm_error_set(err, EBM_ERR_NOMEM, "report", "no memory");
}
