/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/vjp.h"

#include <string.h>

#include "ops/check.h"

static aosa_status no_memory(void)
{
    return ao_fail(AOSA_ERR_NOMEM, "no memory for the backward pass");
}

/* Arrays and texts of an attribute, moved into the arena. */
static bool keep_attr(struct ao_graph *graph, struct ao_attr *attr)
{
    struct ao_arena *arena = &graph->arena;
    if (attr->type == AO_ATTR_INTS)
        attr->ints = ao_arena_copy(arena, attr->ints, (size_t)attr->n * sizeof *attr->ints);
    else if (attr->type == AO_ATTR_FLOATS)
        attr->floats = ao_arena_copy(arena, attr->floats, (size_t)attr->n * sizeof *attr->floats);
    else if (attr->type == AO_ATTR_TEXT)
        attr->text = ao_arena_strndup(arena, attr->text, strlen(attr->text));
    else
        return true;
    return attr->ints != NULL; /* the pointers share their place */
}

static aosa_status fill_node(struct ao_graph *graph, struct ao_node *node, const int32_t *in,
                             const struct ao_attr *attrs, int32_t out)
{
    node->in = ao_arena_copy(&graph->arena, in, (size_t)node->n_in * sizeof *in);
    node->out = ao_arena_copy(&graph->arena, &out, sizeof out);
    node->attrs = ao_arena_alloc(&graph->arena, (size_t)node->n_attrs + 1, sizeof *attrs);
    if (!node->in || !node->out || !node->attrs)
        return no_memory();
    for (int i = 0; i < node->n_attrs; i++) {
        node->attrs[i] = attrs[i];
        if (!keep_attr(graph, &node->attrs[i]))
            return no_memory();
    }
    return AOSA_OK;
}

/* A constant that is only moved is moved once, not in every run. */
static bool moves_constant(const struct ao_graph *graph, const struct ao_node *node)
{
    return graph->values[node->in[0]].data &&
           (strcmp(node->type, "Transpose") == 0 || strcmp(node->type, "Reshape") == 0);
}

static aosa_status move_constant(struct ao_graph *graph, const struct ao_node *node)
{
    AO_TRY(ao_graph_align(graph, node->in[0]));
    const struct ao_value *x = &graph->values[node->in[0]];
    struct ao_value *y = &graph->values[node->out[0]];
    const struct ao_view in[] = { ao_view_dense((void *)(uintptr_t)x->data, x->dtype, &x->shape),
                                  { 0 } };
    const size_t n = (size_t)ao_shape_count(&y->shape);
    const struct ao_view out = ao_view_dense(
        ao_arena_alloc(&graph->arena, n, ao_dtype_size(y->dtype)), y->dtype, &y->shape);
    const struct ao_op_call call = { .node = node, .in = in, .out = &out };
    if (!out.data)
        return no_memory();
    node->op->forward(&call);
    y->data = out.data;
    y->producer = -1;
    return AOSA_OK;
}

aosa_status ao_vjp_node(struct ao_graph *graph, const char *type, const int32_t *in, int n_in,
                        const struct ao_attr *attrs, int n_attrs, int32_t *value)
{
    int out, index;
    struct ao_node node = {
        .type = type, .op = ao_op_find(type), .n_in = n_in, .n_out = 1, .n_attrs = n_attrs
    };
    AO_TRY(ao_graph_add_value(graph, "", &out));
    AO_TRY(fill_node(graph, &node, in, attrs, out));
    AO_TRY(ao_graph_add_node(graph, &node, &index));
    AO_TRY(node.op->infer(graph, &graph->nodes[index]));
    if (moves_constant(graph, &node))
        AO_TRY(move_constant(graph, &graph->nodes[--graph->n_nodes]));
    *value = out;
    return AOSA_OK;
}

