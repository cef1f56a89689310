/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "core/alloc.h"
#include "onnx/import.h"

/*
 * Inputs of the graph. Axis 0 is the batch and becomes 1. A free axis takes its size from the
 * options: the last two are height and width, one before them (channels aside) is the frames, which
 * fits [N,3,T,H,W] and [N,T,3,H,W].
 */

static aosa_status take_batch(struct ao_onnx_import *import, const char *name,
                              const ao_onnx_Dim *dim, int64_t *size)
{
    const bool fixed = dim->has_dim_value && dim->dim_value > 0;
    if (import->options->raw && fixed) {
        *size = dim->dim_value;
        return AOSA_OK;
    }
    if (fixed && dim->dim_value > 1)
        return ao_fail(AOSA_ERR_UNSUPPORTED,
                       "input '%s' takes %" PRId64 " clips at once; only a batch of 1 or a free "
                       "one is supported: export with a batch of 1",
                       name, dim->dim_value);
    import->model->batch_was_fixed |= fixed;
    *size = 1;
    return AOSA_OK;
}

static aosa_status take_free_axis(const struct ao_onnx_import *import, const char *name, int rank,
                                  int axis, const ao_onnx_Dim *dim, int64_t *size)
{
    const struct ao_onnx_options *options = import->options;
    const char *what = "frames", *remedy = "--frames";
    *size = options->frames;
    if (rank >= 3 && axis >= rank - 2) {
        const bool is_width = axis == rank - 1;
        what = is_width ? "width" : "height";
        remedy = "--frame-size";
        *size = is_width ? options->width : options->height;
    }
    if (*size <= 0)
        return ao_fail(AOSA_ERR_SHAPE,
                       "input '%s': axis %d ('%.*s', %s) has no fixed size: give it with %s", name,
                       axis, AO_ONNX_TEXT(&dim->dim_param), what, remedy);
    return AOSA_OK;
}

static aosa_status take_shape(struct ao_onnx_import *import, const char *name,
                              const ao_onnx_Shape *message, struct ao_shape *shape)
{
    const size_t least = import->options->raw ? 0 : 1;
    if (message->dim.n < least || message->dim.n > AO_MAX_RANK)
        return ao_fail(AOSA_ERR_UNSUPPORTED, "input '%s' has %zu axes; 1 to %d are supported", name,
                       message->dim.n, AO_MAX_RANK);
    shape->rank = (int)message->dim.n;
    int n_free = 0;
    for (int axis = 0; axis < shape->rank; axis++) {
        const ao_onnx_Dim *dim = message->dim.items[axis];
        int64_t *size = &shape->dims[axis];
        *size = dim->dim_value;
        if (axis == 0) {
            AO_TRY(take_batch(import, name, dim, size));
        } else if (!dim->has_dim_value || dim->dim_value <= 0) {
            AO_TRY(take_free_axis(import, name, shape->rank, axis, dim, size));
            n_free += axis < shape->rank - 2;
        }
        if (*size > AO_ONNX_MAX_EXTENT)
            return ao_fail(AOSA_ERR_FORMAT, "input '%s': axis %d has size %" PRId64, name, axis,
                           *size);
    }
    if (n_free > 1)
        return ao_fail(AOSA_ERR_SHAPE,
                       "input '%s' has %d free axes besides batch, height and width: only the "
                       "frames may be free; export with fixed sizes",
                       name, n_free);
    int64_t count;
    char text[AO_SHAPE_TEXT];
    if (!ao_count(shape->dims, shape->rank, &count) || count > AO_ONNX_MAX_EXTENT)
        return ao_fail(AOSA_ERR_FORMAT, "input '%s' of shape %s has too many elements", name,
                       ao_shape_text(shape, text));
    return AOSA_OK;
}

static aosa_status add_input(struct ao_onnx_import *import, const ao_onnx_ValueInfo *info)
{
    struct ao_graph *graph = import->graph;
    const char *name = ao_onnx_strdup(import, &info->name);
    if (!name)
        return ao_onnx_no_memory("a name");
    if (info->name.size == 0)
        return ao_fail(AOSA_ERR_FORMAT, "an input without a name");
    const ao_onnx_TensorType *type = info->type ? info->type->tensor_type : NULL;
    if (!type)
        return ao_fail(AOSA_ERR_UNSUPPORTED, "input '%s' is not a tensor", name);
    if (!type->shape)
        return ao_fail(AOSA_ERR_UNSUPPORTED, "input '%s' has no shape", name);
    enum ao_dtype dtype;
    struct ao_shape shape = { 0 };
    AO_TRY(ao_onnx_dtype(type->elem_type, "input", name, &dtype));
    AO_TRY(take_shape(import, name, type->shape, &shape));

    int value;
    if (graph->n_inputs == AO_ONNX_MAX_LIST)
        return ao_fail(AOSA_ERR_FORMAT, "more than %d inputs", AO_ONNX_MAX_LIST);
    AO_TRY(ao_graph_add_value(graph, name, &value));
    graph->values[value].dtype = dtype;
    graph->values[value].shape = shape;
    graph->inputs[graph->n_inputs++] = value;
    return ao_onnx_names_add(&import->names, &info->name, value);
}

aosa_status ao_onnx_import_inputs(struct ao_onnx_import *import, const ao_onnx_Graph *message)
{
    struct ao_graph *graph = import->graph;
    graph->inputs = ao_arena_alloc(&graph->arena, message->input.n, sizeof *graph->inputs);
    if (!graph->inputs)
        return ao_onnx_no_memory("inputs");
    for (size_t i = 0; i < message->input.n; i++) {
        const ao_onnx_ValueInfo *info = message->input.items[i];
        const int known = ao_onnx_names_find(&import->names, &info->name);
        if (known < 0) {
            AO_TRY(add_input(import, info));
        } else if (!graph->values[known].data) {
            return ao_fail(AOSA_ERR_FORMAT, "input '%.*s' is given twice",
                           AO_ONNX_TEXT(&info->name));
        } /* else an initializer that older files list among the inputs: a constant */
    }
    return AOSA_OK;
}
