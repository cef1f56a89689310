/* SPDX-License-Identifier: Apache-2.0 */
#include "data/view.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

size_t ao_dtype_size(enum ao_dtype dtype)
{
    switch (dtype) {
    case AO_F32:
    case AO_I32:
        return 4;
    case AO_F64:
    case AO_I64:
        return 8;
    case AO_BOOL:
        return 1;
    }
    return 0;
}

const char *ao_dtype_name(enum ao_dtype dtype)
{
    switch (dtype) {
    case AO_F32:
        return "float32";
    case AO_F64:
        return "float64";
    case AO_I64:
        return "int64";
    case AO_I32:
        return "int32";
    case AO_BOOL:
        return "bool";
    }
    return "unknown";
}

int64_t ao_shape_count(const struct ao_shape *shape)
{
    int64_t count = 1;
    for (int i = 0; i < shape->rank; i++)
        count *= shape->dims[i];
    return count;
}

bool ao_shape_equal(const struct ao_shape *a, const struct ao_shape *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof a->dims[0]) == 0;
}

const char *ao_shape_text(const struct ao_shape *shape, char text[AO_SHAPE_TEXT])
{
    /* Eight extents of at most 20 characters, seven commas, two brackets and the zero fit. */
    size_t at = 0;
    text[at++] = '[';
    for (int i = 0; i < shape->rank; i++)
        at += (size_t)snprintf(text + at, AO_SHAPE_TEXT - at, "%s%" PRId64, i ? "," : "",
                               shape->dims[i]);
    text[at++] = ']';
    text[at] = '\0';
    return text;
}

struct ao_view ao_view_dense(void *data, enum ao_dtype dtype, const struct ao_shape *shape)
{
    struct ao_view view = { .data = data, .dtype = dtype, .shape = *shape };
    int64_t stride = 1;
    for (int i = shape->rank - 1; i >= 0; i--) {
        view.strides[i] = stride;
        stride *= shape->dims[i];
    }
    return view;
}

struct ao_view ao_view_channels_last(void *data, enum ao_dtype dtype, const struct ao_shape *shape)
{
    if (shape->rank < 3)
        return ao_view_dense(data, dtype, shape);
    struct ao_view view = { .data = data, .dtype = dtype, .shape = *shape };
    view.strides[1] = 1;
    int64_t stride = shape->dims[1];
    for (int i = shape->rank - 1; i >= 2; i--) {
        view.strides[i] = stride;
        stride *= shape->dims[i];
    }
    view.strides[0] = stride;
    return view;
}

bool ao_view_is_dense(const struct ao_view *view)
{
    int64_t stride = 1;
    for (int i = view->shape.rank - 1; i >= 0; i--) {
        /* The stride of an axis of one step is never used. */
        if (view->shape.dims[i] != 1 && view->strides[i] != stride)
            return false;
        stride *= view->shape.dims[i];
    }
    return true;
}

struct ao_view ao_view_item(const struct ao_view *view, int64_t index)
{
    struct ao_view item = { .dtype = view->dtype, .shape.rank = view->shape.rank - 1 };
    const int64_t size = (int64_t)ao_dtype_size(view->dtype);
    item.data = (char *)view->data + index * view->strides[0] * size;
    for (int i = 1; i < view->shape.rank; i++) {
        item.shape.dims[i - 1] = view->shape.dims[i];
        item.strides[i - 1] = view->strides[i];
    }
    return item;
}

/* Called with a constant size, so that each copy is one load and one store. */
static inline void copy_elements(size_t size, char *dst, int64_t dst_step, const char *src,
                                 int64_t src_step, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        memcpy(dst + i * dst_step, src + i * src_step, size);
}

/* Steps are in bytes. */
static void copy_row(size_t size, char *dst, int64_t dst_step, const char *src, int64_t src_step,
                     int64_t n)
{
    if (dst_step == (int64_t)size && src_step == (int64_t)size)
        memcpy(dst, src, (size_t)n * size);
    else if (size == 1)
        copy_elements(1, dst, dst_step, src, src_step, n);
    else if (size == 4)
        copy_elements(4, dst, dst_step, src, src_step, n);
    else
        copy_elements(8, dst, dst_step, src, src_step, n);
}

void ao_view_copy(const struct ao_view *dst, const struct ao_view *src)
{
    assert(dst->dtype == src->dtype && ao_shape_equal(&dst->shape, &src->shape));
    const struct ao_shape *shape = &src->shape;
    const int64_t count = ao_shape_count(shape);
    const int64_t size = (int64_t)ao_dtype_size(src->dtype);
    if (count == 0)
        return;
    if (ao_view_is_dense(dst) && ao_view_is_dense(src)) {
        memcpy(dst->data, src->data, (size_t)(count * size));
        return;
    }
    /* Not both dense, so the rank is at least 1: rows along the last axis, the others counted. */
    const int last = shape->rank - 1;
    int64_t index[AO_MAX_RANK] = { 0 };
    int64_t to = 0, from = 0; /* elements */
    for (int64_t row = count / shape->dims[last]; row > 0; row--) {
        copy_row((size_t)size, (char *)dst->data + to * size, dst->strides[last] * size,
                 (const char *)src->data + from * size, src->strides[last] * size,
                 shape->dims[last]);
        for (int i = last - 1; i >= 0; i--) {
            to += dst->strides[i];
            from += src->strides[i];
            if (++index[i] < shape->dims[i])
                break;
            index[i] = 0;
            to -= dst->strides[i] * shape->dims[i];
            from -= src->strides[i] * shape->dims[i];
        }
    }
}