static aosa_status constant(struct ao_graph *graph, enum ao_dtype dtype,
                            const struct ao_shape *shape, const void *data, int32_t *value)
{
    const size_t bytes = (size_t)ao_shape_count(shape) * ao_dtype_size(dtype);
    const void *kept = ao_arena_copy(&graph->arena, data, bytes);
    int made;
    if (!kept)
        return no_memory();
    AO_TRY(ao_graph_add_constant(graph, "", dtype, shape, kept, &made));
    *value = made;
    return AOSA_OK;
}

static aosa_status number_of(struct ao_graph *graph, enum ao_dtype dtype, double number,
                             int32_t *value)
{
    const struct ao_shape shape = { .rank = 0 };
    const float narrow = (float)number;
    if (dtype == AO_F64)
        return constant(graph, dtype, &shape, &number, value);
    return constant(graph, AO_F32, &shape, &narrow, value);
}

/* Chosen rather than multiplied: 0 x would be NaN where x is infinite. */
aosa_status ao_vjp_zeros(struct ao_graph *graph, int32_t like, int32_t *value)
{
    static const uint8_t never = 0;
    const struct ao_shape shape = { .rank = 0 };
    int32_t in[3] = { -1, like, -1 };
    AO_TRY(constant(graph, AO_BOOL, &shape, &never, &in[0]));
    AO_TRY(number_of(graph, graph->values[like].dtype, 0, &in[2]));
    return ao_vjp_node(graph, "Where", in, 3, NULL, 0, value);
}

int32_t ao_vjp_apply(struct ao_vjp *vjp, const char *type, const int32_t *in, int n_in,
                     const struct ao_attr *attrs, int n_attrs)
{
    int32_t value = -1;
    if (vjp->status == AOSA_OK)
        vjp->status = ao_vjp_node(vjp->graph, type, in, n_in, attrs, n_attrs, &value);
    return value;
}

int32_t ao_vjp_one(struct ao_vjp *vjp, const char *type, int32_t a)
{
    return ao_vjp_apply(vjp, type, &a, 1, NULL, 0);
}

int32_t ao_vjp_two(struct ao_vjp *vjp, const char *type, int32_t a, int32_t b)
{
    return ao_vjp_apply(vjp, type, (const int32_t[]){ a, b }, 2, NULL, 0);
}

int32_t ao_vjp_inherit(struct ao_vjp *vjp, const char *type, const int32_t *in, int n_in,
                       const struct ao_attr *extra)
{
    const int n = vjp->node.n_attrs;
    struct ao_attr *attrs = ao_arena_alloc(&vjp->graph->arena, (size_t)n + 1, sizeof *attrs);
    if (!attrs && vjp->status == AOSA_OK)
        vjp->status = no_memory();
    if (vjp->status != AOSA_OK)
        return -1;
    if (extra)
        attrs[0] = *extra;
    if (n > 0)
        memcpy(attrs + (extra != NULL), vjp->node.attrs, (size_t)n * sizeof *attrs);
    return ao_vjp_apply(vjp, type, in, n_in, attrs, n + (extra != NULL));
}

int32_t ao_vjp_number(struct ao_vjp *vjp, double number)
{
    int32_t value = -1;
    int known = 0;
    while (vjp->grad_out[known] < 0)
        known++;
    const enum ao_dtype dtype = vjp->graph->values[vjp->grad_out[known]].dtype;
    if (vjp->status == AOSA_OK)
        vjp->status = number_of(vjp->graph, dtype, number, &value);
    return value;
}

int32_t ao_vjp_ints(struct ao_vjp *vjp, const int64_t *ints, int n)
{
    const struct ao_shape shape = { .rank = 1, .dims = { n } };
    int32_t value = -1;
    if (vjp->status == AOSA_OK)
        vjp->status = constant(vjp->graph, AO_I64, &shape, ints, &value);
    return value;
}

struct ao_shape ao_vjp_shape(const struct ao_vjp *vjp, int32_t value)
{
    return vjp->status == AOSA_OK ? vjp->graph->values[value].shape : (struct ao_shape){ 0 };
}

int64_t ao_vjp_onnx_type(const struct ao_vjp *vjp, int32_t value)
{
    return vjp->graph->values[value].dtype == AO_F64 ? 11 : 1;
}

