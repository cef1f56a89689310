/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/alloc.h"
#include "ops/move.h"
#include "passes/edit.h"

/*
 * Exporters write qkv[1] and x[:, :, a:b] = y as a Transpose that brings the axis to the front, and
 * an operator on axis 0. There axis 0 is not the batch, so the network would run clip by clip. The
 * same said on the axis where it is, with T_p(x) for the Transpose of x by p:
 *
 *     T_q(T_p(x))                          = T_pq(x)
 *     Gather(T_p(x), i), axis a            = T_p'(Gather(x, i)), axis p[a]
 *     ScatterND(T_p(x), s .. s+n, T_p(y))  = T_p(Concat(x[: s], y, x[s+n :])), axis p[0]
 *     ScatterND(zeros, s .. s+n, T_p(y))   = T_p(Pad(y)), axis p[0]
 *
 * Transposes that nobody reads any more, and those that cancel, are removed by other passes.
 */

/* A value as the Transpose of another, or of itself by the identity. */
struct turned {
    int32_t base;
    int rank;
    int perm[AO_MAX_RANK];
};

static struct turned look_through(const struct ao_graph *graph, int32_t value)
{
    const struct ao_value *v = &graph->values[value];
    struct turned turned = { .base = value, .rank = v->shape.rank };
    for (int i = 0; i < turned.rank; i++)
        turned.perm[i] = i;
    const struct ao_node *node = v->producer >= 0 ? &graph->nodes[v->producer] : NULL;
    if (!node || strcmp(node->type, "Transpose") != 0)
        return turned;
    turned.base = node->in[0];
    memcpy(turned.perm, ((const struct ao_transpose_params *)node->params)->perm,
           sizeof turned.perm);
    return turned;
}

static aosa_status append_transpose(struct ao_graph *graph, const char *name, int32_t x, int rank,
                                    const int *perm, int32_t out)
{
    int64_t list[AO_MAX_RANK];
    for (int i = 0; i < rank; i++)
        list[i] = perm[i];
    const int64_t *copy = ao_arena_copy(&graph->arena, list, (size_t)rank * sizeof *list);
    if (!copy)
        return ao_pass_no_memory("an attribute");
    const struct ao_attr attr = { .name = "perm", .type = AO_ATTR_INTS, .n = rank, .ints = copy };
    return ao_pass_append(graph, name, "Transpose", 1, &x, &attr, &out);
}

static aosa_status join_transposes(struct ao_graph *graph, const struct ao_node *node, bool *done)
{
    const struct turned x = look_through(graph, node->in[0]);
    const struct ao_transpose_params *own = node->params;
    int perm[AO_MAX_RANK];
    if (x.base == node->in[0])
        return AOSA_OK;
    for (int i = 0; i < x.rank; i++)
        perm[i] = x.perm[own->perm[i]];
    *done = true;
    return append_transpose(graph, node->name, x.base, x.rank, perm, node->out[0]);
}

/* The axes of Gather(x, axis) in the order that Gather of the transposed x has. */
static int gathered_perm(const struct turned *x, int own_axis, int index_rank, int *perm)
{
    const int axis = x->perm[own_axis];
    int n = 0;
    for (int i = 0; i < x->rank; i++) {
        for (int j = 0; i == own_axis && j < index_rank; j++)
            perm[n++] = axis + j;
        if (i != own_axis)
            perm[n++] = x->perm[i] < axis ? x->perm[i] : x->perm[i] + index_rank - 1;
    }
    return n;
}

static aosa_status move_gather(struct ao_graph *graph, const struct ao_node *node, bool *done)
{
    const struct turned x = look_through(graph, node->in[0]);
    const struct ao_value *indices = ao_pass_constant(graph, node, 1);
    const int own = ((const struct ao_axis_params *)node->params)->axis;
    int perm[AO_MAX_RANK];
    if (x.base == node->in[0] || x.perm[0] == 0 || !indices)
        return AOSA_OK;
    const int rank = gathered_perm(&x, own, indices->shape.rank, perm);
    const int32_t in[] = { x.base, node->in[1] };
    const struct ao_attr axis = { .name = "axis", .type = AO_ATTR_INT, .i = x.perm[own] };
    int32_t gathered = -1;
    AO_TRY(ao_pass_append(graph, node->name, "Gather", 2, in, &axis, &gathered));
    *done = true;
    return append_transpose(graph, node->name, gathered, rank, perm, node->out[0]);
}

