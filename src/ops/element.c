/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/element.h"

#include <assert.h>
#include <math.h>

/* Appends an axis, or lengthens the last one when every view runs on without a jump. */
static void push_axis(struct ao_walk *walk, int64_t extent, const int64_t *step)
{
    bool runs_on = walk->rank > 0;
    const int last = walk->rank - 1;
    for (int v = 0; v < walk->n_views && runs_on; v++)
        runs_on = walk->step[last][v] == step[v] * extent;
    const int at = runs_on ? last : walk->rank++;
    walk->dims[at] = runs_on ? walk->dims[at] * extent : extent;
    for (int v = 0; v < walk->n_views; v++)
        walk->step[at][v] = step[v];
}

void ao_walk_init(struct ao_walk *walk, const struct ao_shape *shape, int n_views,
                  const int64_t *const *strides)
{
    assert(n_views <= AO_WALK_VIEWS);
    *walk = (struct ao_walk){ .n_views = n_views, .length = 1 };
    int64_t step[AO_WALK_VIEWS] = { 0 };
    for (int i = 0; i < shape->rank; i++) {
        for (int v = 0; v < n_views; v++)
            step[v] = strides[v][i];
        if (shape->dims[i] != 1)
            push_axis(walk, shape->dims[i], step);
    }
    walk->rows_left = 1;
    if (walk->rank > 0) {
        walk->rank--; /* the innermost axis is the row */
        walk->length = walk->dims[walk->rank];
        for (int v = 0; v < n_views; v++)
            walk->stride[v] = walk->step[walk->rank][v];
    }
    for (int i = 0; i < walk->rank; i++)
        walk->rows_left *= walk->dims[i];
    if (walk->length == 0)
        walk->rows_left = 0;
}

static void advance_row(struct ao_walk *walk)
{
    for (int v = 0; v < walk->n_views; v++)
        walk->offset[v] -= walk->stride[v] * walk->done;
    walk->done = 0;
    for (int i = walk->rank - 1; i >= 0; i--) {
        const bool wraps = ++walk->index[i] == walk->dims[i];
        for (int v = 0; v < walk->n_views; v++)
            walk->offset[v] += wraps ? walk->step[i][v] * (1 - walk->dims[i]) : walk->step[i][v];
        if (!wraps)
            return;
        walk->index[i] = 0;
    }
}

bool ao_walk_next(struct ao_walk *walk)
{
    for (int v = 0; v < walk->n_views; v++)
        walk->offset[v] += walk->stride[v] * walk->n;
    walk->done += walk->n;
    if (walk->rows_left > 0 && walk->done == walk->length) {
        walk->rows_left--;
        advance_row(walk);
    }
    if (walk->rows_left == 0)
        return false;
    const int64_t left = walk->length - walk->done;
    walk->n = left < AO_ROW ? left : AO_ROW;
    return true;
}

void *ao_element_at(const struct ao_view *view, int64_t offset)
{
    return (char *)view->data + offset * (int64_t)ao_dtype_size(view->dtype);
}

void ao_row_load(double *row, const struct ao_view *view, int64_t offset, int64_t stride, int64_t n)
{
    if (view->dtype == AO_F32) {
        const float *src = (const float *)view->data + offset;
        for (int64_t i = 0; i < n; i++)
            row[i] = (double)src[i * stride];
    } else if (view->dtype == AO_F64) {
        const double *src = (const double *)view->data + offset;
        for (int64_t i = 0; i < n; i++)
            row[i] = src[i * stride];
    } else {
        for (int64_t i = 0; i < n; i++)
            row[i] = (double)ao_element_int(view, offset + i * stride);
    }
}

void ao_row_store(const struct ao_view *view, int64_t offset, int64_t stride, const double *row,
                  int64_t n)
{
    assert(view->dtype == AO_F32 || view->dtype == AO_F64);
    if (view->dtype == AO_F32) {
        float *dst = (float *)view->data + offset;
        for (int64_t i = 0; i < n; i++)
            dst[i * stride] = (float)row[i];
    } else {
        double *dst = (double *)view->data + offset;
        for (int64_t i = 0; i < n; i++)
            dst[i * stride] = row[i];
    }
}

