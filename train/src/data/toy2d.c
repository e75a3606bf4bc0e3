/* See ebmt/toy2d.h. One row per density: a name, a density, a way to draw from it. */
#include "ebmt/toy2d.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ebm/memory.h"
#include "ebm/rng.h"

#define PI         3.14159265358979323846
#define MAX_POINTS ((int64_t)1 << 24)

/* Draws of one point: uniforms and normals of two streams. */
typedef struct draws {
    double uniform[3];
    float normal[4];
} draws;

static double normal_density(double x, double mean, double sd)
{
    double z = (x - mean) / sd;
    return exp(-0.5 * z * z) / (sd * sqrt(2.0 * PI));
}

static int32_t choice(double uniform, int32_t n)
{
    return (int32_t)(uniform * (double)n);
}

/* --- checkerboard --------------------------------------------------------------------------- */

enum { FIELDS = 4 }; /* in a row */

static double board_density(double x, double y)
{
    int32_t column = (int32_t)floor((x + 1.0) * FIELDS / 2.0);
    int32_t row = (int32_t)floor((y + 1.0) * FIELDS / 2.0);
    bool inside = column >= 0 && column < FIELDS && row >= 0 && row < FIELDS;
    return inside && (column + row) % 2 == 0 ? 0.5 : 0.0; /* half of the area 4 is dark */
}

static void board_draw(const draws *d, double point[2])
{
    int32_t field = choice(d->uniform[0], FIELDS * FIELDS / 2);
    int32_t row = field / (FIELDS / 2), column = 2 * (field % (FIELDS / 2)) + row % 2;
    point[0] = ((double)column + d->uniform[1]) * 2.0 / FIELDS - 1.0;
    point[1] = ((double)row + d->uniform[2]) * 2.0 / FIELDS - 1.0;
}

/* --- rings ---------------------------------------------------------------------------------- */

enum { RINGS = 4 };
#define RING_SD 0.02

static double ring_radius(int32_t k)
{
    return 0.2 * (double)(k + 1);
}

/* A radius is normal around its ring and an angle uniform; radii below 0, ten standard deviations
 * away, are left out. */
static double rings_density(double x, double y)
{
    double r = hypot(x, y), sum = 0.0;
    for (int32_t k = 0; k < RINGS; k++)
        sum += normal_density(r, ring_radius(k), RING_SD) / RINGS;
    return r > 0.0 ? sum / (2.0 * PI * r) : 0.0;
}

static void rings_draw(const draws *d, double point[2])
{
    double r = ring_radius(choice(d->uniform[0], RINGS)) + RING_SD * (double)d->normal[0];
    point[0] = r * cos(2.0 * PI * d->uniform[1]);
    point[1] = r * sin(2.0 * PI * d->uniform[1]);
}

/* --- pinwheel ------------------------------------------------------------------------------- */

enum { ARMS = 5 };
#define ARM_MEAN 0.5
#define ARM_LONG 0.13
#define ARM_WIDE 0.04
#define ARM_TURN 2.5 /* radians per unit of radius */

/* A turn by an angle that depends on the radius alone keeps areas, so the density goes along. */
static void turn(double angle, double x, double y, double out[2])
{
    out[0] = cos(angle) * x - sin(angle) * y;
    out[1] = sin(angle) * x + cos(angle) * y;
}

static double pinwheel_density(double x, double y)
{
    double sum = 0.0, back[2];
    for (int32_t k = 0; k < ARMS; k++) {
        turn(-2.0 * PI * k / ARMS - ARM_TURN * hypot(x, y), x, y, back);
        sum += normal_density(back[0], ARM_MEAN, ARM_LONG) * normal_density(back[1], 0.0, ARM_WIDE);
    }
    return sum / ARMS;
}

static void pinwheel_draw(const draws *d, double point[2])
{
    double along = ARM_MEAN + ARM_LONG * (double)d->normal[0];
    double across = ARM_WIDE * (double)d->normal[1];
    double angle = 2.0 * PI * choice(d->uniform[0], ARMS) / ARMS;
    turn(angle + ARM_TURN * hypot(along, across), along, across, point);
}

