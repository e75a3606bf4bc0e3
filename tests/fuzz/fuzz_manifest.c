/* Feeds text to the manifest reader; what it accepts must be written and read back the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/memory.h"
#include "model/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const ebm__manifest *m)
{
    ebm__manifest again;
    char *json = NULL;
    size_t size;
    const ebm_status st = ebm__manifest_build(m, NULL, NULL, &json, &size, NULL);
    if (st == EBM_ERR_LIMIT) { /* 17 digits can make a text longer than its source */
        return;
    }
    if (st != EBM_OK || ebm__manifest_parse(json, size, &again, NULL) != EBM_OK) {
        abort();
    }
    const size_t n = (size_t)m->levels.count * sizeof(double);
    if (again.n_experts != m->n_experts ||
        memcmp(again.expert_from, m->expert_from, sizeof m->expert_from) != 0 ||
        strcmp(again.title, m->title) != 0 || memcmp(again.levels.step2, m->levels.step2, n) != 0 ||
        memcmp(again.levels.sbar, m->levels.sbar, n) != 0) {
        abort();
    }
    ebm_levels_clear(&again.levels);
    ebm_free(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ebm__manifest m;
    ebm_error err = {EBM_OK, 0, "", ""};
    const ebm_status status = ebm__manifest_parse((const char *)data, size, &m, &err);
    if (status != err.status || (status == EBM_OK) != (m.levels.a != NULL)) {
        abort();
    }
    if (status == EBM_OK) {
        round_trip(&m);
    }
    ebm_levels_clear(&m.levels);
    return 0;
}
