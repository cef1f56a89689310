/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/alloc.h"
#include "engine/onednn/onednn.h"

/* A reorder that is run now, part by part. */
struct conversion {
    dnnl_primitive_t primitive;
    dnnl_stream_t stream;
    dnnl_memory_t src, dst, scratchpad;
    void *scratch;
};

static dnnl_status_t open_conversion(struct conversion *c, dnnl_engine_t engine,
                                     dnnl_primitive_desc_t pd)
{
    const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    const dnnl_memory_desc_t *from = dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0);
    const dnnl_memory_desc_t *to = dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0);
    c->scratch = ao_alloc_raw(dnnl_memory_desc_get_size(md), 1);
    dnnl_status_t status =
        c->scratch ? dnnl_primitive_create(&c->primitive, pd) : dnnl_out_of_memory;
    if (status == dnnl_success)
        status = dnnl_stream_create(&c->stream, engine, dnnl_stream_default_flags);
    if (status == dnnl_success)
        status = dnnl_memory_create(&c->src, from, engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success)
        status = dnnl_memory_create(&c->dst, to, engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success)
        status = dnnl_memory_create(&c->scratchpad, md, engine, c->scratch);
    return status;
}

/* oneDNN takes no pointer to const; it only reads arguments that are inputs. */
static dnnl_status_t run_conversion(const struct conversion *c, const void *src, void *dst)
{
    const dnnl_exec_arg_t args[] = { { DNNL_ARG_FROM, c->src },
                                     { DNNL_ARG_TO, c->dst },
                                     { DNNL_ARG_SCRATCHPAD, c->scratchpad } };
    dnnl_status_t status = dnnl_memory_set_data_handle(c->src, (void *)(uintptr_t)src);
    if (status == dnnl_success)
        status = dnnl_memory_set_data_handle(c->dst, dst);
    if (status == dnnl_success)
        status = dnnl_primitive_execute(c->primitive, c->stream, 3, args);
    return status == dnnl_success ? dnnl_stream_wait(c->stream) : status;
}

static void close_conversion(struct conversion *c)
{
    dnnl_memory_destroy(c->scratchpad);
    dnnl_memory_destroy(c->dst);
    dnnl_memory_destroy(c->src);
    dnnl_stream_destroy(c->stream);
    dnnl_primitive_destroy(c->primitive);
    ao_free(c->scratch);
}

/*
 * oneDNN reads floats only where floats may lie. Weights elsewhere go through a copy, in parts
 * along axis 0 that stay in the second-level cache on their way.
 */
#define PART_BYTES ((size_t)256 << 10)

struct parts {
    dnnl_memory_desc_t from, to; /* of one part */
    size_t n, src_bytes, dst_bytes;
};

static bool is_aligned(const void *data)
{
    return (uintptr_t)data % sizeof(float) == 0;
}

/* In halves as long as both layouts can be cut there; axis 0 has to be the outermost of both. */
static void halve(struct parts *parts)
{
    dnnl_dims_t dims, offsets = { 0 };
    dnnl_memory_desc_t from, to, rest;
    memcpy(dims, parts->from.dims, sizeof dims);
    while (parts->src_bytes > PART_BYTES && dims[0] % 2 == 0) {
        dims[0] /= 2;
        offsets[0] = dims[0];
        if (dnnl_memory_desc_init_submemory(&from, &parts->from, dims, (dnnl_dims_t){ 0 }) !=
                dnnl_success ||
            dnnl_memory_desc_init_submemory(&to, &parts->to, dims, (dnnl_dims_t){ 0 }) !=
                dnnl_success ||
            dnnl_memory_desc_init_submemory(&rest, &parts->to, dims, offsets) != dnnl_success ||
            (size_t)rest.offset0 * 2 * sizeof(float) != parts->dst_bytes)
            return;
        parts->from = from;
        parts->to = to;
        parts->n *= 2;
        parts->src_bytes /= 2;
        parts->dst_bytes /= 2;
    }
}

static struct parts cut(const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to,
                        const void *data)
{
    struct parts parts = { *from, *to, 1, dnnl_memory_desc_get_size(from),
                           dnnl_memory_desc_get_size(to) };
    const dnnl_dim_t row = from->format_desc.blocking.strides[0];
    if (!is_aligned(data) && (size_t)(row * from->dims[0]) * sizeof(float) == parts.src_bytes)
        halve(&parts);
    return parts;
}

static aosa_status convert_parts(struct ao_dnnl_build *build, const struct parts *parts,
                                 const char *src, char *dst)
{
    dnnl_primitive_desc_t pd;
    struct conversion conversion = { .scratch = NULL };
    AO_TRY(ao_dnnl_describe_reorder(build, &parts->from, &parts->to, &pd));
    void *copy = is_aligned(src) ? NULL : ao_alloc_raw(parts->src_bytes, 1);
    dnnl_status_t status = copy || is_aligned(src)
                               ? open_conversion(&conversion, build->program->engine, pd)
                               : dnnl_out_of_memory;
    for (size_t i = 0; i < parts->n && status == dnnl_success; i++) {
        if (copy)
            memcpy(copy, src, parts->src_bytes);
        status = run_conversion(&conversion, copy ? copy : src, dst);
        src += parts->src_bytes;
        dst += parts->dst_bytes;
    }
    close_conversion(&conversion);
    dnnl_primitive_desc_destroy(pd);
    ao_free(copy);
    return status == dnnl_success ? AOSA_OK : ao_dnnl_fail(status, "prepare weights", "weights");
}

aosa_status ao_dnnl_weight_memory(struct ao_dnnl_program *program, size_t bytes, void **memory)
{
    AO_TRY(ao_budget_take(program->graph->budget, bytes, "prepared weights"));
    program->weight_bytes += bytes;
    *memory = ao_arena_alloc_raw(&program->arena, bytes, 1);
    return *memory ? AOSA_OK
                   : ao_fail(AOSA_ERR_NOMEM, "prepared weights: no memory for %zu bytes", bytes);
}

aosa_status ao_dnnl_weights(struct ao_dnnl_build *build, const dnnl_memory_desc_t *from,
                            const void *data, const dnnl_memory_desc_t *to, bool passing,
                            int *tensor)
{
    const bool agree = dnnl_memory_desc_equal(from, to);
    if (agree && is_aligned(data) && !passing)
        return ao_dnnl_tensor_constant(build, to, data, tensor);
    const size_t bytes = dnnl_memory_desc_get_size(to);
    void *prepared;
    AO_TRY(ao_dnnl_weight_memory(build->program, bytes, &prepared));
    AO_TRY(ao_dnnl_tensor_constant(build, to, prepared, tensor));
    if (agree) {
        memcpy(prepared, data, bytes);
        return AOSA_OK;
    }
    const struct parts parts = cut(from, to, data);
    return convert_parts(build, &parts, data, prepared);
}
