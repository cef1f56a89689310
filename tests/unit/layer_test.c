/* SPDX-License-Identifier: Apache-2.0 */
/* Which value of a network is the layer, what follows it, and how its map grows to the clip. */
#include <math.h>
#include <stdio.h>

#include "cam_fixture.h"

#include "aosa/aosa.h"
#include "attribution/classifier.h"
#include "attribution/layer.h"
#include "attribution/upsample.h"
#include "core/alloc.h"

/* cmocka compares as float; these are doubles. */
#define assert_near(a, b, bound) assert_true(fabs((double)(a) - (double)(b)) <= (bound))

/* --------------------------------------------------------------------------------- upsampling */

/* torch.nn.functional.interpolate(mode="trilinear", align_corners=False), in double. */
static void upsampling_equals_values_of_pytorch(void **state)
{
    (void)state;
    static const double up[] = {
        -4.5, -0.125, 0.625, -2.5, -3.6, 0.025,  0.775,  -1.6, 0,    0.625,  1.375,  2,
        3.6,  1.225,  1.975, 5.6,  4.5,  1.375,  2.125,  6.5,  -1.5, -0.875, -0.125, 0.5,
        -1.2, -0.575, 0.175, 0.8,  0,    0.625,  1.375,  2,    1.2,  1.825,  2.575,  3.2,
        1.5,  2.125,  2.875, 3.5,  1.5,  -1.625, -0.875, 3.5,  1.2,  -1.175, -0.425, 3.2,
        0,    0.625,  1.375, 2,    -1.2, 2.425,  3.175,  0.8,  -1.5, 2.875,  3.625,  0.5
    };
    static const double down[] = { 1.25,  11.75, 12.25, 7.75, 13.75, 1.75,
                                   12.25, 22.75, 11.25, 6.75, 9.75,  12.75 };
    float small[12], large[30], got[60];
    for (int i = 0; i < 12; i++)
        small[i] = (float)(i * 7 % 12) - 4.5F;
    for (int i = 0; i < 30; i++)
        large[i] = (float)(i * 7 % 30) - 4.5F;
    /* Half an ulp of the stored float, below 23, and the doubles' roundings. */
    const double bound = 23 * 6e-8;
    ao_upsample(small, (struct ao_extent){ 2, 2, 3 }, got, (struct ao_extent){ 3, 5, 4 });
    for (int i = 0; i < 60; i++)
        assert_near(got[i], up[i], bound);
    ao_upsample(large, (struct ao_extent){ 1, 5, 6 }, got, (struct ao_extent){ 2, 3, 4 });
    for (int i = 0; i < 24; i++)
        assert_near(got[i], down[i % 12], bound);
}

static void upsampling_to_the_same_size_copies(void **state)
{
    (void)state;
    const struct ao_extent extent = { 3, 5, 7 };
    float src[105], dst[105], row[14] = { 0 };
    for (int i = 0; i < 105; i++)
        src[i] = (float)(i * i % 31) / 7.0F;
    ao_upsample(src, extent, dst, extent);
    assert_memory_equal(src, dst, sizeof src);
    ao_upsample_row(src, extent, extent, 2, 3, row, 2);
    for (int x = 0; x < 7; x++) {
        assert_near(row[2 * x], src[2 * 35 + 3 * 7 + x], 0);
        assert_near(row[2 * x + 1], 0, 0); /* between the strides nothing is written */
    }
}

/* ------------------------------------------------------------------------------------- layers */

static void check_layer(const struct ao_layer *layer, const char *node, int64_t C, int64_t t)
{
    assert_string_equal(layer->node, node);
    assert_int_equal(layer->C, C);
    assert_int_equal(layer->t, t);
}

static void feature_maps_are_listed_in_the_order_of_the_graph(void **state)
{
    (void)state;
    struct rig rig;
    struct ao_layer *layers;
    int n;
    set_up(&rig, DEEP);
    assert_int_equal(ao_layers(&rig.s.model, &layers, &n), AOSA_OK);
    assert_int_equal(n, 6); /* what comes after Flatten is no map */
    check_layer(&layers[0], "conv1", 4, T);
    check_layer(&layers[3], "relu2", FEATURES, T);
    check_layer(&layers[5], "Relu", 4, 1);
    assert_string_equal(layers[3].name, "r2");
    assert_string_equal(layers[3].type, "Relu");
    assert_int_equal(layers[3].index, 3);
    ao_free(layers);
    tear_down(&rig);
}

