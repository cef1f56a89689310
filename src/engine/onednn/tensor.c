/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/alloc.h"
#include "engine/onednn/onednn.h"

struct ao_shape ao_dnnl_shape(const struct ao_dnnl_build *build, int value)
{
    return ao_value_shape(&build->graph->values[value], build->program->batch);
}

static aosa_status append(struct ao_dnnl_build *build, int *index)
{
    struct ao_dnnl_program *program = build->program;
    if (!ao_grow((void **)&program->tensors, &program->cap_tensors, program->n_tensors,
                 sizeof *program->tensors))
        return ao_fail(AOSA_ERR_NOMEM, "oneDNN program: no memory for %zu tensors",
                       program->n_tensors + 1);
    *index = (int)program->n_tensors++;
    program->tensors[*index] =
        (struct ao_dnnl_tensor){ .next = -1, .root = *index, .first = INT64_MAX, .last = -1 };
    return AOSA_OK;
}

aosa_status ao_dnnl_tensor_add(struct ao_dnnl_build *build, const dnnl_memory_desc_t *md,
                               const struct ao_shape *shape, int *tensor)
{
    AO_TRY(append(build, tensor));
    struct ao_dnnl_tensor *made = &build->program->tensors[*tensor];
    made->md = *md;
    made->has_md = true;
    made->plain = ao_dnnl_view(md, shape, &made->view);
    made->bytes = dnnl_memory_desc_get_size(md);
    return AOSA_OK;
}

aosa_status ao_dnnl_tensor_alias(struct ao_dnnl_build *build, const dnnl_memory_desc_t *md,
                                 const struct ao_shape *shape, int other, int *tensor)
{
    AO_TRY(ao_dnnl_tensor_add(build, md, shape, tensor));
    struct ao_dnnl_tensor *tensors = build->program->tensors;
    tensors[*tensor].root = tensors[other].root;
    tensors[*tensor].bytes = 0;
    return AOSA_OK;
}

static aosa_status make_constant(struct ao_dnnl_build *build, int tensor, const void *data)
{
    struct ao_dnnl_tensor *constant = &build->program->tensors[tensor];
    constant->bytes = 0;
    if (!constant->has_md)
        return AOSA_OK;
    /* oneDNN takes no pointer to const; it only reads arguments that are inputs. */
    const dnnl_status_t status = dnnl_memory_create(
        &constant->constant, &constant->md, build->program->engine, (void *)(uintptr_t)data);
    if (status != dnnl_success)
        return ao_dnnl_fail(status, "describe a constant", "constant");
    return AOSA_OK;
}

aosa_status ao_dnnl_tensor_constant(struct ao_dnnl_build *build, const dnnl_memory_desc_t *md,
                                    const void *data, int *tensor)
{
    AO_TRY(append(build, tensor));
    build->program->tensors[*tensor].md = *md;
    build->program->tensors[*tensor].has_md = true;
    return make_constant(build, *tensor, data);
}

aosa_status ao_dnnl_tensor_view(struct ao_dnnl_build *build, const struct ao_view *view,
                                int *tensor)
{
    const int64_t count = ao_shape_count(&view->shape);
    AO_TRY(append(build, tensor));
    struct ao_dnnl_tensor *made = &build->program->tensors[*tensor];
    made->view = *view;
    made->plain = true;
    made->has_md = view->dtype == AO_F32 && count > 0;
    made->bytes = (size_t)count * ao_dtype_size(view->dtype);
    if (made->has_md)
        made->md = ao_dnnl_md(view);
    return view->data ? make_constant(build, *tensor, view->data) : AOSA_OK;
}

/* Whatever inputs and nodes did not make is constant, or has no elements. */
static aosa_status add_constant(struct ao_dnnl_build *build, int value, int *tensor)
{
    const struct ao_value *v = &build->graph->values[value];
    struct ao_view view = ao_view_dense((void *)(uintptr_t)v->data, v->dtype, &v->shape);
    if (!ao_value_is_aligned(v)) {
        AO_TRY(ao_dnnl_weight_memory(build->program, ao_value_bytes(v), &view.data));
        memcpy(view.data, v->data, ao_value_bytes(v));
    }
    return ao_dnnl_tensor_view(build, &view, tensor);
}

void ao_dnnl_bind(struct ao_dnnl_build *build, int value, int tensor)
{
    struct ao_dnnl_tensor *tensors = build->program->tensors;
    build->first[value] = tensor;
    tensors[tensors[tensor].root].pending += build->uses[value];
}

aosa_status ao_dnnl_native(struct ao_dnnl_build *build, int value, int *tensor)
{
    *tensor = build->first[value];
    if (*tensor >= 0)
        return AOSA_OK;
    AO_TRY(add_constant(build, value, tensor));
    ao_dnnl_bind(build, value, *tensor);
    return AOSA_OK;
}

