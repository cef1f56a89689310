/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "onnx/import.h"

/* TensorProto.DataType of the ONNX specification. */
enum element {
    FLOAT = 1,
    UINT8 = 2,
    INT8 = 3,
    UINT16 = 4,
    INT16 = 5,
    INT32 = 6,
    INT64 = 7,
    BOOL = 9,
    FLOAT16 = 10,
    DOUBLE = 11,
    BFLOAT16 = 16,
};

static const struct {
    const char *name;
    size_t bytes; /* in raw data; 0: this build has no such type */
    enum ao_dtype dtype;
} elements[] = {
    { "undefined", 0, AO_F32 },
    [FLOAT] = { "float32", 4, AO_F32 },
    /* Small integers widen: only shape arithmetic and Cast use them in these networks. */
    [UINT8] = { "uint8", 1, AO_I32 },
    [INT8] = { "int8", 1, AO_I32 },
    [UINT16] = { "uint16", 2, AO_I32 },
    [INT16] = { "int16", 2, AO_I32 },
    [INT32] = { "int32", 4, AO_I32 },
    [INT64] = { "int64", 8, AO_I64 },
    [8] = { "string", 0, AO_F32 },
    [BOOL] = { "bool", 1, AO_BOOL },
    /* The engine computes in float32: other floats are read as such. */
    [FLOAT16] = { "float16", 2, AO_F32 },
    [DOUBLE] = { "float64", 8, AO_F32 },
    [12] = { "uint32", 0, AO_I64 },
    [13] = { "uint64", 0, AO_I64 },
    [14] = { "complex64", 0, AO_F32 },
    [15] = { "complex128", 0, AO_F32 },
    [BFLOAT16] = { "bfloat16", 2, AO_F32 },
    { "float8", 0, AO_F32 },
};

#define N_ELEMENTS ((int32_t)(sizeof elements / sizeof *elements))

aosa_status ao_onnx_dtype(int32_t data_type, const char *what, const char *name,
                          enum ao_dtype *dtype)
{
    if (data_type < 0 || data_type >= N_ELEMENTS)
        return ao_fail(AOSA_ERR_UNSUPPORTED, "%s '%s' has element type %d, which is not supported",
                       what, name, (int)data_type);
    if (elements[data_type].bytes == 0)
        return ao_fail(AOSA_ERR_UNSUPPORTED, "%s '%s' has element type %s, which is not supported",
                       what, name, elements[data_type].name);
    *dtype = elements[data_type].dtype;
    return AOSA_OK;
}

