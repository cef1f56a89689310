/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_TESTS_ONE_NODE_H
#define AO_TESTS_ONE_NODE_H

/*
 * A graph of one node for tests of operators: feed inputs and attributes, infer, then run the
 * operator's forward in several memory layouts and in both precisions, and compare each result.
 */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ops/check.h"
#include "ops/element.h"
#include "ops/op.h"

#define RIG_SLOTS 8

struct rig {
    struct ao_graph graph;
    struct ao_node node;
    int32_t in[RIG_SLOTS], out[RIG_SLOTS];
    struct ao_attr attrs[RIG_SLOTS];
    struct ao_view feed[RIG_SLOTS]; /* dense, float32 or integer, owned by the caller */
};

/* Extents as an array: SHAPE(1, 3, 4); a number is SHAPE_NUMBER. */
#define SHAPE(...)                                                           \
    ((struct ao_shape){ .rank = (int)(sizeof(int64_t[]){ __VA_ARGS__ } / 8), \
                        .dims = { __VA_ARGS__ } })
#define SHAPE_NUMBER ((struct ao_shape){ .rank = 0 })

static inline void rig_init(struct rig *rig, const char *type, int n_out)
{
    memset(rig, 0, sizeof *rig);
    ao_graph_init(&rig->graph, 0);
    rig->node = (struct ao_node){ .name = "n1",
                                  .type = type,
                                  .op = ao_op_find(type),
                                  .in = rig->in,
                                  .out = rig->out,
                                  .attrs = rig->attrs };
    assert_non_null(rig->node.op);
    for (int i = 0; i < n_out; i++) {
        int value;
        assert_int_equal(ao_graph_add_value(&rig->graph, "y", &value), AOSA_OK);
        rig->out[rig->node.n_out++] = value;
    }
}

static inline void rig_fini(struct rig *rig)
{
    ao_graph_fini(&rig->graph);
}

/* Appends an input; a NULL pointer is an absent one. Constants carry their data in the graph. */
static inline void rig_in(struct rig *rig, enum ao_dtype dtype, struct ao_shape shape,
                          const void *data, bool constant)
{
    const int slot = rig->node.n_in++;
    rig->in[slot] = -1;
    rig->feed[slot] = (struct ao_view){ 0 };
    if (!data)
        return;
    int value;
    assert_int_equal(
        ao_graph_add_constant(&rig->graph, "x", dtype, &shape, constant ? data : NULL, &value),
        AOSA_OK);
    rig->in[slot] = value;
    rig->feed[slot] = ao_view_dense((void *)(uintptr_t)data, dtype, &shape);
}

static inline void rig_f32(struct rig *rig, struct ao_shape shape, const float *data)
{
    rig_in(rig, AO_F32, shape, data, false);
}

/* Constant vector of integers: axes, pads, shapes. */
#define RIG_INTS(rig, ...)                                             \
    rig_in((rig), AO_I64, SHAPE(sizeof(int64_t[]){ __VA_ARGS__ } / 8), \
           (const int64_t[]){ __VA_ARGS__ }, true)

static inline void rig_attr_int(struct rig *rig, const char *name, int64_t value)
{
    rig->attrs[rig->node.n_attrs++] =
        (struct ao_attr){ .name = name, .type = AO_ATTR_INT, .i = value };
}

static inline void rig_attr_float(struct rig *rig, const char *name, float value)
{
    rig->attrs[rig->node.n_attrs++] =
        (struct ao_attr){ .name = name, .type = AO_ATTR_FLOAT, .f = value };
}

static inline void rig_attr_text(struct rig *rig, const char *name, const char *value)
{
    rig->attrs[rig->node.n_attrs++] =
        (struct ao_attr){ .name = name, .type = AO_ATTR_TEXT, .text = value };
}

static inline void rig_attr_ints(struct rig *rig, const char *name, int64_t n,
                                 const int64_t *values)
{
    rig->attrs[rig->node.n_attrs++] =
        (struct ao_attr){ .name = name, .type = AO_ATTR_INTS, .n = n, .ints = values };
}
#define RIG_ATTR_INTS(rig, name, ...)                                  \
    rig_attr_ints((rig), (name), sizeof(int64_t[]){ __VA_ARGS__ } / 8, \
                  (const int64_t[]){ __VA_ARGS__ })

static inline aosa_status rig_infer(struct rig *rig)
{
    return rig->node.op->infer(&rig->graph, &rig->node);
}

/* infer must fail with that status and a text that holds every word of `words` ("a|b"). */
static inline void rig_refused(struct rig *rig, aosa_status status, const char *words)
{
    char list[256];
    assert_int_equal(rig_infer(rig), status);
    assert_non_null(strstr(aosa_error_message(), "node 'n1'"));
    snprintf(list, sizeof list, "%s", words);
    for (char *word = strtok(list, "|"); word; word = strtok(NULL, "|"))
        if (!strstr(aosa_error_message(), word))
            fail_msg("'%s' is not in '%s'", word, aosa_error_message());
    rig_fini(rig);
}

enum rig_layout {
    RIG_DENSE,
    RIG_CHANNELS_LAST,
    RIG_SCATTERED, /* first axis innermost, every second element, the others poisoned */
    RIG_LAYOUTS,
};

