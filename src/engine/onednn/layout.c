/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "engine/onednn/onednn.h"

aosa_status ao_dnnl_fail(dnnl_status_t status, const char *what, const char *where)
{
    if (status == dnnl_out_of_memory)
        return ao_fail(AOSA_ERR_NOMEM, "node '%s': oneDNN has no memory to %s", where, what);
    return ao_fail(AOSA_ERR_INTERNAL, "node '%s': oneDNN cannot %s (status %d)", where, what,
                   (int)status);
}

/* The init functions fail only for ranks and types that no caller of ours passes. */
dnnl_memory_desc_t ao_dnnl_md(const struct ao_view *view)
{
    dnnl_memory_desc_t md;
    dnnl_dims_t dims = { 1 }, strides = { 1 };
    const int rank = view->shape.rank;
    for (int i = 0; i < rank; i++) {
        dims[i] = view->shape.dims[i];
        strides[i] = view->strides[i];
    }
    if (dnnl_memory_desc_init_by_strides(&md, rank ? rank : 1, dims, dnnl_f32, strides) !=
        dnnl_success)
        memset(&md, 0, sizeof md);
    return md;
}

dnnl_memory_desc_t ao_dnnl_md_any(const struct ao_shape *shape)
{
    dnnl_memory_desc_t md;
    dnnl_dims_t dims = { 1 };
    for (int i = 0; i < shape->rank; i++)
        dims[i] = shape->dims[i];
    if (dnnl_memory_desc_init_by_tag(&md, shape->rank ? shape->rank : 1, dims, dnnl_f32,
                                     dnnl_format_tag_any) != dnnl_success)
        memset(&md, 0, sizeof md);
    return md;
}

dnnl_memory_desc_t ao_dnnl_md_chunks(const dnnl_memory_desc_t *like, const struct ao_shape *shape)
{
    static const dnnl_format_tag_t tags[2][3] = { { dnnl_aBc8b, dnnl_aBcd8b, dnnl_aBcde8b },
                                                  { dnnl_aBc16b, dnnl_aBcd16b, dnnl_aBcde16b } };
    const dnnl_blocking_desc_t *blocking = &like->format_desc.blocking;
    const dnnl_dim_t block = blocking->inner_nblks == 1 ? blocking->inner_blks[0] : 0;
    const bool blocked = like->format_kind == dnnl_blocked && blocking->inner_nblks == 1 &&
                         blocking->inner_idxs[0] == 1 && (block == 8 || block == 16);
    const struct ao_view view = ao_view_channels_last(NULL, AO_F32, shape);
    dnnl_memory_desc_t md = ao_dnnl_md(&view);
    dnnl_dims_t dims;
    for (int i = 0; i < shape->rank; i++)
        dims[i] = shape->dims[i];
    if (blocked && shape->rank >= 3 && shape->rank <= 5 &&
        dnnl_memory_desc_init_by_tag(&md, shape->rank, dims, dnnl_f32,
                                     tags[block == 16][shape->rank - 3]) != dnnl_success)
        return ao_dnnl_md(&view);
    return md;
}

bool ao_dnnl_view(const dnnl_memory_desc_t *md, const struct ao_shape *shape, struct ao_view *view)
{
    if (md->format_kind != dnnl_blocked || md->format_desc.blocking.inner_nblks != 0 ||
        md->offset0 != 0)
        return false;
    *view = (struct ao_view){ .dtype = AO_F32, .shape = *shape };
    for (int i = 0; i < shape->rank; i++) {
        if (md->padded_dims[i] != md->dims[i])
            return false;
        view->strides[i] = md->format_desc.blocking.strides[i];
    }
    return true;
}

/*
 * Every axis is at most two: its blocks, and the places inside a block. They are in row-major
 * order when each one's stride, from the last to the first, is the product of the extents after
 * it; axes of extent 1 do not matter.
 */
bool ao_dnnl_is_row_major(const dnnl_memory_desc_t *md)
{
    const dnnl_blocking_desc_t *blocking = &md->format_desc.blocking;
    if (md->format_kind != dnnl_blocked || blocking->inner_nblks > 1 || md->offset0 != 0)
        return false;
    int64_t product = 1;
    for (int i = md->ndims - 1; i >= 0; i--) {
        if (md->padded_dims[i] != md->dims[i])
            return false;
        int64_t blocks = md->dims[i];
        if (blocking->inner_nblks == 1 && blocking->inner_idxs[0] == i) {
            if (product != 1) /* the inner stride is 1 */
                return false;
            product = blocking->inner_blks[0];
            blocks /= product;
        }
        if (blocks != 1 && blocking->strides[i] != product)
            return false;
        product *= blocks;
    }
    return true;
}

struct ao_dnnl_window ao_dnnl_window(const struct ao_window *window, const struct ao_shape *src,
                                     const struct ao_shape *dst)
{
    struct ao_dnnl_window w = { .kernel = { 0 } };
    for (int i = 0; i < window->rank; i++) {
        const int64_t reach = (window->kernel[i] - 1) * window->dilation[i] + 1;
        const int64_t pad = (dst->dims[2 + i] - 1) * window->stride[i] + reach - src->dims[2 + i] -
                            window->pad_lo[i];
        w.kernel[i] = window->kernel[i];
        w.stride[i] = window->stride[i];
        w.dilation[i] = window->dilation[i] - 1;
        w.pad_lo[i] = window->pad_lo[i];
        w.pad_hi[i] = pad > 0 ? pad : 0;
    }
    return w;
}
