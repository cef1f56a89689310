/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/file.h"
#include "model/model.h"
#include "ops/element.h"
#include "support/folder.h"
#include "support/onnx_writer.h"
#include "support/run_graph.h"

/*
 * Networks that hand on what they are fed: each input is flattened, and the output is all of them
 * one behind the other. The clip's element [c][t][y][x] is 1000 c + 100 t + 10 y + x.
 */
enum { H = 2, W = 3 };

struct input {
    const char *name;
    int rank;
    int64_t dims[6];
};

static struct wire echo_model(const struct input *inputs, int n)
{
    struct wire graph = { 0 }, axis = { 0 };
    char names[128] = "";
    for (int i = 0; i < n; i++) {
        char flat[16];
        graph_input(&graph, inputs[i].name, W_FLOAT, inputs[i].rank, inputs[i].dims);
        snprintf(flat, sizeof flat, "f%d", i);
        graph_node(&graph, "Flatten", "", inputs[i].name, flat, NULL);
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? " " : "", flat);
    }
    attr_int(&axis, "axis", 1);
    graph_node(&graph, "Concat", "", names, "y", &axis);
    graph_output(&graph, "y");
    return model_of(&graph, 18);
}

/* Opens the network, whose clip has T frames, and what it puts out for the clip; ao_onnx_close. */
static struct ao_onnx_model *run_echo(const struct wire *file, struct ao_clip_feed *feeds,
                                      int64_t T, float *y)
{
    struct ao_onnx_model *model;
    struct ao_passes_report report = { 0 };
    bool clip = false;
    assert_int_equal(
        ao_onnx_read(file->bytes, file->n, "m", &(struct ao_onnx_options){ 0 }, &model), AOSA_OK);
    assert_int_equal(ao_pass_clip_input(&model->graph, feeds, &clip), AOSA_OK);
    assert_true(clip);
    assert_int_equal(ao_passes_run(&model->graph, &report), AOSA_OK);
    ao_passes_report_fini(&report);
    assert_int_equal(model->graph.n_inputs, 1);
    assert_true(model->graph.batchable);
    const struct ao_shape want = { .rank = 5, .dims = { 1, 3, T, H, W } };
    assert_true(ao_shape_equal(&model->graph.values[model->graph.inputs[0]].shape, &want));
    float x[3 * 16 * H * W];
    for (int64_t i = 0; i < 3 * T * H * W; i++)
        x[i] =
            (float)(1000 * (i / (T * H * W)) + 100 * (i / (H * W) % T) + 10 * (i / W % H) + i % W);
    run_graph(&model->graph, x, y);
    return model;
}

/* y[0 ..] holds the frames as [3][n][H][W]. */
static void check_frames(const float *y, const int64_t *frames, int64_t n)
{
    for (int64_t i = 0; i < 3 * n * H * W; i++) {
        const int64_t c = i / (n * H * W), t = frames[i / (H * W) % n];
        assert_int_equal((int64_t)y[i], 1000 * c + 100 * t + 10 * (i / W % H) + i % W);
    }
}

static const struct input slow_fast[] = {
    { "slow", 5, { 1, 3, 3, H, W } },
    { "fast", 5, { 1, 3, 8, H, W } },
};

static void the_slow_pathway_gets_frames_spread_over_the_clip(void **state)
{
    (void)state;
    struct wire file = echo_model(slow_fast, 2);
    struct ao_clip_feed feeds[2] = { { .name = "slow" }, { .name = "fast" } };
    float y[3 * 11 * H * W];
    struct ao_onnx_model *model = run_echo(&file, feeds, 8, y);
    /* torch.linspace(0, 7, 3).long(), and every frame. */
    check_frames(y, (const int64_t[]){ 0, 3, 7 }, 3);
    check_frames(y + 3 * 3 * H * W, (const int64_t[]){ 0, 1, 2, 3, 4, 5, 6, 7 }, 8);
    assert_string_equal(model->graph.values[model->graph.inputs[0]].name, "clip");
    ao_onnx_close(&model);
    wire_free(&file);
}

static void frames_can_be_strided_or_listed(void **state)
{
    (void)state;
    struct wire file = echo_model(slow_fast, 2);
    int64_t list[] = { 1, 0, 4 };
    struct ao_clip_feed strided[2] = { { .name = "slow", .every = 4 }, { .name = "fast" } };
    struct ao_clip_feed listed[2] = { { .name = "slow", .frames = list, .n_frames = 3 },
                                      { .name = "fast", .every = 1 } };
    float y[3 * 11 * H * W];
    /* Three frames, every 4th: the clip is as long as they span, 12 frames. */
    struct ao_onnx_model *model = run_echo(&file, strided, 12, y);
    check_frames(y, (const int64_t[]){ 0, 4, 8 }, 3);
    check_frames(y + 3 * 3 * H * W, (const int64_t[]){ 0, 1, 3, 4, 6, 7, 9, 11 }, 8);
    ao_onnx_close(&model);
    model = run_echo(&file, listed, 8, y);
    check_frames(y, list, 3);
    ao_onnx_close(&model);
    wire_free(&file);
}