static float float_of_bits(uint32_t bits)
{
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits; exact in binary32. */
static float float_of_half(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    const uint32_t exponent = half >> 10 & 31, fraction = half & 0x3FF;
    if (exponent == 31)
        return float_of_bits(sign | 0x7F800000 | fraction << 13);
    if (exponent == 0) {
        const float size = (float)fraction * 0x1p-24f;
        return sign ? -size : size;
    }
    return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

/* bfloat16 is the upper half of binary32. */
static float float_of_bfloat(uint16_t bits)
{
    return float_of_bits((uint32_t)bits << 16);
}

static uint16_t read_u16(const unsigned char *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

/* Little-endian elements of a file, maybe unaligned, as elements of a value. */
static void convert_raw(enum element type, const unsigned char *src, int64_t n, void *dst)
{
    float *f = dst;
    int32_t *i32 = dst;
    unsigned char *b = dst;
    for (int64_t i = 0; i < n; i++) {
        switch (type) {
        case UINT8:
            i32[i] = src[i];
            break;
        case INT8:
            i32[i] = (int8_t)src[i];
            break;
        case UINT16:
            i32[i] = read_u16(src + 2 * i);
            break;
        case INT16:
            i32[i] = (int16_t)read_u16(src + 2 * i);
            break;
        case BOOL:
            b[i] = src[i] != 0;
            break;
        case FLOAT16:
            f[i] = float_of_half(read_u16(src + 2 * i));
            break;
        case BFLOAT16:
            f[i] = float_of_bfloat(read_u16(src + 2 * i));
            break;
        case DOUBLE: {
            double number;
            memcpy(&number, src + 8 * i, sizeof number);
            f[i] = (float)number;
            break;
        }
        case FLOAT:
        case INT32:
        case INT64:
            memcpy((char *)dst + (size_t)i * elements[type].bytes,
                   src + (size_t)i * elements[type].bytes, elements[type].bytes);
            break;
        }
    }
}

/* int32_data also carries the smaller integers, bool, and the bits of 16-bit floats. */
static void convert_ints(enum element type, const int64_t *src, int64_t n, void *dst)
{
    for (int64_t i = 0; i < n; i++) {
        if (type == INT64)
            ((int64_t *)dst)[i] = src[i];
        else if (type == BOOL)
            ((unsigned char *)dst)[i] = src[i] != 0;
        else if (type == FLOAT16)
            ((float *)dst)[i] = float_of_half((uint16_t)src[i]);
        else if (type == BFLOAT16)
            ((float *)dst)[i] = float_of_bfloat((uint16_t)src[i]);
        else
            ((int32_t *)dst)[i] = (int32_t)src[i];
    }
}

#define BORROWED_BYTES ((size_t)16 << 10) /* smaller tensors are copied */

/* A tensor on its way into the graph. */
struct load {
    const ao_onnx_Tensor *message;
    const char *name;
    enum element type;
    struct ao_shape shape;
    int64_t n;
    const void *data; /* the result: in the file or the graph's arena */
};

static aosa_status read_shape(struct load *load)
{
    const struct ao_onnx_ints *dims = &load->message->dims;
    if (dims->n > AO_MAX_RANK)
        return ao_fail(AOSA_ERR_UNSUPPORTED, "tensor '%s' has %zu axes; the limit is %d",
                       load->name, dims->n, AO_MAX_RANK);
    load->shape.rank = (int)dims->n;
    for (size_t i = 0; i < dims->n; i++) {
        if (dims->items[i] < 0 || dims->items[i] > AO_ONNX_MAX_EXTENT)
            return ao_fail(AOSA_ERR_FORMAT, "tensor '%s': axis %zu has size %" PRId64, load->name,
                           i, dims->items[i]);
        load->shape.dims[i] = dims->items[i];
    }
    char text[AO_SHAPE_TEXT];
    if (!ao_count(load->shape.dims, load->shape.rank, &load->n) || load->n > AO_ONNX_MAX_EXTENT)
        return ao_fail(AOSA_ERR_FORMAT, "tensor '%s' of shape %s has too many elements", load->name,
                       ao_shape_text(&load->shape, text));
    return AOSA_OK;
}

static aosa_status refuse_size(const struct load *load, const char *where, size_t have, size_t need)
{
    char text[AO_SHAPE_TEXT];
    return ao_fail(AOSA_ERR_FORMAT, "tensor '%s': %zu %s, its shape %s needs %zu", load->name, have,
                   where, ao_shape_text(&load->shape, text), need);
}

static void *new_elements(struct ao_onnx_import *import, const struct load *load)
{
    return ao_arena_alloc(&import->graph->arena, (size_t)load->n,
                          ao_dtype_size(elements[load->type].dtype));
}

/*
 * Weights stay where they are, at whatever address; ao_onnx_align moves those that cannot. All else
 * is copied: what steers shapes and addresses is then not in the file, so that what was checked
 * stays as it was.
 */
static aosa_status take_bytes(struct ao_onnx_import *import, struct load *load,
                              const unsigned char *bytes)
{
    const bool as_is = load->type == FLOAT || load->type == INT32 || load->type == INT64;
    const size_t size = (size_t)load->n * elements[load->type].bytes;
    if (load->type == FLOAT && size >= BORROWED_BYTES) {
        load->data = bytes;
        return AOSA_OK;
    }
    void *copy =
        as_is ? ao_arena_copy(&import->graph->arena, bytes, size) : new_elements(import, load);
    if (!copy)
        return ao_onnx_no_memory(load->name);
    if (!as_is)
        convert_raw(load->type, bytes, load->n, copy);
    load->data = copy;
    return AOSA_OK;
}

static aosa_status load_typed(struct ao_onnx_import *import, struct load *load)
{
    const ao_onnx_Tensor *message = load->message;
    const bool is_float = load->type == FLOAT, is_double = load->type == DOUBLE;
    const struct ao_onnx_ints *ints =
        load->type == INT64 ? &message->int64_data : &message->int32_data;
    const size_t have = is_float    ? message->float_data.n
                        : is_double ? message->double_data.n
                                    : ints->n;
    if (have != (size_t)load->n)
        return refuse_size(load, "values", have, (size_t)load->n);
    void *copy = new_elements(import, load);
    if (!copy)
        return ao_onnx_no_memory(load->name);
    if (is_double)
        for (int64_t i = 0; i < load->n; i++)
            ((float *)copy)[i] = (float)message->double_data.items[i];
    else if (!is_float)
        convert_ints(load->type, ints->items, load->n, copy);
    else if (have > 0)
        memcpy(copy, message->float_data.items, have * sizeof(float));
    load->data = copy;
    return AOSA_OK;
}

static aosa_status load_filled(struct ao_onnx_import *import, struct load *load, const char *key)
{
    float *values = new_elements(import, load);
    if (!values)
        return ao_onnx_no_memory(load->name);
    AO_TRY(import->options->fill(import->options->fill_user, import->model, key, &load->shape,
                                 values));
    load->data = values;
    return AOSA_OK;
}

static aosa_status load_data(struct ao_onnx_import *import, struct load *load, const char *key)
{
    const ao_onnx_Tensor *message = load->message;
    const size_t need = (size_t)load->n * elements[load->type].bytes; /* < 2^31 * 8 */
    const size_t n_typed = message->float_data.n + message->int32_data.n + message->int64_data.n +
                           message->double_data.n;
    const bool external = message->data_location == 1;
    if ((message->raw_data.bytes != NULL) + (n_typed > 0) + external > 1)
        return ao_fail(AOSA_ERR_FORMAT, "tensor '%s' holds its values in two ways", load->name);
    if (external) {
        const unsigned char *bytes;
        AO_TRY(ao_onnx_external_bytes(import, message, load->name, need, &bytes));
        return take_bytes(import, load, bytes);
    }
    if (message->raw_data.bytes) {
        if (message->raw_data.size != need)
            return refuse_size(load, "bytes", message->raw_data.size, need);
        return take_bytes(import, load, (const unsigned char *)message->raw_data.bytes);
    }
    if (n_typed == 0 && load->n > 0 && load->type == FLOAT && import->options->fill)
        return load_filled(import, load, key);
    return load_typed(import, load);
}

/* Finite numbers have smaller bits than infinity, sign aside: one pass without branches. */
static bool all_finite(const void *values, int64_t n)
{
    int32_t largest = 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t bits;
        memcpy(&bits, (const char *)values + i * (int64_t)sizeof bits, sizeof bits);
        bits &= 0x7FFFFFFF;
        largest = bits > largest ? bits : largest;
    }
    return largest < 0x7F800000;
}

/* A single infinity or NaN is a constant of an exporter (masks, clamps, nan_to_num); among weights
 * it is damage. */
static aosa_status check_finite(const struct ao_onnx_import *import, const struct load *load)
{
    if (elements[load->type].dtype != AO_F32 || import->options->allow_nonfinite || load->n == 1 ||
        all_finite(load->data, load->n))
        return AOSA_OK;
    int64_t i = 0;
    while (i < load->n - 1 && isfinite(ao_weight(load->data, i)))
        i++;
    return ao_fail(AOSA_ERR_NUMERIC,
                   "tensor '%s' has %s at element %" PRId64 " of %" PRId64
                   ": the weights are damaged",
                   load->name, isnan(ao_weight(load->data, i)) ? "NaN" : "an infinity", i, load->n);
}

aosa_status ao_onnx_add_tensor(struct ao_onnx_import *import, const ao_onnx_Tensor *tensor,
                               const char *name, const char *key, int *value)
{
    struct load load = { .message = tensor, .name = name };
    enum ao_dtype dtype = AO_F32;
    AO_TRY(ao_onnx_dtype(tensor->data_type, "tensor", name, &dtype));
    load.type = (enum element)tensor->data_type;
    AO_TRY(read_shape(&load));
    AO_TRY(load_data(import, &load, key));
    AO_TRY(check_finite(import, &load));
    return ao_graph_add_constant(import->graph, name, dtype, &load.shape, load.data, value);
}