/* --- Gaussians ------------------------------------------------------------------------------ */

enum { HILLS = 8 };
#define HILL_SD     0.06
#define HILL_RADIUS 0.7

static double gaussians_density(double x, double y)
{
    double sum = 0.0;
    for (int32_t k = 0; k < HILLS; k++)
        sum += normal_density(x, HILL_RADIUS * cos(2.0 * PI * k / HILLS), HILL_SD) *
               normal_density(y, HILL_RADIUS * sin(2.0 * PI * k / HILLS), HILL_SD);
    return sum / HILLS;
}

static void gaussians_draw(const draws *d, double point[2])
{
    double angle = 2.0 * PI * choice(d->uniform[0], HILLS) / HILLS;
    point[0] = HILL_RADIUS * cos(angle) + HILL_SD * (double)d->normal[0];
    point[1] = HILL_RADIUS * sin(angle) + HILL_SD * (double)d->normal[1];
}

/* --- the table ------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    double (*density)(double x, double y);
    void (*draw)(const draws *d, double point[2]);
} toys[EBMT_TOY_COUNT] = {
    [EBMT_TOY_CHECKERBOARD] = {"checkerboard", board_density, board_draw},
    [EBMT_TOY_RINGS] = {"rings", rings_density, rings_draw},
    [EBMT_TOY_PINWHEEL] = {"pinwheel", pinwheel_density, pinwheel_draw},
    [EBMT_TOY_GAUSSIANS] = {"gaussians", gaussians_density, gaussians_draw},
};

ebm_status ebmt_toy_find(const char *name, ebmt_toy *out, ebm_error *err)
{
    for (int32_t i = 0; i < EBMT_TOY_COUNT; i++) {
        if (strcmp(toys[i].name, name) == 0) {
            *out = (ebmt_toy)i;
            return EBM_OK;
        }
    }
    return ebm_error_set(err, EBM_ERR_NOT_FOUND, "toy",
                         "no density '%.32s'; there are checkerboard, rings, pinwheel, gaussians",
                         name);
}

double ebmt_toy_density(ebmt_toy toy, double x, double y)
{
    return toys[toy].density(x, y);
}

void ebmt_toy_draw(ebmt_toy toy, uint64_t seed, uint32_t index, double point[2])
{
    const ebm_stream flat = {.seed = seed, .purpose = EBM_PURPOSE_DATA, .chain = index};
    const ebm_stream bell = {.seed = seed, .purpose = EBM_PURPOSE_DATA, .chain = index, .level = 1};
    draws d;
    for (uint32_t k = 0; k < 3; k++)
        d.uniform[k] = ebm_rng_uniform(&flat, k);
    ebm_rng_normal(&bell, 0, 4, d.normal);
    toys[toy].draw(&d, point);
}

static uint8_t to_pixel(double x)
{
    double level = floor((x + 1.0) * 127.5 + 0.5);
    return (uint8_t)(level < 0.0 ? 0.0 : level > 255.0 ? 255.0 : level);
}

ebm_status ebmt_toy_dataset(ebmt_toy toy, int64_t count, int32_t beside, uint64_t seed,
                            ebmt_dataset *out, ebm_error *err)
{
    memset(out, 0, sizeof *out);
    if (count < 1 || beside < 1 || count > MAX_POINTS / beside)
        return ebm_error_set(err, EBM_ERR_RANGE, "toy", "1..%lld points", (long long)MAX_POINTS);
    out->pixels = ebm_alloc((size_t)count * (size_t)beside, 2);
    if (!out->pixels)
        return ebm_error_set(err, EBM_ERR_NOMEM, "toy", "no memory for the points");
    out->count = count;
    out->channels = 2;
    out->height = 1;
    out->width = beside;
    for (int64_t i = 0; i < count * beside; i++) {
        double point[2];
        uint8_t *image = out->pixels + i / beside * beside * 2 + i % beside;
        ebmt_toy_draw(toy, seed, (uint32_t)i, point);
        image[0] = to_pixel(point[0]);
        image[beside] = to_pixel(point[1]);
    }
    return EBM_OK;
}
