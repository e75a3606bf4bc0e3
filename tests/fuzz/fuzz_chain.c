/* Feeds bytes, signed so that they reach the fields, to the reader of chain checkpoints; a chain
 * that it accepts must be written back the same, as version 2, and be able to run. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/io.h"
#include "ebm/mcmc.h"
#include "ebm/memory.h"

#define DIM     6
#define ROWS    7 /* levels of the paper's schedule */
#define VERSION 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char digest[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/* A standard normal at every level. */
static void gradient(void *self, const float *y, int32_t level, float *net, float *grad)
{
    const ebm_levels *l = self;
    double sum = 0.0;
    for (int i = 0; i < DIM; i++) {
        sum += (double)y[i] * (double)y[i];
        grad[i] = (float)(-l->step2[level] * (double)y[i]);
    }
    if (net)
        *net = (float)(-0.5 * l->step2[level] * sum);
}

static void check_chain(ebm_mcmc *chain, const ebm_mcmc_setup *setup, const unsigned char *bytes,
                        size_t size)
{
    float work[4 * DIM];
    unsigned char *again;
    size_t n;
    if (ebm_mcmc_encode(chain, setup, digest, &again, &n, NULL) != EBM_OK)
        abort();
    if (bytes[8] == VERSION && (n != size || memcmp(again, bytes, n) != 0))
        abort();
    ebm_free(again);
    ebm_status st = ebm_mcmc_advance(chain, setup, 3, NULL, work, NULL);
    if (st != EBM_OK && st != EBM_ERR_DIVERGED)
        abort();
}

static void try_bytes(const unsigned char *bytes, size_t size, const ebm_levels *levels)
{
    float y[DIM], anchor[DIM], image[DIM], mask[DIM], path[ROWS * DIM];
    const ebm_mcmc_room room = {.dim = DIM,
                                .levels = levels,
                                .model_digest = digest,
                                .y = y,
                                .anchor = anchor,
                                .image = image,
                                .mask = mask,
                                .path = path};
    ebm_levels own = *levels;
    const ebm_density density = {.dim = DIM, .self = &own, .gradient = gradient};
    ebm_mcmc chain = {0};
    ebm_mcmc_plan plan;
    ebm_error err = {EBM_OK, 0, "", ""};
    const ebm_mcmc_setup setup = {.density = &density, .levels = levels, .plan = &plan};
    ebm_status st = ebm_mcmc_decode(bytes, size, &room, &chain, &plan, &err);
    if (st != err.status || (st == EBM_OK) != (chain.y != NULL))
        abort();
    if (st == EBM_OK)
        check_chain(&chain, &setup, bytes, size);
}

/* Puts both digests where they belong, or bytes would end at them. */
static void sign(unsigned char *bytes, size_t size, const ebm_levels *levels)
{
    char hex[65];
    if (size >= 128 && bytes[8] == VERSION) {
        if (ebm_levels_digest(levels, hex, NULL) != EBM_OK)
            abort();
        memcpy(bytes + size - 128, hex, 64);
    }
    if (size >= 64) {
        ebm_sha256_hex(bytes, size - 64, hex);
        memcpy(bytes + size - 64, hex, 64);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const ebm_schedule_t6 schedule = ebm_schedule_t6_default();
    ebm_levels levels;
    unsigned char *bytes = malloc(size + 1);
    if (!bytes || ebm_levels_t6(&schedule, &levels, NULL) != EBM_OK)
        abort();
    if (size > 0)
        memcpy(bytes, data, size);
    sign(bytes, size, &levels);
    try_bytes(bytes, size, &levels);
    ebm_levels_clear(&levels);
    free(bytes);
    return 0;
}
