/* See inception_graph.h. The blocks are those of Szegedy et al. 2016 (arXiv 1512.00567), figures 5
 * to 7, with torchvision's names and order of branches. */
#include "eval/inception_graph.h"

#include <stdio.h>
#include <string.h>

#define STRIP_FLOATS 196608 /* of columns: 768 KiB */

enum { VALID, SAME }; /* padding: none, or half the kernel on each side */

typedef struct row {
    const char *name;
    uint8_t kind, from, to, kh, kw, stride, pad;
} row;

#define CONV(name, from, to, kh, kw, stride, pad)                                                  \
    {                                                                                              \
        name, EBMT_INCEPTION_CONV, EBMT_MAP_##from, EBMT_MAP_##to, kh, kw, stride, pad             \
    }
#define SHRINK(name)                                                                               \
    {                                                                                              \
        name, EBMT_INCEPTION_SHRINK, EBMT_MAP_IN, EBMT_MAP_OUT, 3, 3, 2, VALID                     \
    }
#define POOL(name)                                                                                 \
    {                                                                                              \
        name, EBMT_INCEPTION_POOL, EBMT_MAP_IN, EBMT_MAP_A, 3, 3, 1, SAME                          \
    }

static const row stem[] = {
    CONV("Conv2d_1a_3x3", IN, OUT, 3, 3, 2, VALID),
    CONV("Conv2d_2a_3x3", IN, OUT, 3, 3, 1, VALID),
    CONV("Conv2d_2b_3x3", IN, OUT, 3, 3, 1, SAME),
    SHRINK("maxpool1"),
    CONV("Conv2d_3b_1x1", IN, OUT, 1, 1, 1, VALID),
    CONV("Conv2d_4a_3x3", IN, OUT, 3, 3, 1, VALID),
    SHRINK("maxpool2"),
};

static const row block_a[] = {
    CONV("branch1x1", IN, OUT, 1, 1, 1, SAME),
    CONV("branch5x5_1", IN, A, 1, 1, 1, SAME),
    CONV("branch5x5_2", A, OUT, 5, 5, 1, SAME),
    CONV("branch3x3dbl_1", IN, A, 1, 1, 1, SAME),
    CONV("branch3x3dbl_2", A, B, 3, 3, 1, SAME),
    CONV("branch3x3dbl_3", B, OUT, 3, 3, 1, SAME),
    POOL("pool"),
    CONV("branch_pool", A, OUT, 1, 1, 1, SAME),
};

static const row block_b[] = {
    CONV("branch3x3", IN, OUT, 3, 3, 2, VALID),
    CONV("branch3x3dbl_1", IN, A, 1, 1, 1, SAME),
    CONV("branch3x3dbl_2", A, B, 3, 3, 1, SAME),
    CONV("branch3x3dbl_3", B, OUT, 3, 3, 2, VALID),
    SHRINK("pool"),
};

static const row block_c[] = {
    CONV("branch1x1", IN, OUT, 1, 1, 1, SAME),     CONV("branch7x7_1", IN, A, 1, 1, 1, SAME),
    CONV("branch7x7_2", A, B, 1, 7, 1, SAME),      CONV("branch7x7_3", B, OUT, 7, 1, 1, SAME),
    CONV("branch7x7dbl_1", IN, A, 1, 1, 1, SAME),  CONV("branch7x7dbl_2", A, B, 7, 1, 1, SAME),
    CONV("branch7x7dbl_3", B, A, 1, 7, 1, SAME),   CONV("branch7x7dbl_4", A, B, 7, 1, 1, SAME),
    CONV("branch7x7dbl_5", B, OUT, 1, 7, 1, SAME), POOL("pool"),
    CONV("branch_pool", A, OUT, 1, 1, 1, SAME),
};

static const row block_d[] = {
    CONV("branch3x3_1", IN, A, 1, 1, 1, SAME),
    CONV("branch3x3_2", A, OUT, 3, 3, 2, VALID),
    CONV("branch7x7x3_1", IN, A, 1, 1, 1, SAME),
    CONV("branch7x7x3_2", A, B, 1, 7, 1, SAME),
    CONV("branch7x7x3_3", B, A, 7, 1, 1, SAME),
    CONV("branch7x7x3_4", A, OUT, 3, 3, 2, VALID),
    SHRINK("pool"),
};

