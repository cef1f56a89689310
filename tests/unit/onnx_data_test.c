/* SPDX-License-Identifier: Apache-2.0 */
#include "onnx/onnx.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/onnx_writer.h"

static const struct ao_onnx_options plain = { 0 };

/* A graph x [1,3] -> Relu -> y, with one more tensor: the one under test. */
static struct wire graph_with(struct wire *tensor)
{
    const int64_t dims[] = { 1, 3 };
    struct wire graph = { 0 };
    graph_input(&graph, "x", W_FLOAT, 2, dims);
    graph_node(&graph, "Relu", "relu", "x", "y", NULL);
    graph_output(&graph, "y");
    wire_message(&graph, 5, tensor);
    return graph;
}

static void refused_with(struct wire *graph, const struct ao_onnx_options *options,
                         aosa_status expected, const char *part)
{
    struct wire file = model_of(graph, 18);
    struct ao_onnx_model *model = NULL;
    const aosa_status status = ao_onnx_read(file.bytes, file.n, "m.onnx", options, &model);
    if (status != expected || !strstr(aosa_error_message(), part))
        printf("status %s, expected %s with '%s': %s\n", aosa_status_name(status),
               aosa_status_name(expected), part, aosa_error_message());
    assert_int_equal(status, expected);
    assert_non_null(strstr(aosa_error_message(), part));
    assert_null(model);
    wire_free(&file);
}

static void tensor_refused(struct wire tensor, aosa_status expected, const char *part)
{
    struct wire graph = graph_with(&tensor);
    refused_with(&graph, &plain, expected, part);
}

/* Reads the file and gives the value called `name`. */
static const struct ao_value *value_of(const struct ao_onnx_model *model, const char *name)
{
    for (size_t v = 0; v < model->graph.n_values; v++)
        if (strcmp(model->graph.values[v].name, name) == 0)
            return &model->graph.values[v];
    fail_msg("no value '%s'", name);
    return NULL;
}

static void read_ok(const struct wire *file, const struct ao_onnx_options *options,
                    struct ao_onnx_model **model)
{
    const aosa_status status = ao_onnx_read(file->bytes, file->n, "m.onnx", options, model);
    if (status != AOSA_OK)
        printf("%s\n", aosa_error_message());
    assert_int_equal(status, AOSA_OK);
}

/* Checks what a tensor of that type and those bytes is read as. */
static void tensor_becomes(int type, int64_t n, const void *raw, size_t size, enum ao_dtype dtype,
                           const void *expected)
{
    struct wire tensor = tensor_of("t", type, 1, &n, raw, size);
    struct wire graph = graph_with(&tensor);
    struct wire file = model_of(&graph, 18);
    const struct ao_onnx_options lax = { .allow_nonfinite = true };
    struct ao_onnx_model *model;
    read_ok(&file, &lax, &model);
    const struct ao_value *value = value_of(model, "t");
    assert_int_equal(value->dtype, dtype);
    assert_int_equal(value->shape.dims[0], n);
    assert_int_equal((uintptr_t)value->data % ao_dtype_size(dtype), 0);
    assert_memory_equal(value->data, expected, (size_t)n * ao_dtype_size(dtype));
    ao_onnx_close(&model);
    wire_free(&file);
}

