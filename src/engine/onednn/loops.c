/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/onednn/loops.h"

#include <string.h>

bool ao_dnnl_chunks(const dnnl_memory_desc_t *md, struct ao_dnnl_chunks *chunks)
{
    const dnnl_blocking_desc_t *blocking = &md->format_desc.blocking;
    const int last = md->ndims - 1;
    if (md->format_kind != dnnl_blocked || md->offset0 != 0 || md->ndims < 3)
        return false;
    const bool blocked = blocking->inner_nblks == 1 && blocking->inner_idxs[0] == 1;
    if (!blocked && (blocking->inner_nblks != 0 || blocking->strides[1] != 1))
        return false;
    *chunks = (struct ao_dnnl_chunks){ .channels = md->padded_dims[1],
                                       .size = blocked ? blocking->inner_blks[0] : 8,
                                       .position = blocking->strides[last],
                                       .image = blocking->strides[0] };
    chunks->chunk = blocked ? blocking->strides[1] : chunks->size;
    int64_t positions = 1;
    for (int i = last; i >= 2; i--) {
        if (blocking->strides[i] != chunks->position * positions)
            return false;
        positions *= md->dims[i];
    }
    return chunks->channels % chunks->size == 0 && chunks->size <= AO_DNNL_CHUNK &&
           positions < UINT32_MAX;
}

void ao_dnnl_finish(const float *sum, const float *bias, const float *residual, bool relu,
                    int64_t n, float *dst)
{
    float row[AO_DNNL_CHUNK];
    for (int64_t c = 0; c < n; c++)
        row[c] = sum[c] + bias[c];
    for (int64_t c = 0; residual && c < n; c++)
        row[c] += residual[c];
    for (int64_t c = 0; c < n; c++)
        dst[c] = relu && row[c] < 0 ? 0 : row[c];
}

void ao_dnnl_lift(const struct ao_shape *shape, int64_t extents[3])
{
    const int lead = 5 - shape->rank;
    for (int d = 0; d < 3; d++)
        extents[d] = d < lead ? 1 : shape->dims[2 + d - lead];
}

aosa_status ao_dnnl_loop_bias(struct ao_dnnl_program *program, const struct ao_dnnl_loop_conv *conv,
                              size_t columns, float **bias)
{
    void *memory;
    AO_TRY(ao_dnnl_weight_memory(program, columns * sizeof **bias, &memory));
    *bias = memset(memory, 0, columns * sizeof **bias);
    if (conv->bias)
        memcpy(*bias, conv->bias, (size_t)conv->dst.dims[1] * sizeof **bias);
    return AOSA_OK;
}