static const row block_e[] = {
    CONV("branch1x1", IN, OUT, 1, 1, 1, SAME),
    CONV("branch3x3_1", IN, A, 1, 1, 1, SAME),
    CONV("branch3x3_2a", A, OUT, 1, 3, 1, SAME),
    CONV("branch3x3_2b", A, OUT, 3, 1, 1, SAME),
    CONV("branch3x3dbl_1", IN, A, 1, 1, 1, SAME),
    CONV("branch3x3dbl_2", A, B, 3, 3, 1, SAME),
    CONV("branch3x3dbl_3a", B, OUT, 1, 3, 1, SAME),
    CONV("branch3x3dbl_3b", B, OUT, 3, 1, 1, SAME),
    POOL("pool"),
    CONV("branch_pool", A, OUT, 1, 1, 1, SAME),
};

#define ROWS(table) table, (int32_t)(sizeof table / sizeof table[0])

static const struct block {
    const char *name; /* NULL: each row is a block of its own */
    const row *rows;
    int32_t n;
    bool max_in_fid; /* TensorFlow's graph pools by the maximum here */
} blocks[] = {
    {NULL, ROWS(stem), false},          {"Mixed_5b", ROWS(block_a), false},
    {"Mixed_5c", ROWS(block_a), false}, {"Mixed_5d", ROWS(block_a), false},
    {"Mixed_6a", ROWS(block_b), false}, {"Mixed_6b", ROWS(block_c), false},
    {"Mixed_6c", ROWS(block_c), false}, {"Mixed_6d", ROWS(block_c), false},
    {"Mixed_6e", ROWS(block_c), false}, {"Mixed_7a", ROWS(block_d), false},
    {"Mixed_7b", ROWS(block_e), false}, {"Mixed_7c", ROWS(block_e), true},
};

/* --- planning ------------------------------------------------------------------------------ */

typedef struct planner {
    ebmt_inception_graph graph;
    ebmt__inception_width width;
    void *user;
    ebmt__inception_plan *plan;
    int32_t n_ops, first;                            /* first operation of the current block */
    int32_t side[EBMT_MAP_COUNT], c[EBMT_MAP_COUNT]; /* c of OUT: channels filled so far */
} planner;

static size_t depth(const ebmt__inception_op *op)
{
    return (size_t)op->kh * (size_t)op->kw * (size_t)op->c_in;
}

int32_t ebmt__inception_strip(const ebmt__inception_op *op)
{
    const size_t rows = STRIP_FLOATS / (depth(op) * (size_t)op->side);
    if (rows < 1)
        return 1;
    return rows < (size_t)op->side ? (int32_t)rows : op->side;
}

static ebmt__inception_pool pool_of(ebmt_inception_graph graph, const struct block *b)
{
    if (graph == EBMT_INCEPTION_TORCHVISION)
        return EBMT_POOL_MEAN_NINE;
    return b->max_in_fid ? EBMT_POOL_MAX : EBMT_POOL_MEAN_INSIDE;
}

static void set_shape(const planner *p, const struct block *b, const row *r, ebmt__inception_op *op)
{
    (void)snprintf(op->name, sizeof op->name, "%s%s%s", b->name ? b->name : "", b->name ? "." : "",
                   r->name);
    op->kind = (ebmt__inception_kind)r->kind;
    op->pool = pool_of(p->graph, b);
    op->from = (ebmt__inception_map)r->from;
    op->to = (ebmt__inception_map)r->to;
    op->kh = r->kh;
    op->kw = r->kw;
    op->stride = r->stride;
    op->pad_h = r->pad == SAME ? r->kh / 2 : 0;
    op->pad_w = r->pad == SAME ? r->kw / 2 : 0;
    op->side_in = p->side[r->from];
    op->c_in = p->c[r->from];
    op->side = (op->side_in + 2 * op->pad_h - op->kh) / op->stride + 1;
    op->c = op->c_in;
}