int32_t ao_vjp_reshape(struct ao_vjp *vjp, int32_t value, const struct ao_shape *shape)
{
    const struct ao_attr literal = { .name = "allowzero", .type = AO_ATTR_INT, .i = 1 };
    const struct ao_shape now = ao_vjp_shape(vjp, value);
    if (ao_shape_equal(&now, shape))
        return value;
    const int32_t in[] = { value, ao_vjp_ints(vjp, shape->dims, shape->rank) };
    return ao_vjp_apply(vjp, "Reshape", in, 2, &literal, 1);
}

int32_t ao_vjp_expand(struct ao_vjp *vjp, int32_t value, const struct ao_shape *shape)
{
    const struct ao_shape now = ao_vjp_shape(vjp, value);
    if (ao_shape_equal(&now, shape))
        return value;
    return ao_vjp_two(vjp, "Expand", value, ao_vjp_ints(vjp, shape->dims, shape->rank));
}

int32_t ao_vjp_sum(struct ao_vjp *vjp, int32_t value, const bool axes[AO_MAX_RANK])
{
    int64_t list[AO_MAX_RANK];
    int n = 0;
    for (int i = 0; i < ao_vjp_shape(vjp, value).rank; i++)
        if (axes[i])
            list[n++] = i;
    return n > 0 ? ao_vjp_two(vjp, "ReduceSum", value, ao_vjp_ints(vjp, list, n)) : value;
}

int32_t ao_vjp_fold(struct ao_vjp *vjp, int32_t value, const struct ao_shape *shape)
{
    bool axes[AO_MAX_RANK] = { false };
    const struct ao_shape wide = ao_vjp_shape(vjp, value);
    const int lead = wide.rank - shape->rank;
    for (int i = 0; i < wide.rank; i++)
        axes[i] = wide.dims[i] != 1 && (i < lead || shape->dims[i - lead] == 1);
    return ao_vjp_reshape(vjp, ao_vjp_sum(vjp, value, axes), shape);
}

int32_t ao_vjp_baseline(const struct ao_vjp *vjp, int32_t value)
{
    return vjp->baseline ? vjp->baseline[value] : value;
}

int32_t ao_vjp_middle(struct ao_vjp *vjp, int32_t value)
{
    const int32_t base = ao_vjp_baseline(vjp, value);
    if (base == value)
        return value;
    const int32_t sum = ao_vjp_two(vjp, "Add", value, base);
    return ao_vjp_two(vjp, "Mul", sum, ao_vjp_number(vjp, 0.5));
}

int32_t ao_vjp_quotient(struct ao_vjp *vjp, int32_t numerator, int i, int32_t plain)
{
    const int32_t x = vjp->node.in[i];
    const int32_t change = ao_vjp_two(vjp, "Sub", x, ao_vjp_baseline(vjp, x));
    const int32_t in[] = { numerator, change, plain };
    return ao_vjp_apply(vjp, "RescaleQuotient", in, 3, NULL, 0);
}

int32_t ao_vjp_rescale(struct ao_vjp *vjp, int i, int32_t plain)
{
    const int32_t x = vjp->node.in[i], y = vjp->node.out[0];
    const struct ao_shape shape = ao_vjp_shape(vjp, x), wide = ao_vjp_shape(vjp, y);
    if (ao_vjp_baseline(vjp, x) == x || !ao_shape_equal(&shape, &wide))
        return plain;
    const int32_t change = ao_vjp_two(vjp, "Sub", y, ao_vjp_baseline(vjp, y));
    return ao_vjp_quotient(vjp, ao_vjp_two(vjp, "Mul", vjp->grad_out[0], change), i, plain);
}

aosa_status ao_vjp_refuse(const struct ao_vjp *vjp, const char *what)
{
    return ao_op_fail(&vjp->node, AOSA_ERR_UNSUPPORTED, "has no backward %s", what);
}

aosa_status ao_vjp_zero(struct ao_vjp *vjp)
{
    return vjp->status;
}