void ao_row_load_int(int64_t *row, const struct ao_view *view, int64_t offset, int64_t stride,
                     int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        row[i] = ao_element_int(view, offset + i * stride);
}

void ao_row_store_int(const struct ao_view *view, int64_t offset, int64_t stride,
                      const int64_t *row, int64_t n)
{
    assert(!(view->dtype == AO_F32 || view->dtype == AO_F64));
    for (int64_t i = 0; i < n; i++) {
        void *dst = ao_element_at(view, offset + i * stride);
        if (view->dtype == AO_I64)
            *(int64_t *)dst = row[i];
        else if (view->dtype == AO_I32)
            *(int32_t *)dst = (int32_t)(uint32_t)(uint64_t)row[i];
        else
            *(uint8_t *)dst = row[i] != 0;
    }
}

double ao_element(const struct ao_view *view, int64_t offset)
{
    double value;
    ao_row_load(&value, view, offset, 1, 1);
    return value;
}

int64_t ao_element_int(const struct ao_view *view, int64_t offset)
{
    const void *src = ao_element_at(view, offset);
    assert(view->dtype == AO_I64 || view->dtype == AO_I32 || view->dtype == AO_BOOL);
    if (view->dtype == AO_I64)
        return *(const int64_t *)src;
    if (view->dtype == AO_I32)
        return *(const int32_t *)src;
    return *(const uint8_t *)src != 0;
}

int64_t ao_view_offset(const struct ao_view *view, int64_t linear)
{
    int64_t offset = 0;
    for (int i = view->shape.rank - 1; i >= 0 && linear > 0; i--) {
        offset += linear % view->shape.dims[i] * view->strides[i];
        linear /= view->shape.dims[i];
    }
    return offset;
}

static bool is_float(enum ao_dtype dtype)
{
    return dtype == AO_F32 || dtype == AO_F64;
}

static int64_t truncate(double x, enum ao_dtype dtype)
{
    if (dtype == AO_BOOL)
        return x != 0;
    if (isnan(x))
        return 0;
    const bool narrow = dtype == AO_I32;
    if (x >= (narrow ? 0x1p31 : 0x1p63))
        return narrow ? INT32_MAX : INT64_MAX;
    if (x < (narrow ? -0x1p31 : -0x1p63))
        return narrow ? INT32_MIN : INT64_MIN;
    return (int64_t)x;
}

static void convert_row(const struct ao_view *x, const struct ao_view *y,
                        const struct ao_walk *walk)
{
    double real[AO_ROW];
    int64_t whole[AO_ROW];
    const bool from_float = is_float(x->dtype), to_float = is_float(y->dtype);
    if (!from_float && !to_float) {
        ao_row_load_int(whole, x, walk->offset[0], walk->stride[0], walk->n);
        ao_row_store_int(y, walk->offset[1], walk->stride[1], whole, walk->n);
        return;
    }
    ao_row_load(real, x, walk->offset[0], walk->stride[0], walk->n);
    if (to_float) {
        ao_row_store(y, walk->offset[1], walk->stride[1], real, walk->n);
        return;
    }
    for (int64_t i = 0; i < walk->n; i++)
        whole[i] = truncate(real[i], y->dtype);
    ao_row_store_int(y, walk->offset[1], walk->stride[1], whole, walk->n);
}

void ao_constant_convert(const struct ao_view *dst, const struct ao_value *value)
{
    const struct ao_view src =
        ao_view_dense((void *)(uintptr_t)value->data, value->dtype, &value->shape);
    if (ao_value_is_aligned(value)) {
        ao_view_convert(dst, &src);
        return;
    }
    const int64_t n = ao_shape_count(&value->shape);
    for (int64_t i = 0; i < n; i++)
        if (dst->dtype == AO_F64)
            ((double *)dst->data)[i] = (double)ao_weight(value->data, i);
        else
            ((float *)dst->data)[i] = ao_weight(value->data, i);
}

void ao_view_convert(const struct ao_view *dst, const struct ao_view *src)
{
    const int64_t *const strides[] = { src->strides, dst->strides };
    struct ao_walk walk;
    ao_walk_init(&walk, &src->shape, 2, strides);
    while (ao_walk_next(&walk))
        convert_row(src, dst, &walk);
}