static void at_least(size_t *room, size_t floats)
{
    *room = *room > floats ? *room : floats;
}

static ebm_status set_parameters(planner *p, ebmt__inception_op *op, ebm_error *err)
{
    ebmt__inception_plan *plan = p->plan;
    ebm_status st = p->width(p->user, op, &op->c, err);
    if (st != EBM_OK)
        return st;
    if (op->c < 1 || op->c > EBMT_INCEPTION_MAX_WIDTH)
        return ebm_error_set(err, EBM_ERR_RANGE, op->name, "%d channels, allowed 1..%d", op->c,
                             EBMT_INCEPTION_MAX_WIDTH);
    op->weight = plan->n_params;
    op->bias = op->weight + depth(op) * (size_t)op->c;
    plan->n_params = op->bias + (size_t)op->c;
    at_least(&plan->columns, (size_t)ebmt__inception_strip(op) * (size_t)op->side * depth(op));
    return EBM_OK;
}

static ebm_status plan_op(planner *p, const struct block *b, const row *r, ebm_error *err)
{
    ebmt__inception_op *op = &p->plan->op[p->n_ops];
    set_shape(p, b, r, op);
    ebm_status st = op->kind == EBMT_INCEPTION_CONV ? set_parameters(p, op, err) : EBM_OK;
    if (st != EBM_OK)
        return st;
    const bool beside = op->to == EBMT_MAP_OUT;
    op->offset = beside ? p->c[op->to] : 0;
    op->pitch = op->c;
    p->side[op->to] = op->side;
    p->c[op->to] = op->offset + op->c;
    at_least(&p->plan->map_floats[op->to],
             (size_t)op->side * (size_t)op->side * (size_t)p->c[op->to]);
    p->n_ops++;
    return EBM_OK;
}

/* OUT is whole: its slices learn how wide it is, and it becomes IN. */
static void end_block(planner *p)
{
    for (int32_t i = p->first; i < p->n_ops; i++)
        if (p->plan->op[i].to == EBMT_MAP_OUT)
            p->plan->op[i].pitch = p->c[EBMT_MAP_OUT];
    p->plan->op[p->n_ops - 1].last = true;
    p->side[EBMT_MAP_IN] = p->side[EBMT_MAP_OUT];
    p->c[EBMT_MAP_IN] = p->c[EBMT_MAP_OUT];
    p->c[EBMT_MAP_OUT] = 0;
    p->first = p->n_ops;
}

static ebm_status plan_block(planner *p, const struct block *b, ebm_error *err)
{
    ebm_status st = EBM_OK;
    for (int32_t i = 0; i < b->n && st == EBM_OK; i++) {
        st = plan_op(p, b, &b->rows[i], err);
        if (st == EBM_OK && (!b->name || i + 1 == b->n))
            end_block(p);
    }
    return st;
}

ebm_status ebmt__inception_plan_make(ebmt_inception_graph graph, ebmt__inception_width width,
                                     void *user, ebmt__inception_plan *out, ebm_error *err)
{
    planner p = {.graph = graph, .width = width, .user = user, .plan = out};
    ebm_status st = EBM_OK;
    memset(out, 0, sizeof *out);
    p.side[EBMT_MAP_IN] = EBMT_INCEPTION_SIDE;
    p.c[EBMT_MAP_IN] = 3;
    at_least(&out->map_floats[EBMT_MAP_IN], (size_t)3 * EBMT_INCEPTION_SIDE * EBMT_INCEPTION_SIDE);
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0] && st == EBM_OK; i++)
        st = plan_block(&p, &blocks[i], err);
    out->features = p.c[EBMT_MAP_IN];
    /* IN and OUT change places from block to block */
    at_least(&out->map_floats[EBMT_MAP_IN], out->map_floats[EBMT_MAP_OUT]);
    out->map_floats[EBMT_MAP_OUT] = out->map_floats[EBMT_MAP_IN];
    return st;
}