static void other_layouts_are_turned(void **state)
{
    (void)state;
    static const struct {
        struct input input;
        int64_t step_t, step_c, step_y, step_x; /* in the network's own order */
    } cases[] = {
        { { "x", 5, { 1, 4, 3, H, W } }, 3 * H * W, H * W, W, 1 },
        { { "x", 5, { 1, 4, H, W, 3 } }, 3 * H * W, 1, 3 * W, 3 },
        { { "x", 6, { 1, 1, 3, 4, H, W } }, H * W, 4 * H * W, W, 1 },
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct wire file = echo_model(&cases[k].input, 1);
        struct ao_clip_feed feed = { .name = "x" };
        float y[3 * 4 * H * W];
        struct ao_onnx_model *model = run_echo(&file, &feed, 4, y);
        for (int64_t i = 0; i < 3 * 4 * H * W; i++) {
            const int64_t c = i / (4 * H * W), t = i / (H * W) % 4, row = i / W % H, x = i % W;
            const int64_t at = c * cases[k].step_c + t * cases[k].step_t + row * cases[k].step_y +
                               x * cases[k].step_x;
            assert_int_equal((int64_t)y[at], 1000 * c + 100 * t + 10 * row + x);
        }
        assert_string_equal(model->graph.values[model->graph.inputs[0]].name, "x");
        ao_onnx_close(&model);
        wire_free(&file);
    }
}

static void inputs_that_are_no_frames_of_one_clip_stay(void **state)
{
    (void)state;
    static const struct input pairs[][2] = {
        { { "a", 5, { 1, 3, 3, H, W } }, { "b", 5, { 1, 3, 3, H, W + 1 } } },
        { { "a", 5, { 1, 3, 3, H, W } }, { "b", 2, { 1, 7 } } },
    };
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
        struct wire file = echo_model(pairs[k], 2);
        struct ao_clip_feed feeds[2] = { { .name = "a" }, { .name = "b" } };
        struct ao_onnx_model *model;
        bool clip = true;
        assert_int_equal(
            ao_onnx_read(file.bytes, file.n, "m", &(struct ao_onnx_options){ 0 }, &model), AOSA_OK);
        assert_int_equal(ao_pass_clip_input(&model->graph, feeds, &clip), AOSA_OK);
        assert_false(clip);
        assert_int_equal(model->graph.n_inputs, 2);
        ao_onnx_close(&model);
        wire_free(&file);
    }
}

static const char *model_path;

static int write_model(void **state)
{
    if (folder_make(state))
        return -1;
    struct wire file = echo_model(slow_fast, 2);
    model_path = in_folder("m.onnx");
    const aosa_status status = ao_file_write(model_path, file.bytes, file.n);
    wire_free(&file);
    return status == AOSA_OK ? 0 : -1;
}

/* Opens the two-pathway network with that list of inputs in its card. */
static aosa_status open_with(const char *inputs, struct aosa_model **model)
{
    char path[80], card[512];
    snprintf(path, sizeof path, "%s.json", model_path);
    const int n = snprintf(card, sizeof card, "{\"aosa_model_card\": 1, \"inputs\": %s}", inputs);
    assert_int_equal(ao_file_write(path, card, (size_t)n), AOSA_OK);
    return ao_model_open(model_path, &(struct ao_model_options){ .frames = 0 }, model);
}

static void the_card_says_how_the_clip_feeds_the_pathways(void **state)
{
    (void)state;
    struct aosa_model *model;
    assert_int_equal(open_with("[{\"name\": \"slow\", \"frames\": \"every 4th\"}]", &model),
                     AOSA_OK);
    assert_int_equal(model->T, 12);
    assert_int_equal(model->n_feeds, 2);
    assert_int_equal(model->feeds[0].frames[2], 8);
    assert_int_equal(model->feeds[1].layout, AO_LAYOUT_NCTHW);
    assert_true(model->fed);
    ao_model_close(&model);
    assert_int_equal(open_with("[{\"name\": \"slow\", \"frames\": [0, 2, 9]}]", &model), AOSA_OK);
    assert_int_equal(model->T, 10);
    ao_model_close(&model);
    assert_int_equal(open_with("[]", &model), AOSA_OK);
    assert_int_equal(model->T, 8);
    ao_model_close(&model);
}

static void a_card_that_does_not_fit_the_inputs_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *inputs, *text;
    } cases[] = {
        { "[{\"name\": \"quick\"}]", "input 'quick': the model has none of that name" },
        { "[{\"name\": \"slow\", \"frames\": \"every x\"}]", "'frames' is none of" },
        { "[{\"name\": \"slow\", \"frames\": \"every 0\"}]", "'frames' is none of" },
        { "[{\"name\": \"slow\", \"frames\": [0, 1]}]", "takes 3 frames, 2 are listed" },
        { "[{\"name\": \"slow\", \"frames\": [0, 1, -1]}]", "no frame number" },
        { "[{\"name\": \"slow\", \"layout\": \"CNTHW\"}]", "'layout' is none of" },
        { "[{\"name\": \"slow\", \"layout\": \"N1CTHW\"}]", "frames of one clip" },
        { "[{\"name\": \"slow\", \"stride\": 2}]", "none of name, frames and layout" },
        { "[{\"frames\": \"spread\"}]", "an entry without a name" },
        { "[3]", "an entry without a name" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct aosa_model *model = NULL;
        if (open_with(cases[i].inputs, &model) != AOSA_ERR_FORMAT)
            fail_msg("%s is taken", cases[i].inputs);
        if (!strstr(aosa_error_message(), cases[i].text))
            fail_msg("'%s' is not in '%s'", cases[i].text, aosa_error_message());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_slow_pathway_gets_frames_spread_over_the_clip),
        cmocka_unit_test(frames_can_be_strided_or_listed),
        cmocka_unit_test(other_layouts_are_turned),
        cmocka_unit_test(inputs_that_are_no_frames_of_one_clip_stay),
        cmocka_unit_test(the_card_says_how_the_clip_feeds_the_pathways),
        cmocka_unit_test(a_card_that_does_not_fit_the_inputs_is_refused),
    };
    return cmocka_run_group_tests_name("inputs", tests, write_model, folder_remove);
}