/* The values of IEEE 754 binary16 and bfloat16 are exact in float32, NaN apart. */
static void element_types_are_converted(void **state)
{
    (void)state;
    const uint16_t half[] = { 0x3C00, 0xC000, 0x0001, 0x83FF, 0x7BFF, 0x7C00, 0x8000, 0x3555 };
    const float half_values[] = {
        1, -2, 0x1p-24f, -0x3FFp-24f, 65504, INFINITY, -0.0f, 0x1.554p-2f
    };
    tensor_becomes(W_FLOAT16, 8, half, sizeof half, AO_F32, half_values);
    const uint16_t brain[] = { 0x3F80, 0xC049 };
    const float brain_values[] = { 1, -3.140625f };
    tensor_becomes(W_BFLOAT16, 2, brain, sizeof brain, AO_F32, brain_values);
    const double doubles[] = { 0.1, -1e30 };
    const float double_values[] = { 0.1f, -1e30f };
    tensor_becomes(W_DOUBLE, 2, doubles, sizeof doubles, AO_F32, double_values);
    const unsigned char bools[] = { 0, 1, 2 }, bool_values[] = { 0, 1, 1 };
    tensor_becomes(W_BOOL, 3, bools, 3, AO_BOOL, bool_values);
    const unsigned char bytes[] = { 0, 127, 255 };
    const int32_t unsigned_values[] = { 0, 127, 255 }, signed_values[] = { 0, 127, -1 };
    tensor_becomes(W_UINT8, 3, bytes, 3, AO_I32, unsigned_values);
    tensor_becomes(W_INT8, 3, bytes, 3, AO_I32, signed_values);
    const int16_t shorts[] = { -2, 300 };
    const int32_t short_values[] = { -2, 300 };
    tensor_becomes(W_INT16, 2, shorts, sizeof shorts, AO_I32, short_values);
    const int64_t longs[] = { INT64_MIN, 7 };
    tensor_becomes(W_INT64, 2, longs, sizeof longs, AO_I64, longs);
}

static void typed_becomes(struct wire tensor, enum ao_dtype dtype, const void *expected, size_t n)
{
    struct wire graph = graph_with(&tensor);
    struct wire file = model_of(&graph, 18);
    struct ao_onnx_model *model;
    read_ok(&file, &plain, &model);
    const struct ao_value *value = value_of(model, "t");
    assert_int_equal(value->dtype, dtype);
    assert_memory_equal(value->data, expected, n * ao_dtype_size(dtype));
    ao_onnx_close(&model);
    wire_free(&file);
}

/* Packed and one by one, and both mixed, are the same in protobuf. */
static void typed_fields_are_read(void **state)
{
    (void)state;
    const int64_t three = 3;
    const float floats[] = { 1.5f, -2, 3 };
    struct wire tensor = tensor_of("t", W_FLOAT, 1, &three, NULL, 0);
    wire_bytes(&tensor, 4, floats, 2 * sizeof *floats);
    wire_float(&tensor, 4, 3);
    typed_becomes(tensor, AO_F32, floats, 3);

    const int64_t longs[] = { -1, 5, INT64_C(1) << 40 };
    struct wire packed = { 0 };
    tensor = tensor_of("t", W_INT64, 1, &three, NULL, 0);
    wire_int(&tensor, 7, longs[0]);
    wire_varint(&packed, (uint64_t)longs[1]);
    wire_varint(&packed, (uint64_t)longs[2]);
    wire_message(&tensor, 7, &packed);
    typed_becomes(tensor, AO_I64, longs, 3);

    const int32_t ints[] = { -7, 0, 9 };
    tensor = tensor_of("t", W_INT32, 1, &three, NULL, 0);
    for (int i = 0; i < 3; i++)
        wire_int(&tensor, 5, ints[i]);
    typed_becomes(tensor, AO_I32, ints, 3);

    const unsigned char bools[] = { 0, 1, 1 };
    tensor = tensor_of("t", W_BOOL, 1, &three, NULL, 0);
    for (int i = 0; i < 3; i++)
        wire_int(&tensor, 5, bools[i]);
    typed_becomes(tensor, AO_BOOL, bools, 3);

    const float halves[] = { 1, 2, -1 };
    tensor = tensor_of("t", W_FLOAT16, 1, &three, NULL, 0);
    wire_int(&tensor, 5, 0x3C00);
    wire_int(&tensor, 5, 0x4000);
    wire_int(&tensor, 5, 0xBC00);
    typed_becomes(tensor, AO_F32, halves, 3);

    const double doubles[] = { 1.5, -2, 3 };
    tensor = tensor_of("t", W_DOUBLE, 1, &three, NULL, 0);
    wire_bytes(&tensor, 10, doubles, sizeof doubles);
    typed_becomes(tensor, AO_F32, floats, 3);
}