/* First of the ascending neighbours along axis 0 that a ScatterND replaces, or -1. */
static int64_t replaced_run(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct ao_value *indices = ao_pass_constant(graph, node, 1);
    if (!indices || indices->dtype != AO_I64 || indices->shape.rank != 2 ||
        indices->shape.dims[1] != 1 || indices->shape.dims[0] < 1 ||
        strcmp(ao_node_text(node, "reduction", "none"), "none") != 0)
        return -1;
    const int64_t *at = indices->data;
    const int64_t extent = graph->values[node->in[0]].shape.dims[0];
    const int64_t first = at[0] < 0 ? at[0] + extent : at[0];
    for (int64_t i = 1; i < indices->shape.dims[0]; i++)
        if ((at[i] < 0 ? at[i] + extent : at[i]) != first + i)
            return -1;
    return first;
}

/* A constant as x of T_p(x): elements [from, to) of its axis 0, which is axis p[0] of x. */
static aosa_status turn_constant(struct ao_graph *graph, const struct ao_value *value,
                                 const struct turned *like, int64_t from, int64_t to,
                                 int32_t *piece)
{
    const struct ao_view whole =
        ao_view_dense((void *)(uintptr_t)value->data, value->dtype, &value->shape);
    const size_t size = ao_dtype_size(value->dtype);
    struct ao_view part = whole;
    part.data = (char *)whole.data + (size_t)(from * whole.strides[0]) * size;
    for (int i = 0; i < like->rank; i++) {
        part.shape.dims[like->perm[i]] = i == 0 ? to - from : whole.shape.dims[i];
        part.strides[like->perm[i]] = whole.strides[i];
    }
    const size_t count = (size_t)ao_shape_count(&part.shape);
    const struct ao_view copy =
        ao_view_dense(ao_arena_alloc(&graph->arena, count, size), value->dtype, &part.shape);
    int index;
    if (!copy.data)
        return ao_pass_no_memory("a constant");
    ao_view_copy(&copy, &part);
    AO_TRY(ao_graph_add_constant(graph, value->name, value->dtype, &part.shape, copy.data, &index));
    *piece = index;
    return AOSA_OK;
}

static aosa_status append_slice(struct ao_graph *graph, const char *name, int32_t x, int axis,
                                int64_t from, int64_t to, int32_t *piece)
{
    const int64_t ints[] = { from, to, axis };
    int32_t in[4] = { x };
    for (int i = 0; i < 3; i++)
        AO_TRY(ao_pass_new_ints(graph, name, 1, &ints[i], &in[1 + i]));
    *piece = -1;
    return ao_pass_append(graph, name, "Slice", 4, in, NULL, piece);
}

/* Elements [from, to) of axis 0 of a value that is T_p(x), as those of x; none gives no piece. */
static aosa_status cut(struct ao_graph *graph, const struct ao_node *node, int32_t value,
                       const struct turned *like, int64_t from, int64_t to, int32_t *pieces,
                       int *n_pieces)
{
    const struct ao_value whole = graph->values[value];
    int32_t *piece = &pieces[*n_pieces];
    if (from == to)
        return AOSA_OK;
    ++*n_pieces;
    if (whole.data)
        return turn_constant(graph, &whole, like, from, to, piece);
    *piece = look_through(graph, value).base;
    if (from == 0 && to == whole.shape.dims[0])
        return AOSA_OK;
    return append_slice(graph, node->name, *piece, like->perm[0], from, to, piece);
}

static bool turned_alike(const struct turned *a, const struct turned *b)
{
    return a->rank == b->rank && memcmp(a->perm, b->perm, (size_t)a->rank * sizeof *a->perm) == 0;
}

/* Whether all elements of a constant have the same bits. */
static bool is_uniform(const struct ao_value *constant)
{
    const size_t size = ao_dtype_size(constant->dtype);
    const size_t bytes = (size_t)ao_shape_count(&constant->shape) * size;
    const char *data = constant->data;
    return bytes > 0 && memcmp(data, data + size, bytes - size) == 0;
}

