/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/linear.h"

#include <inttypes.h>
#include <string.h>

#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"
#include "ops/product.h"

/* A matrix inside a view: element (i, j) is at offset + i * row + j * col. */
struct matrix {
    const struct ao_view *view;
    int64_t offset, row, col;
};

/* dst = alpha left right + beta addend. */
struct linear_run {
    struct matrix left, right, dst, addend; /* addend.view NULL: none */
    double alpha, beta;
    int64_t rows;
};

/*
 * n_k by n elements along k and along r into dst[(k * AO_PANEL) + r], zeros up to AO_PANEL; the
 * left operand's panel and one panel of the right one look the same.
 */
static void pack_panel(const struct matrix *m, int64_t offset, int64_t k_step, int64_t r_step,
                       int64_t n_k, int64_t n, double *dst)
{
    for (int64_t r = 0; r < AO_PANEL; r++)
        for (int64_t k = 0; k < n_k; k++) {
            const int64_t at = offset + k * k_step + r * r_step;
            double value = 0;
            if (r < n)
                value = m->view->dtype == AO_F32 ? (double)((const float *)m->view->data)[at]
                                                 : ((const double *)m->view->data)[at];
            dst[k * AO_PANEL + r] = value;
        }
}

static void pack_left(void *context, int64_t row, int64_t n_rows, int64_t k0, int64_t n_k,
                      double *panel)
{
    const struct matrix *m = &((const struct linear_run *)context)->left;
    pack_panel(m, m->offset + row * m->row + k0 * m->col, m->col, m->row, n_k, n_rows, panel);
}

static void pack_right(void *context, int64_t col, int64_t n_cols, int64_t k0, int64_t n_k,
                       double *panels)
{
    const struct matrix *m = &((const struct linear_run *)context)->right;
    for (int64_t c = 0; c < n_cols; c += AO_PANEL)
        pack_panel(m, m->offset + k0 * m->row + (col + c) * m->col, m->row, m->col, n_k, n_cols - c,
                   panels + c * n_k);
}

static void store(void *context, int64_t col, int64_t n_cols, const double *tile)
{
    const struct linear_run *run = context;
    const struct matrix *dst = &run->dst, *addend = &run->addend;
    double row[AO_TILE];
    for (int64_t i = 0; i < run->rows; i++) {
        for (int64_t j = 0; j < n_cols; j++) {
            row[j] = run->alpha * tile[i * AO_TILE + j];
            if (addend->view)
                row[j] += run->beta * ao_element(addend->view, addend->offset + i * addend->row +
                                                                   (col + j) * addend->col);
        }
        ao_row_store(dst->view, dst->offset + i * dst->row + col * dst->col, dst->col, row, n_cols);
    }
}

static void linear_run(struct linear_run *run, int64_t cols, int64_t depth, void *scratch)
{
    const struct ao_product product = {
        .rows = run->rows,
        .cols = cols,
        .depth = depth,
        .context = run,
        .pack_left = pack_left,
        .pack_right = pack_right,
        .store = store,
    };
    ao_product_run(&product, scratch);
}

static aosa_status gemm_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 2, 3, 1));
    for (int i = 0; i < 3; i++)
        AO_TRY(ao_op_float(graph, node, i));
    AO_TRY(ao_op_rank(graph, node, 0, 2, "A"));
    AO_TRY(ao_op_rank(graph, node, 1, 2, "B"));
    struct ao_gemm_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    params->alpha = ao_node_float(node, "alpha", 1);
    params->beta = ao_node_float(node, "beta", 1);
    params->trans_a = ao_node_int(node, "transA", 0) != 0;
    params->trans_b = ao_node_int(node, "transB", 0) != 0;
    const struct ao_shape *a = &ao_op_in(graph, node, 0)->shape;
    const struct ao_shape *b = &ao_op_in(graph, node, 1)->shape;
    const int64_t depth = a->dims[!params->trans_a];
    if (depth != b->dims[params->trans_b])
        return ao_op_fail(node, AOSA_ERR_FORMAT,
                          "A has %" PRId64 " columns, B has %" PRId64 " rows", depth,
                          b->dims[params->trans_b]);
    const struct ao_shape y = { .rank = 2,
                                .dims = { a->dims[params->trans_a], b->dims[!params->trans_b] } };
    const struct ao_value *c = ao_op_in(graph, node, 2);
    struct ao_shape wide;
    char text[2][AO_SHAPE_TEXT];
    if (c && (!ao_shape_broadcast(&c->shape, &y, &wide) || !ao_shape_equal(&wide, &y)))
        return ao_op_fail(node, AOSA_ERR_FORMAT, "C has shape %s, which does not broadcast to %s",
                          ao_shape_text(&c->shape, text[0]), ao_shape_text(&y, text[1]));
    return ao_op_set(graph, node, 0, ao_op_in(graph, node, 0)->dtype, &y);
}

