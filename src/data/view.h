/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_DATA_VIEW_H
#define AO_DATA_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AO_MAX_RANK 8

enum ao_dtype {
    AO_F32,
    AO_F64,
    AO_I64,
    AO_I32,
    AO_BOOL, /* one byte, 0 or 1 */
};

struct ao_shape {
    int rank;
    int64_t dims[AO_MAX_RANK];
};

/*
 * A tensor somewhere in memory: pointer, extents, strides in elements. It never owns. Extents are
 * in ONNX order whatever the layout: [N][C][T][H][W] has channels-last strides when C's is 1.
 */
struct ao_view {
    void *data;
    enum ao_dtype dtype;
    struct ao_shape shape;
    int64_t strides[AO_MAX_RANK];
};

size_t ao_dtype_size(enum ao_dtype dtype);
const char *ao_dtype_name(enum ao_dtype dtype); /* "float32", ... */

/* Elements of a shape whose product was checked when it was made. Rank 0 has one. */
int64_t ao_shape_count(const struct ao_shape *shape);
bool ao_shape_equal(const struct ao_shape *a, const struct ao_shape *b);

/* "[1,3,16,112,112]" for messages; answers `text`. */
#define AO_SHAPE_TEXT 192
const char *ao_shape_text(const struct ao_shape *shape, char text[AO_SHAPE_TEXT]);

/* Row-major view, last axis contiguous. */
struct ao_view ao_view_dense(void *data, enum ao_dtype dtype, const struct ao_shape *shape);

/* Channels-last for rank >= 3: [N][spatial...][C] in memory; row-major for smaller ranks. */
struct ao_view ao_view_channels_last(void *data, enum ao_dtype dtype, const struct ao_shape *shape);

bool ao_view_is_dense(const struct ao_view *view);

/* Item `index` of the first axis, which is left out: one clip of a batch. Rank at least 1. */
struct ao_view ao_view_item(const struct ao_view *view, int64_t index);

/* Copies elements in logical order; dtype and shape agree, strides may differ. */
void ao_view_copy(const struct ao_view *dst, const struct ao_view *src);

#endif
