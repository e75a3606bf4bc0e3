/* The rows of requests: core's tables with what only a server has around them.
 * Knows rows; not values. */
#include <string.h>

#include "ebma/op_request.h"

static const ebm_param model_row = {
    .name = "model",
    .type = EBM_PARAM_MODEL,
    .unit = "",
    .help = "id of a loaded model, or a list of {\"id\", \"weight\"}, also as text: a:1,b:-0.5; "
            "absent: the server's default"};

static const ebm_param images_row = {.name = "images",
                                     .type = EBM_PARAM_IMAGE,
                                     .unit = "PNG",
                                     .help = "pictures to look at, 1 to 64 of them"};

static const ebm_param drawn_rows[] = {
    {.name = "width",
     .type = EBM_PARAM_INT,
     .min = 1,
     .max = 1024,
     .preset = 0,
     .unit = "pixels",
     .help = "of an image: that of the model, or it is refused"},
    {.name = "height",
     .type = EBM_PARAM_INT,
     .min = 1,
     .max = 1024,
     .preset = 0,
     .unit = "pixels",
     .help = "of an image: that of the model, or it is refused"},
    {.name = "output_format",
     .type = EBM_PARAM_CHOICE,
     .choices = "png",
     .unit = "",
     .help = "what images are encoded as"},
    {.name = "response_format",
     .type = EBM_PARAM_CHOICE,
     .choices = "b64_json|url|none",
     .unit = "",
     .help = "how images come back: base64 PNG in the JSON, the address of each, or energies and "
             "digests only"},
};

static const ebm_param joint_rows[] = {
    {.name = "sheet",
     .type = EBM_PARAM_BOOL,
     .max = 1,
     .unit = "",
     .help = "also give all images side by side, without gaps: a sprite sheet"},
    {.name = "animation",
     .type = EBM_PARAM_BOOL,
     .max = 1,
     .unit = "",
     .help = "also give all images as an animated PNG"},
    {.name = "delay_ms",
     .type = EBM_PARAM_INT,
     .min = 1,
     .max = 65535,
     .preset = 120,
     .unit = "ms",
     .help = "how long the animation shows an image"},
};

static const ebm_param job_rows[] = {
    {.name = "priority",
     .type = EBM_PARAM_INT,
     .min = 0,
     .max = 9,
     .preset = EBMA_PRIORITY_DEFAULT,
     .unit = "",
     .help = "9 goes first"},
    {.name = "timeout_s",
     .type = EBM_PARAM_REAL,
     .min = 0.001,
     .max = 604800,
     .preset = 0,
     .unit = "s",
     .help = "the job ends when it is not done by then; absent or null: no such limit"},
    {.name = "metadata",
     .type = EBM_PARAM_OBJECT,
     .unit = "",
     .help = "an object of the caller's own that comes back in the job object; at most 4096 bytes"},
};

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static void add(ebma_table *t, const ebm_param *rows, size_t n)
{
    for (size_t i = 0; i < n && t->n < EBMA_TABLE_MAX; i++)
        t->row[t->n++] = &rows[i];
}

static bool looks_at_images(ebm_op_kind kind)
{
    return kind == EBM_OP_ENERGY || kind == EBM_OP_LIKELIHOOD;
}

ebma_table ebma_op_table(ebm_op_kind kind)
{
    const ebm_operation *op = ebm_operation_of(kind);
    ebma_table t = {.n = 0};

    add(&t, &model_row, 1);
    if (looks_at_images(kind))
        add(&t, &images_row, 1);
    add(&t, op->params, op->n_params);
    if (!looks_at_images(kind))
        add(&t, drawn_rows, COUNT(drawn_rows));
    if (!looks_at_images(kind) && kind != EBM_OP_MCMC)
        add(&t, joint_rows, COUNT(joint_rows));
    add(&t, job_rows, COUNT(job_rows));
    return t;
}

bool ebma_row_is_list(const ebm_param *row)
{
    return row == &images_row;
}

bool ebma_op_takes_pictures(const ebm_operation *op)
{
    bool takes = looks_at_images(op->kind);

    for (size_t i = 0; i < op->n_params; i++)
        takes = takes || op->params[i].type == EBM_PARAM_IMAGE;
    return takes;
}

ebma_table ebma_chain_table(ebma_chain_call call)
{
    static const char *const names[] = {"keep",     "until.ess", "until.rhat", "until.max_seconds",
                                        "priority", "timeout_s", "metadata",   "steps",
                                        "seed"};
    const size_t n = call == EBMA_CHAINS_FORK ? 9 : call == EBMA_CHAINS_EXTEND ? 8 : 7;
    const ebma_table all = ebma_op_table(EBM_OP_MCMC);
    ebma_table t = {.n = 0};

    for (size_t i = 0; i < all.n; i++) {
        for (size_t k = 0; k < n; k++) {
            if (strcmp(all.row[i]->name, names[k]) == 0)
                t.row[t.n++] = all.row[i];
        }
    }
    return t;
}