static void gemm_forward(const struct ao_op_call *call)
{
    const struct ao_gemm_params *params = call->node->params;
    const struct ao_view *a = &call->in[0], *b = &call->in[1], *y = &call->out[0];
    struct ao_view c = { 0 };
    struct linear_run run = {
        .left = { a, 0, a->strides[params->trans_a], a->strides[!params->trans_a] },
        .right = { b, 0, b->strides[params->trans_b], b->strides[!params->trans_b] },
        .dst = { y, 0, y->strides[0], y->strides[1] },
        .alpha = params->alpha,
        .beta = params->beta,
        .rows = y->shape.dims[0],
    };
    if (call->node->n_in > 2 && call->in[2].data) {
        c = ao_view_broadcast(&call->in[2], &y->shape);
        run.addend = (struct matrix){ &c, 0, c.strides[0], c.strides[1] };
    }
    linear_run(&run, y->shape.dims[1], a->shape.dims[!params->trans_a], call->scratch);
}

static size_t gemm_scratch(const struct ao_graph *graph, const struct ao_node *node, int64_t batch)
{
    const struct ao_shape y = ao_value_shape(ao_op_out(graph, node, 0), batch);
    return ao_product_scratch(y.dims[0]);
}

static double gemm_macs(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_gemm_params *params = node->params;
    const int64_t depth = ao_op_in(graph, node, 0)->shape.dims[!params->trans_a];
    return (double)ao_shape_count(&ao_op_out(graph, node, 0)->shape) * (double)depth;
}

/* Rows of A stay rows of y; C must be one row or a number, since it does not grow with the batch.
 */
static bool gemm_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_gemm_params *params = node->params;
    const struct ao_value *b = ao_op_in(graph, node, 1), *c = ao_op_in(graph, node, 2);
    if (params->trans_a || b->batched)
        return false;
    return !c || c->shape.rank < 2 ||
           (c->batched ? c->shape.dims[0] == ao_op_out(graph, node, 0)->shape.dims[0]
                       : c->shape.dims[0] == 1);
}

/*
 * MatMul as numpy: matrices are the last two axes, the others broadcast; a vector on the left is
 * one row, on the right one column, and that axis leaves the result.
 */
struct matmul {
    struct ao_view a, b, y; /* of one rank, at least 2 */
};

static struct ao_view with_axis(const struct ao_view *view, int axis)
{
    struct ao_view wide = *view;
    for (int i = wide.shape.rank; i > axis; i--) {
        wide.shape.dims[i] = wide.shape.dims[i - 1];
        wide.strides[i] = wide.strides[i - 1];
    }
    wide.shape.dims[axis] = 1;
    wide.strides[axis] = 0;
    wide.shape.rank++;
    return wide;
}

static struct matmul matmul_lift(const struct ao_view *a, const struct ao_view *b,
                                 const struct ao_view *y)
{
    struct matmul m = { *a, *b, *y };
    if (b->shape.rank == 1) {
        m.b = with_axis(b, 1);
        m.y = with_axis(&m.y, m.y.shape.rank);
    }
    if (a->shape.rank == 1) {
        m.a = with_axis(a, 0);
        m.y = with_axis(&m.y, m.y.shape.rank - 1);
    }
    return m;
}

static aosa_status matmul_infer(struct ao_graph *graph, struct ao_node *node)
{
    AO_TRY(ao_op_arity(node, 2, 2, 1));
    AO_TRY(ao_op_float(graph, node, 0));
    AO_TRY(ao_op_float(graph, node, 1));
    const struct ao_value *a = ao_op_in(graph, node, 0), *b = ao_op_in(graph, node, 1);
    char text[2][AO_SHAPE_TEXT];
    ao_shape_text(&a->shape, text[0]);
    ao_shape_text(&b->shape, text[1]);
    const int ra = a->shape.rank, rb = b->shape.rank;
    if (ra < 1 || rb < 1)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "of %s and %s: numbers have no rows", text[0],
                          text[1]);
    if (a->shape.dims[ra - 1] != b->shape.dims[rb > 1 ? rb - 2 : 0])
        return ao_op_fail(
            node, AOSA_ERR_FORMAT,
            "of %s and %s: %" PRId64 " columns on the left, %" PRId64 " rows on the right", text[0],
            text[1], a->shape.dims[ra - 1], b->shape.dims[rb > 1 ? rb - 2 : 0]);
    struct ao_shape a_lead = a->shape, b_lead = b->shape, y;
    a_lead.rank = ra > 2 ? ra - 2 : 0;
    b_lead.rank = rb > 2 ? rb - 2 : 0;
    if (!ao_shape_broadcast(&a_lead, &b_lead, &y))
        return ao_op_fail(node, AOSA_ERR_FORMAT, "of %s and %s: leading axes do not broadcast",
                          text[0], text[1]);
    if (ra > 1)
        y.dims[y.rank++] = a->shape.dims[ra - 2];
    if (rb > 1)
        y.dims[y.rank++] = b->shape.dims[rb - 1];
    return ao_op_set(graph, node, 0, a->dtype, &y);
}

