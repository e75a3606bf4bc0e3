/* The evaluation report as one HTML page without outside parts: tables, bars, sheets of images as
 * data URIs. Formats numbers; measures nothing. */
#include <math.h>
#include <stdio.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebmt/eval.h"
#include "eval/image_sets.h"
#include "report/grid.h"
#include "report/html_page.h"

#define SHEET_IMAGES 100

static void put_number(FILE *f, const ebmt_number *v)
{
    if (!isfinite(v->value))
        (void)fputs("<td>&ndash;</td>", f);
    else if (isfinite(v->se))
        (void)fprintf(f, "<td>%.4g <small>&plusmn; %.2g</small></td>", v->value, v->se);
    else
        (void)fprintf(f, "<td>%.4g</td>", v->value);
}

static void put_comparison(FILE *f, const ebmt_comparison *c)
{
    (void)fprintf(f, "<tr><td>%s <small>against %s</small></td><td>%lld / %lld</td>", c->name,
                  c->reference, (long long)c->n, (long long)c->n_reference);
    put_number(f, &c->frechet);
    put_number(f, &c->frechet_unbiased);
    put_number(f, &c->kernel);
    put_number(f, &c->precision);
    put_number(f, &c->recall);
    put_number(f, &c->classes.score);
    (void)fputs("</tr>\n", f);
}

static void put_distances(FILE *f, const ebmt_ruler_report *r, bool complete)
{
    (void)fprintf(f,
                  "<h2>Distances by %s</h2><table><tr><th>set</th><th>n</th><th>Frechet</th>"
                  "<th>Frechet, unbiased</th><th>kernel</th><th>precision</th><th>recall</th>"
                  "<th>class score</th></tr>\n",
                  r->name);
    put_comparison(f, &r->samples);
    if (complete) {
        put_comparison(f, &r->train);
        put_comparison(f, &r->halves);
        put_comparison(f, &r->gaussian);
    }
    (void)fputs("</table>\n", f);
}

/* A bar for each class; the line stands at equal shares. */
static void put_shares(FILE *f, const ebmt_class_figures *c)
{
    const double scale = 600.0, equal = scale / c->classes;
    const ebmt_number entropy = ebmt_class_entropy(c);
    (void)fprintf(
        f,
        "<h2>Classes</h2><p>Of %lld images. Entropy of the shares %.3f &plusmn; %.3f nats, "
        "at most %.3f.</p><svg width=\"760\" height=\"%d\" font-size=\"13\">\n",
        (long long)entropy.n, entropy.value, entropy.se, log((double)c->classes),
        20 * c->classes + 4);
    for (int32_t i = 0; i < c->classes; i++)
        (void)fprintf(f,
                      "<text x=\"0\" y=\"%d\">%d</text><rect x=\"30\" y=\"%d\" width=\"%.1f\" "
                      "height=\"14\" fill=\"#47a\"/><text x=\"%.1f\" y=\"%d\">%.1f %% &#177; "
                      "%.1f</text>\n",
                      20 * i + 14, i, 20 * i + 3, c->share[i].value * scale,
                      36.0 + c->share[i].value * scale, 20 * i + 14, 100.0 * c->share[i].value,
                      100.0 * c->share[i].se);
    (void)fprintf(f, "<path d=\"M%.1f 0V%d\" stroke=\"#c33\"/></svg>\n", 30.0 + equal,
                  20 * c->classes + 4);
}

static void put_memory_row(FILE *f, const char *name, const ebmt_memorisation *m)
{
    const ebmt_number per_cent = {100.0 * m->below.value, 100.0 * m->below.se, m->below.n};
    (void)fprintf(f, "<tr><td>%s</td><td>%lld / %lld</td>", name, (long long)m->median.n,
                  (long long)m->test_median.n);
    put_number(f, &m->median);
    put_number(f, &m->test_median);
    (void)fprintf(f, "<td>%.4g</td><td>%.4g</td>", m->closest, m->test_closest);
    put_number(f, &per_cent);
    put_number(f, &m->copies);
    put_number(f, &m->test_copies);
    (void)fputs("</tr>\n", f);
}

static void put_memorisation(FILE *f, const ebmt_eval_report *r)
{
    (void)fputs(
        "<h2>Nearest training images</h2><table><tr><th>space</th><th>n</th><th>median</th>"
        "<th>median, test</th><th>closest</th><th>closest, test</th>"
        "<th>under the test's 1 % quantile, %</th><th>copies</th><th>copies, test</th></tr>\n",
        f);
    put_memory_row(f, "pixels (RMS gray levels)", &r->pixels);
    for (int32_t i = 0; i < r->n_rulers; i++)
        if (r->ruler[i].of_the_data)
            put_memory_row(f, "features", &r->ruler[i].features);
    (void)fputs("</table>\n", f);
    if (r->test_is_train)
        (void)fputs("<p>The test images are the training images: each looks for the nearest "
                    "other one.</p>\n",
                    f);
}