static void wrong_sizes_are_refused(void **state)
{
    (void)state;
    const int64_t square[] = { 2, 2 }, negative[] = { 2, -2 }, huge[] = { 1 << 20, 1 << 20 };
    const int64_t nine[9] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    const int64_t overflow[] = { INT64_C(1) << 40, 4 };
    const float values[] = { 1, 2, 3, 4 };
    tensor_refused(tensor_of("t", W_FLOAT, 2, square, values, 12), AOSA_ERR_FORMAT,
                   "tensor 't': 12 bytes, its shape [2,2] needs 16");
    tensor_refused(tensor_of("t", W_FLOAT, 2, square, NULL, 0), AOSA_ERR_FORMAT,
                   "tensor 't': 0 values, its shape [2,2] needs 4");
    tensor_refused(tensor_of("t", W_FLOAT, 2, negative, values, 16), AOSA_ERR_FORMAT,
                   "tensor 't': axis 1 has size -2");
    tensor_refused(tensor_of("t", W_FLOAT, 2, huge, values, 16), AOSA_ERR_FORMAT,
                   "too many elements");
    tensor_refused(tensor_of("t", W_FLOAT, 2, overflow, values, 16), AOSA_ERR_FORMAT,
                   "tensor 't': axis 0 has size 1099511627776");
    /* Nothing in it, but its strides would overflow. */
    const int64_t hollow[] = { 0, INT32_MAX, INT32_MAX, INT32_MAX };
    tensor_refused(tensor_of("t", W_FLOAT, 4, hollow, values, 0), AOSA_ERR_FORMAT,
                   "too many elements");
    tensor_refused(tensor_of("t", W_FLOAT, 9, nine, values, 4), AOSA_ERR_UNSUPPORTED,
                   "tensor 't' has 9 axes; the limit is 8");
    struct wire both = tensor_of("t", W_FLOAT, 2, square, values, 16);
    wire_bytes(&both, 4, values, 16);
    tensor_refused(both, AOSA_ERR_FORMAT, "holds its values in two ways");
    struct wire many = tensor_of("t", W_FLOAT, 2, square, NULL, 0);
    for (int i = 0; i < 5; i++)
        wire_float(&many, 4, 1);
    tensor_refused(many, AOSA_ERR_FORMAT, "tensor 't': 5 values, its shape [2,2] needs 4");
    struct wire torn = tensor_of("t", W_FLOAT, 2, square, NULL, 0);
    wire_bytes(&torn, 4, values, 15);
    tensor_refused(torn, AOSA_ERR_FORMAT, "damaged, cut off or not an ONNX file");
}

static void unknown_element_types_are_named(void **state)
{
    (void)state;
    const int64_t one = 1;
    tensor_refused(tensor_of("t", W_STRING, 1, &one, "a", 1), AOSA_ERR_UNSUPPORTED,
                   "tensor 't' has element type string");
    tensor_refused(tensor_of("t", 14, 1, &one, "a", 1), AOSA_ERR_UNSUPPORTED, "complex64");
    tensor_refused(tensor_of("t", 99, 1, &one, "a", 1), AOSA_ERR_UNSUPPORTED, "element type 99");
    struct wire tensor = { 0 }, graph = { 0 }, sparse = { 0 };
    tensor = tensor_of("t", W_FLOAT, 1, &one, "abcd", 4);
    graph = graph_with(&tensor);
    wire_message(&graph, 15, &sparse);
    refused_with(&graph, &plain, AOSA_ERR_UNSUPPORTED, "sparse weights are not supported");
}

