/* Daemons on small models, see daemon_models.h. */
#include "daemon_models.h"

#include "http_client.h"

bool daemon_prepare_models(daemon_process *d, const tiny_model *models, size_t n)
{
    if (!daemon_prepare(d))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!tiny_model_write(d->models, &models[i]))
            return false;
    }
    return true;
}

bool daemon_prepare_tiny(daemon_process *d)
{
    static const tiny_model tiny = {
        .id = "tiny", .levels = 2, .steps = 2, .seed = 1, .step_scale = 1.0};

    return daemon_prepare_models(d, &tiny, 1);
}

bool daemon_prepare_slow(daemon_process *d)
{
    static const tiny_model models[] = {
        {.id = "a-tiny", .levels = 2, .steps = 2, .seed = 1, .step_scale = 1.0},
        {.id = "slow", .levels = 400, .steps = 4, .seed = 3, .step_scale = 1.0}};

    return daemon_prepare_models(d, models, 2);
}

bool daemon_draws(const daemon_process *d)
{
    return http_post_status(d->port, "/sample", "{\"seed\":1}") == 200;
}
