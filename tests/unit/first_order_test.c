/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First-order estimates against their definition: every expansion point is written out as a clip,
 * differentiated, and multiplied voxel by voxel with every occluded clip.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attribution/mask_groups.h"
#include "attribution/method.h"
#include "core/alloc.h"
#include "mask_fixture.h"
#include "model/backprop.h"
#include "support/random_net.h"

/* cmocka compares as float; these are doubles. */
#define assert_near(a, b, bound) assert_true(fabs((double)(a) - (double)(b)) <= (bound))

enum { T = 4, H = 20, W = 24, VOXELS = T * H * W, CLASSES = 7 };

/*
 * The reference backend rounds every value of the network to float once, forward and backward. A
 * sum over a mask has at most 3 x 1920 products, which are below 0.01 here (a mean over 1920
 * positions), so roundings of 6e-8 each add up to less than 4e-6; scores below 10 add 6e-7 each.
 */
#define FLOATS 8e-6

/* A method about to run on a small network. */
struct rig {
    struct net net;
    struct ao_onnx_model onnx;
    struct aosa_model model;
    struct aosa_clip *clip;
    struct aosa_mask_set *masks;
    struct ao_fill fill;
    struct ao_method_options options;
    struct ao_attribution a;
};

static char name[] = "net";

static void build_net(struct rig *rig, bool linear)
{
    struct net *net = &rig->net;
    net_init(net, 4, SHAPE(1, 3, T, H, W));
    int x = net_same_conv(net, 0, 3);
    x = net_same_conv(net, linear ? x : net_unary(net, "Relu", x), 3);
    x = net_head(net, linear ? x : net_unary(net, "Relu", x));
    net_output(net, x);
    net_finish(net);
    rig->onnx.graph = net->graph;
    rig->model = (struct aosa_model){
        .path = name, .onnx = &rig->onnx, .T = T, .H = H, .W = W, .classes = CLASSES, .per_class = 1
    };
}

static const struct ao_method *method(const char *wanted)
{
    int n;
    const struct ao_method *methods = ao_methods(&n);
    while (n-- > 0)
        if (!strcmp(methods[n].name, wanted))
            return &methods[n];
    fail_msg("there is no method %s", wanted);
    return NULL;
}

/* settings: of the masks, as generate() reads them. */
static void set_up(struct rig *rig, bool linear, const char *settings, const char *fill)
{
    struct ao_rng rng;
    struct ao_flow_field *flow = random_flow(T, H, W, 2, 31);
    memset(rig, 0, sizeof *rig);
    build_net(rig, linear);
    assert_int_equal(ao_clip_create(T, H, W, &rig->clip), AOSA_OK);
    ao_rng_init(&rng, 8);
    for (int i = 0; i < 3 * VOXELS; i++) {
        const int y = i / W % H, x = i % W;
        /* Masks in these corners are outliers, too far apart for one component. */
        const bool bright = (y < 4 && x < 4) || (y >= 15 && x >= 19);
        rig->clip->values[i] = (float)(ao_rng_range(&rng, -1, 1) + 3 * bright);
    }
    rig->masks = generate(flow, NULL, settings);
    ao_flow_field_destroy(&flow);
    assert_int_equal(ao_fill_create(fill, 4, rig->clip, &rig->fill), AOSA_OK);
    assert_int_equal(ao_options_init(ao_method_option_table, &rig->options), AOSA_OK);
    rig->options.detail = AO_DETAIL_NONE; /* exact maps that the estimates are compared with */
    rig->a = (struct ao_attribution){
        .method = method("first_order"),
        .model = &rig->model,
        .clip = rig->clip,
        .masks = rig->masks,
        .fill = &rig->fill,
        .target = "1",
        .score = AO_SCORE_LOGIT,
        .options = &rig->options,
        .run = { .engine = AO_ENGINE_DENSE,
                 .backend = AO_BACKEND_REFERENCE,
                 .threads = 1,
                 .batch = 1 },
    };
}