/* `lo` and `hi` more elements at the ends of an axis, all with the value of a uniform constant. */
static aosa_status append_pad(struct ao_graph *graph, const char *name, int32_t x, int axis,
                              int64_t lo, int64_t hi, const struct ao_value *fill, int32_t *out)
{
    const int rank = graph->values[x].shape.rank;
    const struct ao_shape scalar = { .rank = 0 };
    const enum ao_dtype dtype = fill->dtype;
    const void *number = fill->data;
    int64_t pads[2 * AO_MAX_RANK] = { 0 };
    int value;
    pads[axis] = lo;
    pads[rank + axis] = hi;
    int32_t in[3] = { x };
    AO_TRY(ao_pass_new_ints(graph, name, 2 * rank, pads, &in[1]));
    AO_TRY(ao_graph_add_constant(graph, name, dtype, &scalar, number, &value));
    in[2] = value;
    *out = -1;
    return ao_pass_append(graph, name, "Pad", 3, in, NULL, out);
}

static aosa_status join_pieces(struct ao_graph *graph, const struct ao_node *node,
                               const struct turned *like, int64_t first, int32_t *joined)
{
    const struct ao_value *data = ao_pass_constant(graph, node, 0);
    const int64_t n = graph->values[node->in[2]].shape.dims[0];
    const int64_t extent = graph->values[node->in[0]].shape.dims[0];
    int32_t pieces[3];
    int n_pieces = 0;
    if (data && is_uniform(data) && !ao_pass_constant(graph, node, 2))
        return append_pad(graph, node->name, look_through(graph, node->in[2]).base, like->perm[0],
                          first, extent - first - n, data, joined);
    AO_TRY(cut(graph, node, node->in[0], like, 0, first, pieces, &n_pieces));
    AO_TRY(cut(graph, node, node->in[2], like, 0, n, pieces, &n_pieces));
    AO_TRY(cut(graph, node, node->in[0], like, first + n, extent, pieces, &n_pieces));
    const struct ao_attr axis = { .name = "axis", .type = AO_ATTR_INT, .i = like->perm[0] };
    *joined = -1;
    return ao_pass_append(graph, node->name, "Concat", n_pieces, pieces, &axis, joined);
}

static aosa_status move_scatter(struct ao_graph *graph, const struct ao_node *node, bool *done)
{
    const struct turned data = look_through(graph, node->in[0]);
    const struct turned updates = look_through(graph, node->in[2]);
    const struct turned *like = ao_pass_constant(graph, node, 2) ? &data : &updates;
    const int64_t first = replaced_run(graph, node);
    if (first < 0 || like->perm[0] == 0 ||
        (!ao_pass_constant(graph, node, 0) && !turned_alike(&data, like)))
        return AOSA_OK;
    int32_t joined;
    AO_TRY(join_pieces(graph, node, like, first, &joined));
    *done = true;
    return append_transpose(graph, node->name, joined, like->rank, like->perm, node->out[0]);
}

static const struct {
    const char *type;
    aosa_status (*rewrite)(struct ao_graph *graph, const struct ao_node *node, bool *done);
} rules[] = {
    { "Transpose", join_transposes },
    { "Gather", move_gather },
    { "ScatterND", move_scatter },
};

/* The node as it is, or what stands for it. */
static aosa_status copy_node(struct ao_graph *graph, const struct ao_node *node)
{
    bool done = false;
    int index;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcmp(node->type, rules[i].type) == 0)
            AO_TRY(rules[i].rewrite(graph, node, &done));
    return done ? AOSA_OK : ao_graph_add_node(graph, node, &index);
}

aosa_status ao_pass_transposes(struct ao_graph *graph, struct ao_passes_report *report)
{
    (void)report;
    struct ao_node *nodes = graph->nodes;
    const size_t n = graph->n_nodes;
    graph->nodes = NULL;
    graph->n_nodes = graph->cap_nodes = 0;
    aosa_status status = AOSA_OK;
    for (size_t k = 0; k < n && status == AOSA_OK; k++)
        status = copy_node(graph, &nodes[k]);
    ao_free(nodes);
    if (status == AOSA_OK)
        status = ao_pass_dead(graph, report);
    return status;
}
