/* See eval_table.h. */
#include "cli/eval_table.h"

#include <math.h>
#include <stdio.h>

static void print_number(const ebmt_number *v)
{
    if (isfinite(v->value))
        (void)printf(" %9.4g +- %-7.2g", v->value, v->se);
    else
        (void)printf(" %9s    %-7s", "-", "");
}

static void print_comparison(const ebmt_comparison *c)
{
    (void)printf("%-16s %6lld", c->name, (long long)c->n);
    print_number(&c->frechet);
    print_number(&c->frechet_unbiased);
    print_number(&c->kernel);
    print_number(&c->precision);
    print_number(&c->recall);
    print_number(&c->classes.score);
    (void)printf("\n");
}

static void print_shares(const ebmt_class_figures *c)
{
    (void)printf("\nclass shares, per cent:");
    for (int32_t i = 0; i < c->classes; i++)
        (void)printf(" %.1f", 100.0 * c->share[i].value);
    const ebmt_number entropy = ebmt_class_entropy(c);
    (void)printf(" (+- up to %.1f); entropy %.3f +- %.3f of %.3f nats; %lld images\n",
                 50.0 / sqrt((double)c->share[0].n), entropy.value, entropy.se,
                 log((double)c->classes), (long long)entropy.n);
}

static void print_copies(const ebmt_memorisation *m)
{
    if (isfinite(m->below.value))
        (void)printf(", %.2f +- %.2f %% of %lld under the test images' 1 %% quantile",
                     100.0 * m->below.value, 100.0 * m->below.se, (long long)m->below.n);
    if (isfinite(m->copies.value))
        (void)printf(", copies %.0f +- %.1f of %lld (%.0f +- %.1f of %lld)\n", m->copies.value,
                     m->copies.se, (long long)m->copies.n, m->test_copies.value, m->test_copies.se,
                     (long long)m->test_copies.n);
    else
        (void)printf("; most test images are training images, so copies cannot be told\n");
}

static void print_memorisation(const char *name, const ebmt_memorisation *m)
{
    (void)printf("nearest training image, %s: median %.4g +- %.2g (%lld test images %.4g +- %.2g), "
                 "closest %.4g (%.4g)",
                 name, m->median.value, m->median.se, (long long)m->test_median.n,
                 m->test_median.value, m->test_median.se, m->closest, m->test_closest);
    print_copies(m);
}

/* What the numbers of a table are measured with. */
static void print_ruler(const ebmt_ruler_report *r, const ebmt_eval_facts *f)
{
    if (r->of_the_data && isfinite(f->classifier->test_accuracy))
        (void)printf("features of a classifier with test accuracy %.4f",
                     f->classifier->test_accuracy);
    else if (r->of_the_data)
        (void)printf("features of a classifier of unknown test accuracy");
    else
        (void)printf("Inception-v3, graph %s, input %s, %d features: FID, KID, Inception Score",
                     ebmt_inception_graph_name(f->inception->graph),
                     ebmt_inception_input_name(f->inception->input), f->inception->features);
    (void)printf("; %lld test images\n\n", (long long)r->samples.n_reference);
}

static void print_table(const ebmt_ruler_report *r, bool complete)
{
    (void)printf("%-16s %6s  %-20s  %-20s  %-20s  %-20s  %-20s  %s\n", "set", "n", "Frechet",
                 "Frechet, unbiased", "kernel", "precision", "recall", "class score");
    print_comparison(&r->samples);
    if (complete) {
        print_comparison(&r->train);
        print_comparison(&r->halves);
        print_comparison(&r->gaussian);
    }
    if (r->of_the_data)
        print_shares(&r->samples.classes);
    if (r->of_the_data && complete)
        print_memorisation("features", &r->features);
    (void)printf("\n");
}

void ebmt__print_report(const ebmt_eval_report *r, const ebmt_eval_facts *f)
{
    for (int32_t i = 0; i < r->n_rulers; i++) {
        print_ruler(&r->ruler[i], f);
        print_table(&r->ruler[i], r->complete);
    }
    if (r->n_rulers == 0)
        (void)printf("no ruler was given (--classifier, --inception): no distances, precision or "
                     "recall; %lld test images\n\n",
                     (long long)f->n_test);
    if (r->complete)
        print_memorisation("pixels", &r->pixels);
    if (r->test_is_train)
        (void)printf("the test images are the training images: each looked for the nearest other "
                     "one\n");
}

void ebmt__print_ood(const ebmt_ood_report *ood)
{
    (void)printf("\n%-26s %6s  %-20s  score: 1, 5, 50, 95, 99 %%\n", "out of distribution", "n",
                 "AUROC");
    for (int32_t i = 0; i < ood->n_rows; i++) {
        const ebmt_ood_row *r = &ood->row[i];
        (void)printf("%-26s %6lld", r->name, (long long)r->n);
        print_number(&r->auroc);
        for (int k = 0; k < EBMT_OOD_QUANTILES; k++)
            (void)printf(" %.6g", r->quantile[k]);
        (void)printf("\n");
    }
}

static void print_side(const char *name, const ebmt_number *low, const ebmt_number *high)
{
    (void)printf("bits per dimension, %s: from %.4f +- %.2g to %.4f +- %.2g, %lld images\n", name,
                 low->value, low->se, high->value, high->se, (long long)low->n);
}

void ebmt__print_bits(const ebmt_bits_report *b)
{
    (void)printf("\n");
    print_side("ladder", &b->ladder_low, &b->ladder_high);
    print_side("recovery bound", &b->bound_low, &b->bound_high);
    (void)printf("log Z: forward %.2f +- %.2g, reverse %.2f +- %.2g nats; %d particles of %d "
                 "temperatures, effective %.1f and %.1f; acceptance %.2f, %.2f, bound %.2f\n",
                 b->forward.value, b->forward.std_error, b->reverse.value, b->reverse.std_error,
                 b->particles, b->temperatures, b->forward.ess, b->reverse.ess,
                 b->forward.acceptance, b->reverse.acceptance, b->acceptance);
}

/* A line as soon as it is known: the last mark may be hours away. */
void ebmt__print_long_mark(void *user, const ebmt_long_report *r)
{
    const ebmt_long_mark *m = &r->mark[r->n_marks - 1];
    (void)user;
    if (r->n_marks == 1)
        (void)printf("\nlong chains: %lld by %s, gradients a step: %d, steps of burn-in: %lld, log "
                     "density of the middle "
                     "99 %% of %lld noised test images from %.6g to %.6g; distances by %s\n"
                     "%-10s  %-20s  %-20s  %-20s  %-10s  %-20s  %s\n",
                     (long long)r->chains, ebmt_sampler_name(r->sampler), (int)r->leapfrog,
                     (long long)r->burn_in, (long long)r->band_images, r->band.low, r->band.high,
                     r->ruler ? r->ruler : "no ruler", "steps", "Frechet", "Frechet, unbiased",
                     "log density", "its sd", "share in the band", "acceptance, diverged");
    if (m->steps < 0)
        (void)printf("%-10s", "as drawn");
    else
        (void)printf("%-10lld", (long long)m->steps);
    print_number(&m->frechet);
    print_number(&m->frechet_unbiased);
    print_number(&m->log_density);
    (void)printf("  %-10.4g", m->log_density_sd);
    print_number(&m->inside);
    if (isfinite(m->acceptance))
        (void)printf(" %.3f", m->acceptance);
    else
        (void)printf(" -");
    (void)printf(", %lld\n", (long long)m->diverged);
    (void)fflush(stdout);
}