static void tear_down(struct rig *rig)
{
    ao_attribution_fini(&rig->a);
    ao_options_fini(ao_method_option_table, &rig->options);
    ao_fill_fini(&rig->fill);
    ao_mask_set_destroy(&rig->masks);
    ao_clip_destroy(&rig->clip);
    ao_graph_fini(&rig->net.graph);
}

static void run(struct ao_attribution *a)
{
    a->outputs = ao_alloc(CLASSES, sizeof *a->outputs);
    if (a->method->run(a) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
}

/* The exact scores of the same attribution, which ao_attribution_fini frees. */
static struct ao_attribution exact(const struct rig *rig)
{
    struct ao_attribution a = rig->a;
    a.method = method("aosa");
    a.results = NULL;
    a.outputs = NULL;
    run(&a);
    return a;
}

static double compare_scores(const struct ao_attribution *a, const struct ao_attribution *b)
{
    double worst = 0;
    assert_int_equal(a->n_results, b->n_results);
    for (int k = 0; k < a->n_results; k++)
        for (int m = 0; m < a->masks->M; m++)
            worst = fmax(worst,
                         fabs((double)a->results[k].scores[m] - (double)b->results[k].scores[m]));
    return worst;
}

/* A is a mean of w X with 1/2 < visible: it errs by at most twice what the scores do. */
static double compare_maps(const struct ao_attribution *a, const struct ao_attribution *b)
{
    double worst = 0;
    for (int k = 0; k < a->n_results; k++)
        for (int i = 0; i < VOXELS; i++)
            worst = fmax(worst, fabs((double)a->results[k].map[i] - (double)b->results[k].map[i]));
    return worst;
}

static void linear_network_gives_the_exact_map(void **state)
{
    (void)state;
    static const struct {
        const char *masks, *fill;
        int adjust, splits;
    } cases[] = {
        { "mask=flow_one size=5 stride=4", "zero", AO_ADJUST_NONE, 0 },
        { "mask=flow_one size=5 stride=4", "mean", AO_ADJUST_SIMPLE_FIXED, 0 },
        { "mask=flow_one size=5 stride=4 partners=2", "blur", AO_ADJUST_NONE, 2 },
        { "mask=flow_one size=5 stride=4 stack=random partners=4", "1.5", AO_ADJUST_IP, 1 },
        { "mask=flow size=6 stride=4 time-stride=2", "local", AO_ADJUST_IP, 0 },
        { "mask=cuboid size=4 stride=4 time-size=2 time-stride=2", "local", AO_ADJUST_NONE, 3 },
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct rig rig;
        set_up(&rig, true, cases[c].masks, cases[c].fill);
        rig.options.adjust = cases[c].adjust;
        rig.options.splits = cases[c].splits;
        rig.a.target = "1,4-2";
        run(&rig.a);
        struct ao_attribution reference = exact(&rig);
        const double score = compare_scores(&rig.a, &reference);
        const double map = compare_maps(&rig.a, &reference);
        print_message("%s, fill %s: worst score %.1e, worst map value %.1e\n", cases[c].masks,
                      cases[c].fill, score, map);
        assert_true(rig.a.results[0].most - rig.a.results[0].least > 1000 * FLOATS);
        assert_true(score <= FLOATS);
        assert_true(map <= 2 * FLOATS);
        ao_attribution_fini(&reference);
        tear_down(&rig);
    }
}

/* Score and gradient at one clip. */
struct point {
    const struct rig *rig;
    const float *clip; /* [3][T][H][W] */
    struct ao_target target;
    double score;
    double gradient[3 * VOXELS];
};

static size_t offset(const struct ao_view *view, int i)
{
    const int64_t *s = view->strides;
    return (size_t)(i / VOXELS * s[0] + i / (H * W) % T * s[1] + i / W % H * s[2] + i % W * s[3]);
}

static void write_point(const void *context, const struct ao_view *view, int64_t item,
                        int64_t previous)
{
    const struct point *point = context;
    (void)item;
    (void)previous;
    for (int i = 0; i < 3 * VOXELS; i++)
        ((float *)view->data)[offset(view, i)] = point->clip[i];
}

static aosa_status seed_point(void *context, int64_t item, const float *outputs, float *seed)
{
    struct point *point = context;
    (void)item;
    point->score = ao_score(point->rig->a.score, outputs, CLASSES, false, point->target);
    ao_score_gradient(point->rig->a.score, outputs, CLASSES, false, point->target, seed);
    return AOSA_OK;
}

static aosa_status read_point(void *context, int64_t item, const struct ao_backprop_result *result)
{
    struct point *point = context;
    (void)item;
    for (int i = 0; i < 3 * VOXELS; i++)
        point->gradient[i] = (double)((const float *)result->clip.data)[offset(&result->clip, i)];
    return AOSA_OK;
}

static void differentiate(struct point *point)
{
    const struct ao_backprop_options options = {
        .backend = AO_BACKEND_REFERENCE, .threads = 1, .one_item = true, .clip = true
    };
    const struct ao_backprop_job job = {
        .n = 1, .write = write_point, .seed = seed_point, .read = read_point, .context = point
    };
    struct ao_backprop *backprop = NULL;
    if (ao_backprop_create(&point->rig->model, &options, &backprop) != AOSA_OK ||
        ao_backprop_run(backprop, &job, &(struct ao_progress){ 0 }) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    ao_backprop_destroy(&backprop);
}

/* The clip under a mask, [3][T][H][W]. */
static void occlude(const struct rig *rig, int m, float *clip)
{
    uint8_t visible[VOXELS];
    paint(rig->masks, m, visible);
    for (int i = 0; i < 3 * VOXELS; i++) {
        const float fill = rig->fill.volume ? rig->fill.volume[i] : rig->fill.value[i / VOXELS];
        clip[i] = visible[i % VOXELS] ? rig->clip->values[i] : fill;
    }
}

/* The mean of the clips under the anchor's masks. */
static void anchor_clip(const struct rig *rig, const struct ao_mask_groups *groups, int g,
                        float *clip)
{
    float one[3 * VOXELS];
    double sum[3 * VOXELS] = { 0 };
    int n = 0;
    for (int32_t i = groups->first[g]; i < groups->first[g + 1]; i++) {
        const int32_t m = groups->members[i];
        if (groups->anchor[g] != AO_ANCHOR_MEAN && groups->anchor[g] != m)
            continue;
        occlude(rig, m, one);
        for (int k = 0; k < 3 * VOXELS; k++)
            sum[k] += (double)one[k];
        n++;
    }
    for (int k = 0; k < 3 * VOXELS; k++)
        clip[k] = (float)(sum[k] / n);
}

/* f(x') + sum g' (z - x') for mask m, or, `together`, with x' in place of z outside the mask. */
static double expand(const struct point *point, int m, bool together)
{
    float occluded[3 * VOXELS];
    uint8_t visible[VOXELS];
    double sum = point->score;
    occlude(point->rig, m, occluded);
    paint(point->rig->masks, m, visible);
    for (int i = 0; i < 3 * VOXELS; i++)
        if (!together || !visible[i % VOXELS])
            sum += point->gradient[i] * ((double)occluded[i] - (double)point->clip[i]);
    return sum;
}

static void expand_groups(const struct rig *rig, struct ao_target target,
                          const struct ao_mask_groups *groups, bool together, double *scores)
{
    static float clip[3 * VOXELS];
    static struct point point;
    for (int g = 0; g < groups->n; g++) {
        anchor_clip(rig, groups, g, clip);
        point = (struct point){ .rig = rig, .clip = clip, .target = target };
        differentiate(&point);
        for (int32_t i = groups->first[g]; i < groups->first[g + 1]; i++)
            scores[groups->members[i]] = expand(&point, groups->members[i], together);
    }
}

/* Scores by the definition; answers the forwards and backwards it took. */
static int64_t define(const struct rig *rig, struct ao_target target, double *scores)
{
    static struct point point;
    const int M = rig->masks->M, adjust = rig->options.adjust;
    struct ao_mask_groups groups;
    double effects[256];
    int64_t passes = 1;
    point = (struct point){ .rig = rig, .clip = rig->clip->values, .target = target };
    differentiate(&point);
    for (int m = 0; m < M; m++)
        scores[m] = expand(&point, m, false);
    if (rig->options.splits) {
        assert_int_equal(ao_mask_groups_split(rig->masks, rig->options.splits, &groups), AOSA_OK);
        expand_groups(rig, target, &groups, false, scores);
        passes += groups.n;
        ao_mask_groups_fini(&groups);
    }
    if (adjust == AO_ADJUST_NONE)
        return passes;
    for (int m = 0; m < M; m++)
        effects[m] = scores[m] - point.score;
    assert_int_equal(ao_mask_groups_outliers(rig->masks, effects, adjust == AO_ADJUST_IP, &groups),
                     AOSA_OK);
    print_message("%d outliers in %d groups\n", (int)groups.first[groups.n], groups.n);
    assert_true(groups.n > (adjust == AO_ADJUST_IP)); /* or the case would show nothing */
    expand_groups(rig, target, &groups, adjust == AO_ADJUST_SIMPLE, scores);
    passes += groups.n;
    ao_mask_groups_fini(&groups);
    return passes;
}

static void estimates_equal_their_definition(void **state)
{
    (void)state;
    static const struct {
        const char *masks, *fill;
        enum ao_score_kind score;
        int adjust, splits;
    } cases[] = {
        { "mask=flow_one size=5 stride=4", "zero", AO_SCORE_PROB, AO_ADJUST_NONE, 0 },
        { "mask=flow_one size=5 stride=2", "zero", AO_SCORE_LOGIT, AO_ADJUST_SIMPLE, 0 },
        { "mask=flow_one size=5 stride=2", "local", AO_SCORE_LOGIT, AO_ADJUST_SIMPLE_FIXED, 0 },
        { "mask=flow_one size=5 stride=2", "black", AO_SCORE_PROB, AO_ADJUST_IP, 0 },
        { "mask=flow_one size=5 stride=4 partners=2", "blur", AO_SCORE_LOG_ODDS, AO_ADJUST_NONE,
          3 },
        { "mask=cuboid size=4 stride=2 time-size=2 time-stride=2", "black", AO_SCORE_PROB,
          AO_ADJUST_IP, 2 },
        { "mask=flow_one size=5 stride=2", "mean", AO_SCORE_LOGIT, AO_ADJUST_SIMPLE, 2 },
    };
    static const struct ao_target targets[] = { { .a = 1, .b = -1 }, { .a = 4, .b = 2 } };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct rig rig;
        double scores[256], worst = 0;
        int64_t passes = 0;
        set_up(&rig, false, cases[c].masks, cases[c].fill);
        assert_true(rig.masks->M <= 256);
        rig.clip->std[0] = rig.clip->std[1] = rig.clip->std[2] = 0.5;
        rig.a.score = cases[c].score;
        rig.options.adjust = cases[c].adjust;
        rig.options.splits = cases[c].splits;
        rig.a.target = "1,4-2";
        run(&rig.a);
        assert_int_equal(rig.a.n_results, 2);
        for (int k = 0; k < 2; k++) {
            passes += define(&rig, targets[k], scores);
            for (int m = 0; m < rig.masks->M; m++)
                worst = fmax(worst, fabs((double)rig.a.results[k].scores[m] - scores[m]));
        }
        print_message("%s, fill %s, case %zu: worst score %.1e\n", cases[c].masks, cases[c].fill, c,
                      worst);
        assert_true(worst <= FLOATS);
        assert_int_equal(rig.a.passes.forwards, passes);
        assert_int_equal(rig.a.passes.backwards, passes);
        tear_down(&rig);
    }
}

/* A group of one mask is expanded at the clip under that very mask. */
static void as_many_splits_as_masks_give_the_exact_scores(void **state)
{
    (void)state;
    struct rig rig;
    struct ao_passes passes;
    set_up(&rig, false, "mask=flow_one size=5 stride=6", "mean");
    rig.options.splits = 64;
    assert_int_equal(rig.a.method->passes(&rig.a, 1, &passes), AOSA_OK);
    assert_int_equal(passes.backwards, 1 + rig.masks->M);
    run(&rig.a);
    assert_int_equal(rig.a.passes.backwards, passes.backwards);
    assert_int_equal(rig.a.passes.forwards, passes.forwards);
    struct ao_attribution reference = exact(&rig);
    const double worst = compare_scores(&rig.a, &reference);
    print_message("worst score %.1e\n", worst);
    assert_true(rig.a.results[0].most - rig.a.results[0].least > 1000 * FLOATS);
    assert_true(worst <= FLOATS);
    ao_attribution_fini(&reference);
    tear_down(&rig);
}

static void threads_and_backends_agree(void **state)
{
    (void)state;
    struct rig one, other;
    set_up(&one, false, "mask=flow_one size=5 stride=4", "zero");
    set_up(&other, false, "mask=flow_one size=5 stride=4", "zero");
    one.options.splits = other.options.splits = 2;
    one.options.adjust = other.options.adjust = AO_ADJUST_IP;
    other.a.run.threads = 3;
    run(&one.a);
    run(&other.a);
    assert_memory_equal(one.a.results[0].scores, other.a.results[0].scores,
                        (size_t)one.masks->M * sizeof(float));
    tear_down(&other);
    const enum ao_backend backends[] = { AO_BACKEND_ONEDNN, AO_BACKEND_REFERENCE_F64 };
    for (int i = 0; i < 2; i++) {
        set_up(&other, false, "mask=flow_one size=5 stride=4", "zero");
        other.options.splits = 2;
        other.options.adjust = AO_ADJUST_IP;
        other.a.run.backend = backends[i];
        run(&other.a);
        /* Two convolutions of 81 terms below 1, in float: 81 x 6e-8 each, and a mean. */
        const double worst = compare_scores(&one.a, &other.a);
        print_message("backend %d against reference: worst score %.1e\n", (int)backends[i], worst);
        assert_true(worst <= FLOATS + 2 * 81 * 6e-8);
        tear_down(&other);
    }
    tear_down(&one);
}

static void authors_adjustment_refuses_stacked_masks(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, false, "mask=flow_one size=5 stride=8 partners=1", "zero");
    rig.options.adjust = AO_ADJUST_SIMPLE;
    rig.a.outputs = ao_alloc(CLASSES, sizeof *rig.a.outputs);
    assert_int_equal(rig.a.method->run(&rig.a), AOSA_ERR_ARGUMENT);
    assert_non_null(strstr(aosa_error_message(), "--adjust simple: the authors' form"));
    assert_non_null(strstr(aosa_error_message(), "simple-fixed"));
    tear_down(&rig);
}

