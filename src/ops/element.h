/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_OPS_ELEMENT_H
#define AO_OPS_ELEMENT_H

#include "graph/graph.h"

/*
 * Rows of elements out of views of any strides. A row is read into doubles (or int64, exact for
 * integers and bool), worked on, and stored with one rounding.
 */

#define AO_ROW 512      /* elements of the longest row a walk gives */
#define AO_WALK_VIEWS 4 /* views a walk can follow */

/*
 * All elements of a shape in row-major order, one row at a time, with the position in several
 * views. Neighbouring axes that lie one behind the other in every view are walked as one.
 */
struct ao_walk {
    int64_t n;                     /* elements of the current row, at most AO_ROW */
    int64_t offset[AO_WALK_VIEWS]; /* of its first element */
    int64_t stride[AO_WALK_VIEWS]; /* from one element to the next */

    int n_views, rank; /* the rest is private: outer axes, then the innermost extent */
    int64_t dims[AO_MAX_RANK], index[AO_MAX_RANK], step[AO_MAX_RANK][AO_WALK_VIEWS];
    int64_t length, done, rows_left;
};

/* strides[v] has one entry per axis of shape. */
void ao_walk_init(struct ao_walk *walk, const struct ao_shape *shape, int n_views,
                  const int64_t *const *strides);

/* Moves to the first or next row; false when there is none. */
bool ao_walk_next(struct ao_walk *walk);

void ao_row_load(double *row, const struct ao_view *view, int64_t offset, int64_t stride,
                 int64_t n);
void ao_row_store(const struct ao_view *view, int64_t offset, int64_t stride, const double *row,
                  int64_t n);

/* Integers and bool: values are kept modulo the type's width, bool is value != 0. */
void ao_row_load_int(int64_t *row, const struct ao_view *view, int64_t offset, int64_t stride,
                     int64_t n);
void ao_row_store_int(const struct ao_view *view, int64_t offset, int64_t stride,
                      const int64_t *row, int64_t n);

/* Copies elements in logical order and converts their type: to float with one rounding, to
 * integer towards zero (NaN gives 0, what does not fit the nearest that does), to bool x != 0. */
void ao_view_convert(const struct ao_view *dst, const struct ao_view *src);

/* The same for a constant wherever it lies; dst is dense, and AO_F32 or AO_F64 if that is not
 * aligned (graph.h). */
void ao_constant_convert(const struct ao_view *dst, const struct ao_value *value);

/* One element; the second form is exact for integers and bool, and only for them. */
double ao_element(const struct ao_view *view, int64_t offset);
int64_t ao_element_int(const struct ao_view *view, int64_t offset);

/* Address of an element. */
void *ao_element_at(const struct ao_view *view, int64_t offset);

/* Offset of element number `linear` in row-major order. */
int64_t ao_view_offset(const struct ao_view *view, int64_t linear);

#endif
