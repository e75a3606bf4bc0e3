/* GET /v1/models and /v1/models/{id}: what is loaded and which parameters it takes. */
#include "ebm/memory.h"
#include "routes/router.h"

void ebmd_route_models(const ebmd_app *app, ebmd_request *r)
{
    const ebm_model_info *infos[EBMD_MODELS_MAX];
    ebmd_engine *engine = ebmd_catalog_take(app->catalog);
    size_t n = ebmd_engine_count(engine);
    char *json = NULL;
    size_t size = 0;
    ebm_status st;

    for (size_t i = 0; i < n; i++)
        infos[i] = ebm_model_describe(ebmd_engine_at(engine, i));
    st = ebma_model_list_encode(infos, n, &json, &size, NULL);
    ebmd_reply_json(r, st, json, size);
    ebmd_engine_unref(engine);
}

void ebmd_route_model(const ebmd_app *app, ebmd_request *r)
{
    ebmd_engine *engine = ebmd_catalog_take(app->catalog);
    char *json = NULL;
    size_t size = 0;
    size_t i;
    ebm_status st;

    /* ids are compared with the loaded ones; no file is ever opened for a client */
    if (ebmd_engine_find(engine, r->capture, &i)) {
        st = ebma_model_encode(ebm_model_describe(ebmd_engine_at(engine, i)), i == 0, &json, &size,
                               NULL);
        ebmd_reply_json(r, st, json, size);
    } else {
        ebmd_reply_code(r, EBMA_MODEL_NOT_FOUND);
    }
    ebmd_engine_unref(engine);
}