static void damaged_weights_are_named(void **state)
{
    (void)state;
    const int64_t three = 3, one = 1;
    const float nan[] = { 1, NAN, 2 }, infinite[] = { 1, 2, -INFINITY };
    tensor_refused(tensor_of("conv.w", W_FLOAT, 1, &three, nan, 12), AOSA_ERR_NUMERIC,
                   "tensor 'conv.w' has NaN at element 1 of 3");
    tensor_refused(tensor_of("conv.w", W_FLOAT, 1, &three, infinite, 12), AOSA_ERR_NUMERIC,
                   "tensor 'conv.w' has an infinity at element 2 of 3");
    tensor_becomes(W_FLOAT, 3, infinite, 12, AO_F32, infinite);
    /* A single one is what exporters write for masks. */
    struct wire tensor = tensor_of("t", W_FLOAT, 1, &one, &infinite[2], 4);
    typed_becomes(tensor, AO_F32, &infinite[2], 1);
}

static void initializer_listed_as_input_is_a_constant(void **state)
{
    (void)state;
    const int64_t three = 3;
    const float values[] = { 1, 2, 3 };
    struct wire tensor = tensor_of("w", W_FLOAT, 1, &three, values, sizeof values);
    struct wire graph = graph_with(&tensor);
    graph_input(&graph, "w", W_FLOAT, 1, &three);
    struct wire file = model_of(&graph, 18);
    struct ao_onnx_model *model;
    read_ok(&file, &plain, &model);
    assert_int_equal(model->graph.n_inputs, 1);
    assert_string_equal(model->graph.values[model->graph.inputs[0]].name, "x");
    ao_onnx_close(&model);
    wire_free(&file);
}

static struct wire input_graph(int type, int rank, const int64_t *dims)
{
    struct wire graph = { 0 };
    graph_input(&graph, "clip", type, rank, dims);
    graph_node(&graph, "Relu", "relu", "clip", "y", NULL);
    graph_output(&graph, "y");
    return graph;
}

static void batch_becomes_one(void **state)
{
    (void)state;
    const int64_t free_batch[] = { -1, 3, 2, 4, 4 }, four[] = { 4, 3, 2, 4, 4 };
    struct wire graph = input_graph(W_FLOAT, 5, free_batch);
    struct wire file = model_of(&graph, 18);
    struct ao_onnx_model *model;
    read_ok(&file, &plain, &model);
    assert_int_equal(value_of(model, "clip")->shape.dims[0], 1);
    assert_false(model->batch_was_fixed);
    ao_onnx_close(&model);
    wire_free(&file);

    graph = input_graph(W_FLOAT, 5, four);
    refused_with(&graph, &plain, AOSA_ERR_UNSUPPORTED, "input 'clip' takes 4 clips at once");

    const struct ao_onnx_options raw = { .raw = true };
    graph = input_graph(W_FLOAT, 5, four);
    file = model_of(&graph, 18);
    read_ok(&file, &raw, &model);
    assert_int_equal(value_of(model, "clip")->shape.dims[0], 4);
    ao_onnx_close(&model);
    wire_free(&file);
}

static void free_axes_take_their_size_from_options(void **state)
{
    (void)state;
    const int64_t dims[] = { -1, 3, -1, -1, -1 };
    struct wire graph = input_graph(W_FLOAT, 5, dims);
    refused_with(&graph, &plain, AOSA_ERR_SHAPE,
                 "input 'clip': axis 2 ('N', frames) has no fixed size: give it with --frames");
    const struct ao_onnx_options some = { .frames = 16 };
    graph = input_graph(W_FLOAT, 5, dims);
    refused_with(&graph, &some, AOSA_ERR_SHAPE,
                 "axis 3 ('N', height) has no fixed size: give it with --frame-size");
    const struct ao_onnx_options all = { .frames = 16, .height = 112, .width = 128 };
    graph = input_graph(W_FLOAT, 5, dims);
    struct wire file = model_of(&graph, 18);
    struct ao_onnx_model *model;
    read_ok(&file, &all, &model);
    char text[AO_SHAPE_TEXT];
    assert_string_equal(ao_shape_text(&value_of(model, "clip")->shape, text), "[1,3,16,112,128]");
    ao_onnx_close(&model);
    wire_free(&file);
    const int64_t no_channels[] = { -1, -1, -1, 8, 8 };
    graph = input_graph(W_FLOAT, 5, no_channels);
    refused_with(&graph, &all, AOSA_ERR_SHAPE, "has 2 free axes besides batch, height and width");
    const int64_t vast[] = { 1, 1 << 30, 1 << 30 };
    graph = input_graph(W_FLOAT, 3, vast);
    refused_with(&graph, &plain, AOSA_ERR_FORMAT, "has too many elements");
    graph = input_graph(W_STRING, 5, dims);
    refused_with(&graph, &all, AOSA_ERR_UNSUPPORTED, "input 'clip' has element type string");
}