/* A buffer of that layout, every byte 0xff (NaN in floats); freed by the caller through *memory. */
static inline struct ao_view rig_buffer(enum ao_dtype dtype, const struct ao_shape *shape,
                                        enum rig_layout layout, void **memory, size_t *bytes)
{
    *bytes = (size_t)(2 * ao_shape_count(shape) + 1) * ao_dtype_size(dtype);
    *memory = malloc(*bytes);
    assert_non_null(*memory);
    memset(*memory, 0xff, *bytes);
    if (layout == RIG_CHANNELS_LAST)
        return ao_view_channels_last(*memory, dtype, shape);
    struct ao_view view = ao_view_dense(*memory, dtype, shape);
    int64_t stride = 2;
    for (int i = 0; i < shape->rank && layout == RIG_SCATTERED; i++) {
        view.strides[i] = stride;
        stride *= shape->dims[i];
    }
    return view;
}

/* Every byte outside the elements of the view is still 0xff. */
static inline void rig_check_gaps(const struct ao_view *view, size_t bytes)
{
    const size_t size = ao_dtype_size(view->dtype);
    unsigned char *seen = calloc(bytes, 1);
    assert_non_null(seen);
    for (int64_t i = 0; i < ao_shape_count(&view->shape); i++)
        memset(seen + (size_t)ao_view_offset(view, i) * size, 1, size);
    for (size_t i = 0; i < bytes; i++)
        if (!seen[i])
            assert_int_equal(((const unsigned char *)view->data)[i], 0xff);
    free(seen);
}

static inline void rig_compare(const struct ao_view *got, const double *want, double tolerance)
{
    for (int64_t i = 0; i < ao_shape_count(&got->shape); i++) {
        const double value = ao_element(got, ao_view_offset(got, i));
        if (!(fabs(value - want[i]) <= tolerance) && !(isnan(value) && isnan(want[i])) &&
            value != want[i])
            fail_msg("element %d is %.9g, not %.9g (tolerance %g)", (int)i, value, want[i],
                     tolerance);
    }
}

/* One run; `want` lists each wanted output in row-major order, NULL for one not looked at. */
static inline void rig_run(struct rig *rig, enum rig_layout layout, bool twice_as_wide,
                           const double *const *want, double tolerance)
{
    struct ao_view in[RIG_SLOTS] = { 0 }, out[RIG_SLOTS] = { 0 };
    void *memory[2 * RIG_SLOTS] = { 0 };
    size_t bytes[2 * RIG_SLOTS] = { 0 };
    for (int i = 0; i < rig->node.n_in; i++) {
        if (rig->in[i] < 0)
            continue;
        enum ao_dtype dtype = rig->feed[i].dtype;
        dtype = dtype == AO_F32 && twice_as_wide ? AO_F64 : dtype;
        in[i] = rig_buffer(dtype, &rig->feed[i].shape, layout, &memory[i], &bytes[i]);
        ao_view_convert(&in[i], &rig->feed[i]);
    }
    for (int i = 0; i < rig->node.n_out; i++) {
        const struct ao_value *value = ao_op_out(&rig->graph, &rig->node, i);
        if (!value)
            continue;
        const enum ao_dtype dtype = value->dtype == AO_F32 && twice_as_wide ? AO_F64 : value->dtype;
        out[i] =
            rig_buffer(dtype, &value->shape, layout, &memory[RIG_SLOTS + i], &bytes[RIG_SLOTS + i]);
    }
    const size_t scratch_bytes =
        rig->node.op->scratch ? rig->node.op->scratch(&rig->graph, &rig->node, 1) : 0;
    void *scratch = aligned_alloc(64, scratch_bytes / 64 * 64 + 64);
    assert_non_null(scratch);
    const struct ao_op_call call = { .node = &rig->node, .in = in, .out = out, .scratch = scratch };
    rig->node.op->forward(&call);
    for (int i = 0; i < rig->node.n_out; i++) {
        if (!out[i].data || !want[i])
            continue;
        rig_compare(&out[i], want[i], tolerance);
        rig_check_gaps(&out[i], bytes[RIG_SLOTS + i]);
    }
    for (int i = 0; i < 2 * RIG_SLOTS; i++)
        free(memory[i]);
    free(scratch);
}

/* Infers, checks output 0's shape, runs in all layouts and precisions, and lets the rig go. */
static inline void rig_gives(struct rig *rig, struct ao_shape shape, const double *want,
                             double tolerance)
{
    const double *const all[RIG_SLOTS] = { want };
    if (rig_infer(rig) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    const struct ao_value *value = ao_op_out(&rig->graph, &rig->node, 0);
    char text[2][AO_SHAPE_TEXT];
    if (!ao_shape_equal(&value->shape, &shape))
        fail_msg("shape is %s, not %s", ao_shape_text(&value->shape, text[0]),
                 ao_shape_text(&shape, text[1]));
    for (int layout = 0; layout < RIG_LAYOUTS; layout++)
        for (int wide = 0; wide < 2; wide++)
            rig_run(rig, (enum rig_layout)layout, wide, all, tolerance);
    rig_fini(rig);
}

#endif
