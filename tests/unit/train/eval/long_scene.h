/* Long chains on a Gaussian whose truth is known, for the tests of long chains. */
#ifndef EBM_TEST_LONG_SCENE_H
#define EBM_TEST_LONG_SCENE_H

#include "analytic.h"
#include "eval/long_chains.h"

#define LONG_PIXELS 4
#define LONG_CHAINS 200
#define LONG_IMAGES 600

/* Independent pixels N(0.1, 0.04): 5 sd inside the range of bytes. */
typedef struct long_scene {
    ebm_levels levels;
    analytic_gauss gauss[2];
    ebm_density density[2];
    ebmt_dataset test;
    uint8_t pixels[LONG_IMAGES * LONG_PIXELS];
    ebmt_ruler ruler;
    ebmt__long_ground ground;
    ebmt_long_options opt;
    ebmt_long_report report;
} long_scene;

/* Six levels, the lowest with a noise of 0.1 and 60 steps: the samples are near the truth. 200
 * chains, 200 steps of burn-in, 1,200 after it. @own long_scene_clear() */
void long_scene_make(long_scene *s, int32_t threads, ebm_sampler_kind sampler);
void long_scene_clear(long_scene *s);

/* Runs s->opt into s->report; fails the test on an error. */
void long_scene_run(long_scene *s);

/* For on_mark, with the scene as user: a density so narrow, once the samples are drawn, that steps
 * are far beyond the stability bound. The levels stay what they are: files are held against them.
 */
void long_scene_unstable(void *user, const ebmt_long_report *report);

#endif