/* A folder with a model whose weight w [4] lies at `location`, offset 8. */
struct external_case {
    char folder[64];
    char model[96], data[96];
};

static void write_file(const char *path, const void *bytes, size_t size)
{
    assert_int_equal(ao_file_write(path, bytes, size), AOSA_OK);
}

static void external_begin(struct external_case *c)
{
    snprintf(c->folder, sizeof c->folder, "/tmp/aosa-onnx-XXXXXX");
    assert_non_null(mkdtemp(c->folder));
    snprintf(c->model, sizeof c->model, "%s/m.onnx", c->folder);
    snprintf(c->data, sizeof c->data, "%s/m.onnx.data", c->folder);
    const float values[] = { 9, 9, 1, 2, 3, 4 };
    write_file(c->data, values, sizeof values);
}

static void external_end(struct external_case *c)
{
    unlink(c->model);
    unlink(c->data);
    assert_int_equal(rmdir(c->folder), 0);
}

static void add_entry(struct wire *tensor, const char *key, const char *value)
{
    struct wire entry = { 0 };
    wire_text(&entry, 1, key);
    wire_text(&entry, 2, value);
    wire_message(tensor, 13, &entry);
}

static struct wire external_file(const char *location, const char *offset, const char *length)
{
    const int64_t four = 4;
    struct wire tensor = tensor_of("w", W_FLOAT, 1, &four, NULL, 0);
    if (location)
        add_entry(&tensor, "location", location);
    if (offset)
        add_entry(&tensor, "offset", offset);
    if (length)
        add_entry(&tensor, "length", length);
    wire_int(&tensor, 14, 1);
    struct wire graph = graph_with(&tensor);
    return model_of(&graph, 18);
}

static void external_refused(const char *location, const char *offset, const char *length,
                             aosa_status expected, const char *part)
{
    struct external_case c;
    external_begin(&c);
    struct wire file = external_file(location, offset, length);
    write_file(c.model, file.bytes, file.n);
    struct ao_onnx_model *model = NULL;
    const aosa_status status = ao_onnx_open(c.model, &plain, &model);
    if (status != expected || !strstr(aosa_error_message(), part))
        printf("%s: %s\n", aosa_status_name(status), aosa_error_message());
    assert_int_equal(status, expected);
    assert_non_null(strstr(aosa_error_message(), part));
    wire_free(&file);
    external_end(&c);
}

static void external_data_is_read(void **state)
{
    (void)state;
    struct external_case c;
    external_begin(&c);
    struct wire file = external_file("m.onnx.data", "8", "16");
    write_file(c.model, file.bytes, file.n);
    struct ao_onnx_model *model;
    assert_int_equal(ao_onnx_open(c.model, &plain, &model), AOSA_OK);
    const float expected[] = { 1, 2, 3, 4 };
    const struct ao_value *w = value_of(model, "w");
    assert_memory_equal(w->data, expected, sizeof expected);
    assert_int_equal(model->n_externals, 1);
    assert_int_equal(strlen(ao_onnx_hash_text(model->externals[0].hash)), 64);
    ao_onnx_close(&model);

    struct ao_onnx_model *from_memory = NULL;
    assert_int_equal(ao_onnx_read(file.bytes, file.n, "m.onnx", &plain, &from_memory),
                     AOSA_ERR_INPUT);
    assert_non_null(strstr(aosa_error_message(), "read from memory"));
    wire_free(&file);
    external_end(&c);
}

