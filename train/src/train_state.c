/* The vectors that training carries along: made and freed. What they mean is told in train.h. */
#include <string.h>

#include "ebm/memory.h"
#include "ebmt/train.h"

ebm_status ebmt_state_init(const ebmt_state_sizes *size, ebmt_state *out, ebm_error *err)
{
    memset(out, 0, sizeof *out);
    out->size = *size;
    out->params = ebm_alloc(size->params, sizeof(float));
    out->ema = ebm_alloc(size->params, sizeof(float));
    out->adam_m = ebm_alloc(size->params, sizeof(float));
    out->adam_v = ebm_alloc(size->params, sizeof(float));
    out->spectral_u = ebm_alloc(size->spectral, sizeof(float));
    out->ema_spectral_u = ebm_alloc(size->spectral, sizeof(float));
    out->watch = ebm_alloc(size->watch, sizeof(float));
    out->chains = ebm_alloc(size->chains, sizeof(float));
    if (!out->params || !out->ema || !out->adam_m || !out->adam_v || !out->spectral_u ||
        !out->ema_spectral_u || !out->watch || !out->chains) {
        ebmt_state_clear(out);
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for %zu parameters",
                             size->params);
    }
    return EBM_OK;
}

void ebmt_state_clear(ebmt_state *state)
{
    ebm_free(state->params);
    ebm_free(state->ema);
    ebm_free(state->adam_m);
    ebm_free(state->adam_v);
    ebm_free(state->spectral_u);
    ebm_free(state->ema_spectral_u);
    ebm_free(state->watch);
    ebm_free(state->chains);
    memset(state, 0, sizeof *state);
}