static void put_ood(FILE *f, const ebmt_ood_report *ood)
{
    (void)fputs("<h2>Out of distribution</h2><table><tr><th>set</th><th>n</th><th>AUROC</th>"
                "<th>score: 1 %</th><th>5 %</th><th>50 %</th><th>95 %</th><th>99 %</th></tr>"
                "\n",
                f);
    for (int32_t i = 0; i < ood->n_rows; i++) {
        const ebmt_ood_row *r = &ood->row[i];
        (void)fprintf(f, "<tr><td>%s</td><td>%lld</td>", r->name, (long long)r->n);
        put_number(f, &r->auroc);
        for (int k = 0; k < EBMT_OOD_QUANTILES; k++)
            (void)fprintf(f, "<td>%.6g</td>", r->quantile[k]);
        (void)fputs("</tr>\n", f);
    }
    (void)fputs("</table>\n", f);
}

static void put_bits(FILE *f, const ebmt_bits_report *b)
{
    (void)fprintf(
        f,
        "<h2>Bits per dimension</h2><p>%lld test images; %d particles of %d temperatures. "
        "log Z forward %.2f &plusmn; %.2g, reverse %.2f &plusmn; %.2g nats.</p>"
        "<table><tr><th>estimate</th><th>optimistic side</th><th>pessimistic side</th>"
        "</tr><tr><td>ladder</td>",
        (long long)b->n, b->particles, b->temperatures, b->forward.value, b->forward.std_error,
        b->reverse.value, b->reverse.std_error);
    put_number(f, &b->ladder_low);
    put_number(f, &b->ladder_high);
    (void)fputs("</tr><tr><td>recovery bound</td>", f);
    put_number(f, &b->bound_low);
    put_number(f, &b->bound_high);
    (void)fputs("</tr></table>\n", f);
}

static void put_long_mark(FILE *f, const ebmt_long_mark *m)
{
    if (m->steps < 0)
        (void)fputs("<tr><td>as drawn</td>", f);
    else
        (void)fprintf(f, "<tr><td>%lld</td>", (long long)m->steps);
    put_number(f, &m->frechet);
    put_number(f, &m->frechet_unbiased);
    put_number(f, &m->log_density);
    (void)fprintf(f, "<td>%.4g</td>", m->log_density_sd);
    put_number(f, &m->inside);
    put_number(f, &(ebmt_number){m->acceptance, NAN, 0});
    (void)fprintf(f, "<td>%lld</td></tr>\n", (long long)m->diverged);
}

static void put_long(FILE *f, const ebmt_long_report *r)
{
    (void)fprintf(f,
                  "<h2>Long chains</h2><p>%lld chains from the model's samples, at the lowest "
                  "level, by %s, %d gradients a step, %lld steps of burn-in. Log densities of the "
                  "middle 99 %% of %lld "
                  "noised test images: %.6g to %.6g. Distances by %s.</p>"
                  "<table><tr><th>steps</th><th>Frechet</th><th>Frechet, unbiased</th>"
                  "<th>log density</th><th>its sd</th><th>share in the band</th>"
                  "<th>acceptance</th><th>diverged</th></tr>\n",
                  (long long)r->chains, ebmt_sampler_name(r->sampler), (int)r->leapfrog,
                  (long long)r->burn_in, (long long)r->band_images, r->band.low, r->band.high,
                  r->ruler ? r->ruler : "no ruler");
    for (int32_t i = 0; i < r->n_marks; i++)
        put_long_mark(f, &r->mark[i]);
    (void)fputs("</table>\n", f);
}

/* --- sheets -------------------------------------------------------------------------------- */

/* @shape hwc [n,H,W,C] */
static ebm_status put_sheet(FILE *f, const ebmt_dataset *set, const uint8_t *hwc, int32_t n,
                            int32_t columns, ebm_error *err)
{
    ebmt_grid grid = {.pixels = hwc,
                      .n = n,
                      .width = set->width,
                      .height = set->height,
                      .channels = set->channels,
                      .columns = columns,
                      .zoom = set->width <= 64 ? 2 : 1};
    ebm_image sheet = {0};
    unsigned char *png = NULL;
    size_t size = 0;
    ebmt_grid_fit(&grid);
    ebm_status st = ebmt_grid_render(&grid, &sheet, err);
    if (st == EBM_OK)
        st = ebm_png_encode(&sheet, NULL, 0, &png, &size, err);
    if (st == EBM_OK)
        st = ebmt__html_png(f, png, size, err);
    ebm_free(sheet.pixels);
    ebm_free(png);
    return st;
}

static ebm_status put_samples(FILE *f, const ebmt_eval_options *sets, ebm_error *err)
{
    const ebmt_dataset *s = sets->samples;
    const size_t image = ebmt__image_bytes(s);
    const int32_t n = s->count < SHEET_IMAGES ? (int32_t)s->count : SHEET_IMAGES;
    uint8_t *hwc = ebm_alloc((size_t)n, image);
    if (!hwc)
        return ebm_error_set(err, EBM_ERR_NOMEM, "report", "no memory");
    for (int32_t i = 0; i < n; i++)
        ebmt__image_to_hwc(s, i, hwc + (size_t)i * image);
    (void)fprintf(f, "<h2>Samples</h2><p>The first %d, not chosen.</p>\n", n);
    ebm_status st = put_sheet(f, s, hwc, n, 0, err);
    ebm_free(hwc);
    return st;
}