static void contrast_is_the_same_map_from_its_mean(void **state)
{
    (void)state;
    struct rig rig;
    set_up(&rig, false, "size=6 stride=4", "zero");
    rig.options.accumulate = AO_ACCUMULATE_VISIBLE;
    struct ao_attribution plain = exact(&rig);
    rig.options.accumulate = AO_ACCUMULATE_CONTRAST;
    struct ao_attribution contrast = exact(&rig);
    double mean = 0;
    for (int i = 0; i < VOXELS; i++)
        mean += (double)plain.results[0].map[i] / VOXELS;
    assert_near(compare_maps(&plain, &contrast), 0, 0);
    assert_near(contrast.results[0].zero, mean, 1e-9); /* the order of a sum in double */
    assert_true(fabs(plain.results[0].zero - mean) > 1e-6);
    ao_attribution_fini(&plain);
    ao_attribution_fini(&contrast);
    tear_down(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_network_gives_the_exact_map),
        cmocka_unit_test(contrast_is_the_same_map_from_its_mean),
        cmocka_unit_test(estimates_equal_their_definition),
        cmocka_unit_test(as_many_splits_as_masks_give_the_exact_scores),
        cmocka_unit_test(threads_and_backends_agree),
        cmocka_unit_test(authors_adjustment_refuses_stacked_masks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