static void external_data_must_be_there_and_long_enough(void **state)
{
    (void)state;
    external_refused("weights.bin", "0", "16", AOSA_ERR_INPUT,
                     "weights.bin is missing: it must lie beside the model");
    external_refused("m.onnx.data", "12", "16", AOSA_ERR_FORMAT,
                     "tensor 'w': 16 bytes at 12 of 'm.onnx.data', which has only 24 bytes");
    external_refused("m.onnx.data", "18446744073709551615", NULL, AOSA_ERR_FORMAT, "has only 24");
    external_refused("m.onnx.data", "0", "12", AOSA_ERR_FORMAT,
                     "12 bytes of external data, its shape needs 16");
    external_refused("m.onnx.data", "-8", "16", AOSA_ERR_FORMAT, "offset '-8', not a number");
    external_refused("m.onnx.data", "0", "99999999999999999999999", AOSA_ERR_FORMAT,
                     "not a number");
    external_refused(NULL, "0", "16", AOSA_ERR_FORMAT, "without a location");
    external_refused("", "0", "16", AOSA_ERR_FORMAT, "without a usable file name");
}

static void external_data_stays_in_the_folder(void **state)
{
    (void)state;
    static const char *const places[] = { "/etc/passwd",     "../m.onnx.data", "a/../m.onnx.data",
                                          "./m.onnx.data",   "a//b",           "..",
                                          "sub\\m.onnx.data" };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        external_refused(places[i], "0", "16", AOSA_ERR_INPUT, "leaves the folder");
}

static void external_data_follows_no_link(void **state)
{
    (void)state;
    struct external_case c;
    external_begin(&c);
    char link_path[128], folder_link[128];
    snprintf(link_path, sizeof link_path, "%s/link", c.folder);
    snprintf(folder_link, sizeof folder_link, "%s/up", c.folder);
    static const struct {
        const char *location, *part;
    } cases[] = {
        { "link", "goes through a symbolic link" },
        { "up/passwd", "goes through a symbolic link" },
        { "hard", "has a second name (hard link)" },
        { "fifo", "is not a regular file" },
    };
    char hard[128], fifo[128];
    snprintf(hard, sizeof hard, "%s/hard", c.folder);
    snprintf(fifo, sizeof fifo, "%s/fifo", c.folder);
    assert_int_equal(symlink("m.onnx.data", link_path), 0);
    assert_int_equal(symlink("/etc", folder_link), 0);
    assert_int_equal(link(c.data, hard), 0);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wire file = external_file(cases[i].location, "0", "16");
        write_file(c.model, file.bytes, file.n);
        struct ao_onnx_model *model = NULL;
        assert_int_equal(ao_onnx_open(c.model, &plain, &model), AOSA_ERR_INPUT);
        if (!strstr(aosa_error_message(), cases[i].part))
            printf("%s\n", aosa_error_message());
        assert_non_null(strstr(aosa_error_message(), cases[i].part));
        wire_free(&file);
        unlink(c.model);
    }
    unlink(link_path);
    unlink(folder_link);
    unlink(hard);
    unlink(fifo);
    external_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(element_types_are_converted),
        cmocka_unit_test(typed_fields_are_read),
        cmocka_unit_test(wrong_sizes_are_refused),
        cmocka_unit_test(unknown_element_types_are_named),
        cmocka_unit_test(damaged_weights_are_named),
        cmocka_unit_test(initializer_listed_as_input_is_a_constant),
        cmocka_unit_test(batch_becomes_one),
        cmocka_unit_test(free_axes_take_their_size_from_options),
        cmocka_unit_test(external_data_is_read),
        cmocka_unit_test(external_data_must_be_there_and_long_enough),
        cmocka_unit_test(external_data_stays_in_the_folder),
        cmocka_unit_test(external_data_follows_no_link),
    };
    return cmocka_run_group_tests_name("onnx data", tests, NULL, NULL);
}