/* Upper row samples, lower row their nearest training images. */
static ebm_status put_closest(FILE *f, const ebmt_eval_report *r, const ebmt_eval_options *sets,
                              ebm_error *err)
{
    const size_t image = ebmt__image_bytes(sets->samples);
    uint8_t *hwc = ebm_alloc(2 * (size_t)r->n_closest, image);
    if (!hwc)
        return ebm_error_set(err, EBM_ERR_NOMEM, "report", "no memory");
    for (int32_t i = 0; i < r->n_closest; i++) {
        ebmt__image_to_hwc(sets->samples, r->closest_sample[i], hwc + (size_t)i * image);
        ebmt__image_to_hwc(sets->train, r->closest_train[i],
                           hwc + (size_t)(i + r->n_closest) * image);
    }
    (void)fputs(
        "<p>The samples that come closest by pixels; below each, that training image.</p>\n", f);
    ebm_status st = put_sheet(f, sets->samples, hwc, 2 * r->n_closest, r->n_closest, err);
    ebm_free(hwc);
    return st;
}

/* --- the page ------------------------------------------------------------------------------ */

/* Without labels of test images nobody knows how good the ruler is. */
static void put_classifier(FILE *f, const ebmt_classifier_info *c)
{
    (void)fprintf(f, "<br>Classifier: weights %.16s, test accuracy ", c->sha256);
    if (isfinite(c->test_accuracy))
        (void)fprintf(f, "%.4f", c->test_accuracy);
    else
        (void)fputs("&ndash;", f);
    (void)fprintf(f, ", %d features", c->features);
}

/* What the samples can be drawn again with. */
static void put_draw(FILE *f, const ebmt_eval_facts *facts)
{
    static const char *const begin[] = {"", ", begun above", ", begun where predicted"};
    const ebmt_draw *d = facts->draw;
    (void)fprintf(f, ", seed %llu, chains from %d", (unsigned long long)d->seed, d->first_index);
    if (d->steps_per_level > 0)
        (void)fprintf(f, ", %d steps a level", d->steps_per_level);
    if (d->noise_scale > 0.0)
        (void)fprintf(f, ", noise factor %.6g", d->noise_scale);
    (void)fprintf(f, "%s, kernel class %s, drawn in %.0f s", begin[d->begin],
                  facts->kernel_class ? facts->kernel_class : "unknown", facts->seconds);
}

static void put_facts(FILE *f, const ebmt_eval_facts *facts)
{
    (void)fputs("<p>Samples: ", f);
    ebmt__html_text(f, facts->source);
    if (facts->model_sha256)
        (void)fprintf(f, " (weights %.16s)", facts->model_sha256);
    if (facts->draw)
        put_draw(f, facts);
    (void)fputs("<br>Data: ", f);
    ebmt__html_text(f, facts->data);
    (void)fprintf(f, "<br>Test images: %lld, ", (long long)facts->n_test);
    ebmt__html_text(f, facts->test_from);
    if (!facts->classifier && !facts->inception)
        (void)fputs("<br>No ruler was given: no distances, precision or recall", f);
    if (facts->classifier)
        put_classifier(f, facts->classifier);
    if (facts->inception)
        (void)fprintf(f, "<br>Inception: weights %.16s, graph %s, input %s, %d features",
                      facts->inception->sha256, ebmt_inception_graph_name(facts->inception->graph),
                      ebmt_inception_input_name(facts->inception->input),
                      facts->inception->features);
    (void)fputs("</p>\n", f);
}

/* What a page is made from. */
typedef struct page {
    const ebmt_eval_report *report;
    const ebmt_eval_facts *facts;
    const ebmt_eval_options *sets;
} page;

static ebm_status put_page(FILE *f, const void *user, ebm_error *err)
{
    const page *p = user;
    const ebmt_eval_report *r = p->report;
    ebmt__html_begin(f, "Evaluation");
    put_facts(f, p->facts);
    for (int32_t i = 0; i < r->n_rulers; i++) {
        put_distances(f, &r->ruler[i], r->complete);
        if (r->ruler[i].of_the_data)
            put_shares(f, &r->ruler[i].samples.classes);
    }
    if (r->complete)
        put_memorisation(f, r);
    if (r->ood.n_rows > 0)
        put_ood(f, &r->ood);
    if (r->bits.n > 0)
        put_bits(f, &r->bits);
    if (r->longer.n_marks > 0)
        put_long(f, &r->longer);
    ebm_status st = r->complete ? put_closest(f, r, p->sets, err) : EBM_OK;
    if (st == EBM_OK)
        st = put_samples(f, p->sets, err);
    ebmt__html_end(f);
    return st;
}

ebm_status ebmt_eval_html(const ebmt_eval_report *report, const ebmt_eval_facts *facts,
                          const ebmt_eval_options *sets, char **text, ebm_error *err)
{
    const page p = {report, facts, sets};
    return ebmt__html_build(put_page, &p, text, err);
}