/* Puts one more layout into the value's list. */
static void link_layout(struct ao_dnnl_build *build, int value, int tensor)
{
    struct ao_dnnl_tensor *tensors = build->program->tensors;
    tensors[tensor].next = tensors[build->first[value]].next;
    tensors[build->first[value]].next = tensor;
    /* Later readers may find this copy too, so no step may ever write over it. */
    tensors[tensors[tensor].root].pending++;
}

static aosa_status copy_as(struct ao_dnnl_build *build, int value, const dnnl_memory_desc_t *md,
                           int *tensor)
{
    const struct ao_shape shape = ao_dnnl_shape(build, value);
    AO_TRY(ao_dnnl_tensor_add(build, md, &shape, tensor));
    AO_TRY(ao_dnnl_reorder(build, build->first[value], *tensor));
    link_layout(build, value, *tensor);
    return AOSA_OK;
}

aosa_status ao_dnnl_match(struct ao_dnnl_build *build, int value, const dnnl_memory_desc_t *md,
                          int *tensor)
{
    AO_TRY(ao_dnnl_native(build, value, tensor));
    for (; *tensor >= 0; *tensor = build->program->tensors[*tensor].next)
        if (dnnl_memory_desc_equal(&build->program->tensors[*tensor].md, md))
            return AOSA_OK;
    return copy_as(build, value, md, tensor);
}

aosa_status ao_dnnl_plain(struct ao_dnnl_build *build, int value, int *tensor)
{
    AO_TRY(ao_dnnl_native(build, value, tensor));
    for (; *tensor >= 0; *tensor = build->program->tensors[*tensor].next)
        if (build->program->tensors[*tensor].plain)
            return AOSA_OK;
    const struct ao_shape shape = ao_dnnl_shape(build, value);
    const struct ao_view view = ao_view_channels_last(NULL, AO_F32, &shape);
    const dnnl_memory_desc_t md = ao_dnnl_md(&view);
    return copy_as(build, value, &md, tensor);
}

aosa_status ao_dnnl_row_major(struct ao_dnnl_build *build, int value, int *tensor)
{
    AO_TRY(ao_dnnl_native(build, value, tensor));
    const struct ao_dnnl_tensor *native = &build->program->tensors[*tensor];
    if (!native->has_md) /* integers and empty values are row-major wherever they come from */
        return AOSA_OK;
    const struct ao_shape shape = ao_dnnl_shape(build, value);
    const struct ao_view view = ao_view_dense(NULL, AO_F32, &shape);
    const dnnl_memory_desc_t md = ao_dnnl_md(&view);
    const int first = *tensor;
    for (int t = first; t >= 0; t = build->program->tensors[t].next)
        if (dnnl_memory_desc_equal(&build->program->tensors[t].md, &md)) {
            *tensor = t;
            return AOSA_OK;
        }
    if (!ao_dnnl_is_row_major(&native->md) || native->constant)
        return copy_as(build, value, &md, tensor);
    return ao_dnnl_tensor_alias(build, &md, &shape, first, tensor);
}

bool ao_dnnl_is_last_use(const struct ao_dnnl_build *build, int tensor)
{
    const struct ao_dnnl_tensor *tensors = build->program->tensors;
    return tensors[tensors[tensor].root].pending == 1 && !tensors[tensor].constant;
}

void ao_dnnl_consume(struct ao_dnnl_build *build, const struct ao_node *node)
{
    struct ao_dnnl_tensor *tensors = build->program->tensors;
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] >= 0 && build->first[node->in[i]] >= 0)
            tensors[tensors[build->first[node->in[i]]].root].pending--;
}

aosa_status ao_dnnl_bind_as(struct ao_dnnl_build *build, int value, int tensor)
{
    const struct ao_shape shape = ao_dnnl_shape(build, value);
    const dnnl_memory_desc_t *md = &build->program->tensors[tensor].md;
    if (md->ndims == shape.rank) {
        ao_dnnl_bind(build, value, tensor);
        return AOSA_OK;
    }
    const struct ao_view view = ao_view_dense(NULL, AO_F32, &shape);
    const dnnl_memory_desc_t dense = ao_dnnl_md(&view);
    int place = tensor;
    if (!ao_dnnl_is_row_major(md)) {
        struct ao_view plain = { .shape.rank = md->ndims };
        for (int i = 0; i < md->ndims; i++)
            plain.shape.dims[i] = md->dims[i];
        plain = ao_view_dense(NULL, AO_F32, &plain.shape);
        const dnnl_memory_desc_t row_major = ao_dnnl_md(&plain);
        AO_TRY(ao_dnnl_tensor_add(build, &row_major, &plain.shape, &place));
        AO_TRY(ao_dnnl_reorder(build, tensor, place));
    }
    AO_TRY(ao_dnnl_tensor_alias(build, &dense, &shape, place, &place));
    ao_dnnl_bind(build, value, place);
    return AOSA_OK;
}
