/* Small training runs, see run_scene.h. */
#include "run_scene.h"

#include "random_net.h"

ebmt_dataset run_bars(uint8_t *pixels)
{
    for (int k = 0; k < RUN_IMAGES; k++)
        for (int i = 0; i < RUN_DIM; i++)
            pixels[k * RUN_DIM + i] = (uint8_t)(i % RUN_SIDE == k % RUN_SIDE ? 255 : 8 * k % 50);
    return (ebmt_dataset){.count = RUN_IMAGES,
                          .channels = 1,
                          .height = RUN_SIDE,
                          .width = RUN_SIDE,
                          .pixels = pixels};
}

ebmt_config run_config(ebmt_objective objective)
{
    ebmt_config c = ebmt_config_default();
    c.network = small_network();
    c.schedule.steps = 3;
    c.objective = objective;
    c.step_rule = objective == EBMT_RECOVERY ? EBMT_STEPS_PAPER : EBMT_STEPS_VARIANCE;
    c.steps_low = 4;
    c.warm_start = 3;
    c.persistent_moves = 1;
    c.persistent_leapfrog = 2;
    c.iterations = 8;
    c.batch = 10;
    c.shards = 4;
    c.lr = c.lr_warm_start = 1e-3;
    c.lr_warmup = 2;
    c.clip = objective == EBMT_HYBRID ? 3.0 : 0.0;
    return c;
}

ebm_status run_trainer(const ebmt_config *c, const ebmt_dataset *data, int32_t threads,
                       ebmt__trainer **out, ebm_error *err)
{
    const ebmt_run_options opt = {
        .config = *c, .data = data, .threads = threads, .kernels = kernel_set("blas")};
    return ebmt__trainer_create(&opt, "t", out, err);
}