static void default_layer_is_the_last_with_time_and_space(void **state)
{
    (void)state;
    struct rig rig;
    struct ao_layer layer;
    set_up(&rig, DEEP);
    assert_int_equal(ao_layer_find(&rig.s.model, NULL, &layer), AOSA_OK);
    check_layer(&layer, "relu2", FEATURES, T);
    tear_down(&rig);
}

/* conv2 inside a residual branch comes later, but what the shortcut carries is not in it. */
static void default_layer_is_not_inside_a_branch(void **state)
{
    (void)state;
    struct net net;
    struct aosa_model model = { .path = (char[]){ "m" } };
    struct ao_onnx_model onnx = { 0 };
    struct ao_layer layer, *layers;
    int n;
    net_init(&net, 3, SHAPE(1, 3, T, H, W));
    const struct net_window all = {
        .rank = 3, .kernel = { T, 1, 1 }, .stride = { 1, 1, 1 }, .dilation = { 1, 1, 1 }
    };
    const int first = net_unary(&net, "Relu", net_same_conv(&net, 0, 4));
    const int branch = net_unary(&net, "Relu", net_same_conv(&net, first, 5));
    const int sum = net_binary(&net, "Add", net_conv(&net, branch, 6, 1, &all),
                               net_conv(&net, first, 6, 1, &all));
    net_output(&net, net_head(&net, sum));
    net_finish(&net);
    for (size_t k = 0; k < net.graph.n_nodes; k++)
        net.graph.nodes[k].name = net.graph.nodes[k].type;
    onnx.graph = net.graph;
    model.onnx = &onnx;
    assert_int_equal(ao_layer_find(&model, NULL, &layer), AOSA_OK);
    assert_int_equal(layer.value, first);
    assert_int_equal(ao_layers(&model, &layers, &n), AOSA_OK);
    static const bool whole[] = { true, true, false, false, false, false, true };
    assert_int_equal(n, 7);
    for (int i = 0; i < n; i++)
        assert_int_equal(layers[i].whole, whole[i]);
    ao_free(layers);
    ao_graph_fini(&net.graph);
}

static void layers_are_found_by_index_and_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int index;
    } cases[] = { { "0", 0 },     { "5", 5 },  { "-1", 5 },   { "-6", 0 },
                  { "relu2", 3 }, { "r2", 3 }, { "conv1", 0 } };
    struct rig rig;
    struct ao_layer layer;
    set_up(&rig, DEEP);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(ao_layer_find(&rig.s.model, cases[i].text, &layer), AOSA_OK);
        assert_int_equal(layer.index, cases[i].index);
    }
    tear_down(&rig);
}

static void missing_layer_is_refused_with_those_there_are(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "relu", "alike: 1 'relu1', 3 'relu2'; aosa inspect --layer list shows all" },
        { "layer4", "(0 to 5): 0 'conv1', 1 'relu1', 2 'conv2', 3 'relu2', 4 'Conv', 5 'Relu';" },
        { "6", "0 'conv1'" },
        { "-7", "0 'conv1'" },
        { "", "0 'conv1'" },
    };
    struct rig rig;
    struct ao_layer layer;
    set_up(&rig, DEEP);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(ao_layer_find(&rig.s.model, cases[i][0], &layer), AOSA_ERR_ARGUMENT);
        if (!strstr(aosa_error_message(), cases[i][1]))
            fail_msg("'%s' is missing in: %s", cases[i][1], aosa_error_message());
    }
    tear_down(&rig);
}