/* The view with its two last axes cut off and the rest broadcast to `lead`. */
static struct ao_view lead_view(const struct ao_view *view, const struct ao_shape *lead)
{
    struct ao_view cut = *view;
    cut.shape.rank -= 2;
    return ao_view_broadcast(&cut, lead);
}

static struct matrix last_matrix(const struct ao_view *view)
{
    const int rank = view->shape.rank;
    return (struct matrix){ view, 0, view->strides[rank - 2], view->strides[rank - 1] };
}

static void matmul_forward(const struct ao_op_call *call)
{
    const struct matmul m = matmul_lift(&call->in[0], &call->in[1], &call->out[0]);
    struct ao_shape lead = m.y.shape;
    lead.rank -= 2;
    const struct ao_view a = lead_view(&m.a, &lead), b = lead_view(&m.b, &lead),
                         y = lead_view(&m.y, &lead);
    struct linear_run run = { .left = last_matrix(&m.a),
                              .right = last_matrix(&m.b),
                              .dst = last_matrix(&m.y),
                              .alpha = 1,
                              .rows = m.y.shape.dims[lead.rank] };
    const int64_t count = ao_shape_count(&lead);
    for (int64_t i = 0; i < count; i++) {
        run.left.offset = ao_view_offset(&a, i);
        run.right.offset = ao_view_offset(&b, i);
        run.dst.offset = ao_view_offset(&y, i);
        linear_run(&run, m.y.shape.dims[lead.rank + 1], m.a.shape.dims[m.a.shape.rank - 1],
                   call->scratch);
    }
}

static size_t matmul_scratch(const struct ao_graph *graph, const struct ao_node *node,
                             int64_t batch)
{
    const struct ao_value *a = ao_op_in(graph, node, 0);
    const struct ao_shape shape = ao_value_shape(a, batch);
    return ao_product_scratch(shape.rank > 1 ? shape.dims[shape.rank - 2] : 1);
}

static double matmul_macs(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_shape *a = &ao_op_in(graph, node, 0)->shape;
    return (double)ao_shape_count(&ao_op_out(graph, node, 0)->shape) * (double)a->dims[a->rank - 1];
}

/* Axis 0 of a batched operand must be a leading axis (or the left one's rows) of the result. */
static bool matmul_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_value *a = ao_op_in(graph, node, 0), *b = ao_op_in(graph, node, 1);
    const struct ao_value *y = ao_op_out(graph, node, 0);
    const int ra = a->shape.rank, rb = b->shape.rank;
    if (a->batched && ra == 2 && rb <= 2)
        return !b->batched;
    const struct ao_value *both[] = { a, b };
    const int lead = (ra > rb ? ra : rb) - 2;
    for (int i = 0; i < 2; i++) {
        const struct ao_shape *shape = &both[i]->shape;
        const bool full = shape->rank - 2 == lead && lead > 0;
        if (both[i]->batched && (!full || shape->dims[0] != y->shape.dims[0]))
            return false;
        if (!both[i]->batched && full && shape->dims[0] != 1)
            return false;
    }
    return true;
}

const struct ao_op ao_op_Gemm = {
    .type = "Gemm",
    .infer = gemm_infer,
    .forward = gemm_forward,
    .scratch = gemm_scratch,
    .macs = gemm_macs,
    .vjp = ao_vjp_gemm,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = gemm_keeps_batch,
};
const struct ao_op ao_op_MatMul = {
    .type = "MatMul",
    .infer = matmul_infer,
    .forward = matmul_forward,
    .scratch = matmul_scratch,
    .macs = matmul_macs,
    .vjp = ao_vjp_matmul,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = matmul_keeps_batch,
};