/* Long names and many of them must still leave a whole sentence. */
static void long_lists_of_layers_are_shortened(void **state)
{
    (void)state;
    static char name[300];
    struct rig rig;
    struct ao_layer layer;
    set_up(&rig, DEEP);
    memset(name, 'n', sizeof name - 1);
    for (size_t k = 0; k < rig.net.graph.n_nodes; k++)
        rig.net.graph.nodes[k].name = name;
    assert_int_equal(ao_layer_find(&rig.s.model, "x", &layer), AOSA_ERR_ARGUMENT);
    assert_non_null(strstr(aosa_error_message(), "aosa inspect --layer list shows all"));
    tear_down(&rig);
}

static void transposed_values_are_no_feature_maps(void **state)
{
    (void)state;
    static const int64_t perm[] = { 0, 2, 1, 3, 4 };
    const struct ao_attr attr = { .name = "perm", .type = AO_ATTR_INTS, .n = 5, .ints = perm };
    struct net net;
    struct aosa_model model = { .path = (char[]){ "m" } };
    struct ao_onnx_model onnx = { 0 };
    struct ao_layer layer;
    net_init(&net, 3, SHAPE(1, 3, T, H, W));
    int x = net_node(&net, "Transpose", (const int32_t[]){ 0, -1, -1 }, &attr, 1);
    x = net_unary(&net, "Relu", x);
    net_output(&net, x);
    net_finish(&net);
    onnx.graph = net.graph;
    model.onnx = &onnx;
    assert_int_equal(ao_layer_find(&model, NULL, &layer), AOSA_ERR_UNSUPPORTED);
    ao_graph_fini(&net.graph);
}

static void inspect_lists_layers_and_marks_the_default(void **state)
{
    (void)state;
    aosa_settings *settings;
    char *text;
    assert_int_equal(aosa_settings_create(&settings), AOSA_OK);
    assert_int_equal(aosa_settings_set(settings, "layer", "list"), AOSA_OK);
    assert_int_equal(aosa_inspect("demo/model.onnx", settings, false, &text), AOSA_OK);
    assert_non_null(strstr(text, "[80,4,7,7]           Relu              /block3/Relu_1\n* is"));
    assert_non_null(strstr(text, "/block3/conv1/Conv  (in a branch)\n"));
    aosa_text_free(&text);
    assert_int_equal(aosa_inspect("demo/model.onnx", settings, true, &text), AOSA_OK);
    assert_non_null(strstr(text, "\"node\": \"/block3/Relu_1\""));
    aosa_text_free(&text);
    aosa_settings_destroy(&settings);
}

/* ---------------------------------------------------------------------------- classifier's end */

static void classifier_is_followed_to_its_features(void **state)
{
    (void)state;
    struct rig rig;
    struct ao_classifier c;
    set_up(&rig, POOLED);
    assert_int_equal(ao_classifier_find(&rig.s.model, &c), AOSA_OK);
    assert_string_equal(c.layer.node, "relu2");
    assert_ptr_equal(c.weights, weights_of(&rig, 1));
    assert_int_equal(c.class_stride, FEATURES);
    assert_int_equal(c.feature_stride, 1);
    tear_down(&rig);
}

static void two_fully_connected_layers_have_no_tubes(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, DEEP);
    assert_int_equal(subject_run(&rig.s, "saliency_tubes"), AOSA_ERR_UNSUPPORTED);
    assert_non_null(strstr(aosa_error_message(), "'Relu' (Relu) stands between; gradcam"));
    tear_down(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(upsampling_equals_values_of_pytorch),
        cmocka_unit_test(upsampling_to_the_same_size_copies),
        cmocka_unit_test(feature_maps_are_listed_in_the_order_of_the_graph),
        cmocka_unit_test(default_layer_is_the_last_with_time_and_space),
        cmocka_unit_test(default_layer_is_not_inside_a_branch),
        cmocka_unit_test(layers_are_found_by_index_and_by_name),
        cmocka_unit_test(missing_layer_is_refused_with_those_there_are),
        cmocka_unit_test(long_lists_of_layers_are_shortened),
        cmocka_unit_test(transposed_values_are_no_feature_maps),
        cmocka_unit_test(inspect_lists_layers_and_marks_the_default),
        cmocka_unit_test(classifier_is_followed_to_its_features),
        cmocka_unit_test(two_fully_connected_layers_have_no_tubes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
