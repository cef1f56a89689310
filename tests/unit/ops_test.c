/* SPDX-License-Identifier: Apache-2.0 */
#include "support/one_node.h"

#include "core/rng.h"

/*
 * Values of the operators that compute. Every case runs over row-major, channels-last and scattered
 * views, in float and in double; a case without a bound of its own stores exact small numbers.
 */

/* A float result is the exact one rounded once: half a unit in the last place of `size`. */
static double rounding(double size)
{
    return size * 0x1p-24;
}

static void fill(struct ao_rng *rng, float *values, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        values[i] = (float)ao_rng_range(rng, -1, 1);
}

/* A convolution to compare with; spatial axes t, y, x. */
struct layer {
    int64_t n, c, m, group, in[3], kernel[3], stride[3], dilation[3], lo[3], hi[3], out[3];
};

static float value_at(const struct layer *l, const float *x, int64_t n, int64_t c, const int64_t *p)
{
    for (int d = 0; d < 3; d++)
        if (p[d] < 0 || p[d] >= l->in[d])
            return 0;
    return x[(((n * l->c + c) * l->in[0] + p[0]) * l->in[1] + p[1]) * l->in[2] + p[2]];
}

/* One output by the definition; *size grows to the sum of the absolute terms. */
static double conv_output(const struct layer *l, const float *x, const float *w, int64_t n,
                          int64_t m, const int64_t *o, double *size)
{
    const int64_t depth = l->c / l->group, first = m / (l->m / l->group) * depth;
    double sum = 0, terms = 0;
    for (int64_t c = 0; c < depth; c++)
        for (int64_t kt = 0; kt < l->kernel[0]; kt++)
            for (int64_t ky = 0; ky < l->kernel[1]; ky++)
                for (int64_t kx = 0; kx < l->kernel[2]; kx++) {
                    const int64_t k[3] = { kt, ky, kx };
                    int64_t p[3];
                    for (int d = 0; d < 3; d++)
                        p[d] = o[d] * l->stride[d] - l->lo[d] + k[d] * l->dilation[d];
                    const int64_t at =
                        (((m * depth + c) * l->kernel[0] + kt) * l->kernel[1] + ky) * l->kernel[2] +
                        kx;
                    const double term = (double)w[at] * (double)value_at(l, x, n, first + c, p);
                    sum += term;
                    terms += fabs(term);
                }
    *size = fmax(*size, terms);
    return sum;
}

static int64_t volume(const int64_t *dims)
{
    return dims[0] * dims[1] * dims[2];
}

static void check_layer(struct ao_rng *rng, struct layer l, int rank, bool with_bias)
{
    for (int d = 0; d < 3; d++)
        l.out[d] =
            (l.in[d] + l.lo[d] + l.hi[d] - (l.kernel[d] - 1) * l.dilation[d] - 1) / l.stride[d] + 1;
    const int64_t n_x = l.n * l.c * volume(l.in), n_w = l.m * l.c / l.group * volume(l.kernel);
    const int64_t n_y = l.n * l.m * volume(l.out);
    float *x = malloc((size_t)n_x * sizeof *x), *w = malloc((size_t)n_w * sizeof *w), bias[16];
    double *want = malloc((size_t)n_y * sizeof *want), size = 0;
    assert_true(x && w && want && l.m <= 16);
    fill(rng, x, n_x);
    fill(rng, w, n_w);
    fill(rng, bias, 16);
    double *at = want;
    int64_t o[3];
    for (int64_t n = 0; n < l.n; n++)
        for (int64_t m = 0; m < l.m; m++)
            for (o[0] = 0; o[0] < l.out[0]; o[0]++)
                for (o[1] = 0; o[1] < l.out[1]; o[1]++)
                    for (o[2] = 0; o[2] < l.out[2]; o[2]++)
                        *at++ = conv_output(&l, x, w, n, m, o, &size) +
                                (with_bias ? (double)bias[m] : 0);

    const int skip = 3 - rank;
    struct ao_shape xs = SHAPE(l.n, l.c), ws = SHAPE(l.m, l.c / l.group), ys = SHAPE(l.n, l.m);
    int64_t pads[6];
    for (int i = 0; i < rank; i++) {
        xs.dims[xs.rank++] = l.in[skip + i];
        ws.dims[ws.rank++] = l.kernel[skip + i];
        ys.dims[ys.rank++] = l.out[skip + i];
        pads[i] = l.lo[skip + i];
        pads[rank + i] = l.hi[skip + i];
    }
    struct rig rig;
    rig_init(&rig, "Conv", 1);
    rig_f32(&rig, xs, x);
    rig_f32(&rig, ws, w);
    rig_f32(&rig, SHAPE(l.m), with_bias ? bias : NULL);
    rig_attr_ints(&rig, "strides", rank, l.stride + skip);
    rig_attr_ints(&rig, "dilations", rank, l.dilation + skip);
    rig_attr_ints(&rig, "pads", 2 * rank, pads);
    rig_attr_int(&rig, "group", l.group);
    /* One rounding to float, and two sums of up to n terms in double, either within n eps size. */
    const double terms = (double)(l.c / l.group * volume(l.kernel) + 1);
    rig_gives(&rig, ys, want, rounding(size + 1) + 2 * terms * 0x1p-53 * (size + 1));
    free(x);
    free(w);
    free(want);
}

static int64_t pick(struct ao_rng *rng, int64_t lo, int64_t hi)
{
    return lo + (int64_t)ao_rng_below(rng, (uint64_t)(hi - lo + 1));
}

static void conv_equals_its_definition(void **state)
{
    (void)state;
    struct ao_rng rng;
    ao_rng_init(&rng, 7);
    for (int i = 0; i < 60; i++) {
        const int rank = (int)pick(&rng, 1, 3);
        const int64_t group = pick(&rng, 1, 3);
        struct layer l = { .n = pick(&rng, 1, 2),
                           .c = group * pick(&rng, 1, 3),
                           .m = group * pick(&rng, 1, 5),
                           .group = group };
        for (int d = 0; d < 3; d++) {
            const bool present = d >= 3 - rank;
            l.kernel[d] = present ? pick(&rng, 1, 3) : 1;
            l.stride[d] = present ? pick(&rng, 1, 3) : 1;
            l.dilation[d] = present ? pick(&rng, 1, 2) : 1;
            l.lo[d] = present ? pick(&rng, 0, 2) : 0;
            l.hi[d] = present ? pick(&rng, 0, 2) : 0;
            l.in[d] = present ? pick(&rng, 5, 9) : 1;
        }
        check_layer(&rng, l, rank, i % 2);
    }
}

static void deep_and_wide_convs_cross_the_tiles(void **state)
{
    (void)state;
    struct ao_rng rng;
    ao_rng_init(&rng, 8);
    /* 540 terms need two blocks of depth, 100 positions two tiles, 13 channels four panels. */
    const struct layer deep = { .n = 1,
                                .c = 20,
                                .m = 13,
                                .group = 1,
                                .in = { 4, 5, 5 },
                                .kernel = { 3, 3, 3 },
                                .stride = { 1, 1, 1 },
                                .dilation = { 1, 1, 1 },
                                .lo = { 1, 1, 1 },
                                .hi = { 1, 1, 1 } };
    const struct layer depthwise = { .n = 2,
                                     .c = 15,
                                     .m = 15,
                                     .group = 15,
                                     .in = { 3, 9, 9 },
                                     .kernel = { 1, 3, 3 },
                                     .stride = { 1, 2, 2 },
                                     .dilation = { 1, 1, 1 },
                                     .lo = { 0, 0, 0 },
                                     .hi = { 0, 1, 1 } };
    check_layer(&rng, deep, 3, true);
    check_layer(&rng, depthwise, 3, false);
}

static void auto_pad_of_conv(void **state)
{
    (void)state;
    static const float x[] = { 1, 2, 3, 4, 5 }, w[] = { 1, 10, 100, 1000 };
    /* Stride 2 over 5 gives 3; 3 elements of padding, the odd one at the end or the start. */
    static const double upper[] = { 3210, 5432, 54 }, lower[] = { 2100, 4321, 543 };
    const double *const want[] = { upper, lower };
    static const char *const modes[] = { "SAME_UPPER", "SAME_LOWER" };
    for (int i = 0; i < 2; i++) {
        struct rig rig;
        rig_init(&rig, "Conv", 1);
        rig_f32(&rig, SHAPE(1, 1, 5), x);
        rig_f32(&rig, SHAPE(1, 1, 4), w);
        rig_attr_text(&rig, "auto_pad", modes[i]);
        RIG_ATTR_INTS(&rig, "strides", 2);
        rig_gives(&rig, SHAPE(1, 1, 3), want[i], 0);
    }
}

static const float ramp[25] = { 1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13,
                                14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25 };

static void max_pool_with_padding_stride_and_dilation(void **state)
{
    (void)state;
    struct rig rig;
    static const double padded[] = { 7, 9, 10, 17, 19, 20, 22, 24, 25 };
    rig_init(&rig, "MaxPool", 1);
    rig_f32(&rig, SHAPE(1, 1, 5, 5), ramp);
    RIG_ATTR_INTS(&rig, "kernel_shape", 3, 3);
    RIG_ATTR_INTS(&rig, "strides", 2, 2);
    RIG_ATTR_INTS(&rig, "pads", 1, 1, 1, 1);
    rig_gives(&rig, SHAPE(1, 1, 3, 3), padded, 0);

    static const double dilated[] = { 13, 14, 15, 18, 19, 20, 23, 24, 25 };
    rig_init(&rig, "MaxPool", 1);
    rig_f32(&rig, SHAPE(1, 1, 5, 5), ramp);
    RIG_ATTR_INTS(&rig, "kernel_shape", 2, 2);
    RIG_ATTR_INTS(&rig, "dilations", 2, 2);
    rig_gives(&rig, SHAPE(1, 1, 3, 3), dilated, 0);
}

static void padding_of_max_pool_is_below_every_number(void **state)
{
    (void)state;
    static const float x[] = { -5, -7 };
    static const double want[] = { -5, -5, -7 };
    struct rig rig;
    rig_init(&rig, "MaxPool", 1);
    rig_f32(&rig, SHAPE(1, 1, 2), x);
    RIG_ATTR_INTS(&rig, "kernel_shape", 2);
    RIG_ATTR_INTS(&rig, "pads", 1, 1);
    rig_gives(&rig, SHAPE(1, 1, 3), want, 0);
}

static void max_pool_keeps_nan(void **state)
{
    (void)state;
    const float x[] = { 1, NAN, 3, 2 };
    const double want[] = { (double)NAN, (double)NAN, 3 };
    struct rig rig;
    rig_init(&rig, "MaxPool", 1);
    rig_f32(&rig, SHAPE(1, 1, 4), x);
    RIG_ATTR_INTS(&rig, "kernel_shape", 2);
    rig_gives(&rig, SHAPE(1, 1, 3), want, 0);
}

static void ceil_mode_drops_a_window_that_begins_in_the_padding(void **state)
{
    (void)state;
    static const float x[] = { 1, 2, 3, 4 };
    struct rig rig;
    /* Windows begin at -1, 1 and 3; the last one reads one element and one beyond the padding. */
    static const double partial[] = { 1, 3, 4 };
    rig_init(&rig, "MaxPool", 1);
    rig_f32(&rig, SHAPE(1, 1, 4), x);
    RIG_ATTR_INTS(&rig, "kernel_shape", 2);
    RIG_ATTR_INTS(&rig, "strides", 2);
    RIG_ATTR_INTS(&rig, "pads", 1, 0);
    rig_attr_int(&rig, "ceil_mode", 1);
    rig_gives(&rig, SHAPE(1, 1, 3), partial, 0);

    /* One window of stride 3 would begin at 5 - 1 = 4, behind the input. */
    static const double whole[] = { 1, 4 };
    rig_init(&rig, "MaxPool", 1);
    rig_f32(&rig, SHAPE(1, 1, 4), x);
    RIG_ATTR_INTS(&rig, "kernel_shape", 2);
    RIG_ATTR_INTS(&rig, "strides", 3);
    RIG_ATTR_INTS(&rig, "pads", 1, 1);
    rig_attr_int(&rig, "ceil_mode", 1);
    rig_gives(&rig, SHAPE(1, 1, 2), whole, 0);
}

static void average_pool_counts_padding_only_when_asked(void **state)
{
    (void)state;
    static const float x[] = { 4, 8, 12 };
    static const double inside[] = { 4, 6, 10, 12 }, all[] = { 2, 6, 10, 6 };
    for (int include = 0; include < 2; include++) {
        struct rig rig;
        rig_init(&rig, "AveragePool", 1);
        rig_f32(&rig, SHAPE(1, 1, 3), x);
        RIG_ATTR_INTS(&rig, "kernel_shape", 2);
        RIG_ATTR_INTS(&rig, "pads", 1, 1);
        rig_attr_int(&rig, "count_include_pad", include);
        rig_gives(&rig, SHAPE(1, 1, 4), include ? all : inside, 0);
    }
}

static void average_pool_never_counts_what_ceil_mode_adds(void **state)
{
    (void)state;
    static const float x[] = { 2, 4, 6, 8 };
    /* Windows of 3 from 0 and 2; the second reads 6, 8 and one element behind everything. */
    static const double want[] = { 4, 7 };
    struct rig rig;
    rig_init(&rig, "AveragePool", 1);
    rig_f32(&rig, SHAPE(1, 1, 4), x);
    RIG_ATTR_INTS(&rig, "kernel_shape", 3);
    RIG_ATTR_INTS(&rig, "strides", 2);
    rig_attr_int(&rig, "ceil_mode", 1);
    rig_attr_int(&rig, "count_include_pad", 1);
    rig_gives(&rig, SHAPE(1, 1, 2), want, 0);
}

static void global_pools_see_the_whole_extent(void **state)
{
    (void)state;
    static const float x[] = { 1, 2, 3, 6, 10, 20, 30, 60 };
    static const double mean[] = { 3, 30 }, max[] = { 6, 60 };
    struct rig rig;
    rig_init(&rig, "GlobalAveragePool", 1);
    rig_f32(&rig, SHAPE(1, 2, 1, 2, 2), x);
    rig_gives(&rig, SHAPE(1, 2, 1, 1, 1), mean, 0);
    rig_init(&rig, "GlobalMaxPool", 1);
    rig_f32(&rig, SHAPE(2, 1, 4), x);
    rig_gives(&rig, SHAPE(2, 1, 1), max, 0);
}

/* y = f(x) at a few points; the wanted numbers were computed with 20 digits elsewhere. */
struct curve {
    const char *type;
    double want[5]; /* at -2, -0.5, 0, 0.5, 3 */
};

static const struct curve curves[] = {
    { "Relu", { 0, 0, 0, 0.5, 3 } },
    { "Sigmoid",
      { 0.11920292202211756, 0.37754066879814544, 0.5, 0.62245933120185456, 0.95257412682243322 } },
    { "Tanh",
      { -0.96402758007581688, -0.46211715726000976, 0, 0.46211715726000976, 0.99505475368673045 } },
    { "Exp",
      { 0.13533528323661269, 0.60653065971263342, 1, 1.6487212707001281, 20.085536923187668 } },
    { "Erf",
      { -0.99532226501895273, -0.52049987781304654, 0, 0.52049987781304654, 0.99997790950300141 } },
    { "Softplus",
      { 0.12692801104297250, 0.47407698418010669, 0.69314718055994531, 0.97407698418010669,
        3.0485873515737420 } },
    { "HardSigmoid", { 0.1, 0.4, 0.5, 0.6, 1 } },
    { "HardSwish", { -1. / 3, -0.5 * (0.5 - 0.5 / 6), 0, 0.5 * (0.5 + 0.5 / 6), 3 } },
    { "LeakyRelu", { -0.02, -0.005, 0, 0.5, 3 } },
    { "Elu", { -0.86466471676338731, -0.39346934028736658, 0, 0.5, 3 } },
    { "Gelu",
      { -0.045500263896358414, -0.15426876936299344, 0, 0.34573123063700656, 2.9959503059059985 } },
    { "Neg", { 2, 0.5, 0, -0.5, -3 } },
    { "Abs", { 2, 0.5, 0, 0.5, 3 } },
    { "Floor", { -2, -1, 0, 0, 3 } },
    { "Ceil", { -2, 0, 0, 1, 3 } },
    { "Identity", { -2, -0.5, 0, 0.5, 3 } },
    { "Dropout", { -2, -0.5, 0, 0.5, 3 } },
};

static void pointwise_curves(void **state)
{
    (void)state;
    static const float x[] = { -2, -0.5, 0, 0.5, 3 };
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
        struct rig rig;
        rig_init(&rig, curves[i].type, 1);
        rig_f32(&rig, SHAPE(1, 5), x);
        /* alpha and beta default to float attributes: 0.2 and 0.01 carry a rounding of their own.
         */
        rig_gives(&rig, SHAPE(1, 5), curves[i].want, 2 * rounding(21));
    }
}

static void pointwise_curves_of_positive_numbers(void **state)
{
    (void)state;
    static const float x[] = { 0.25, 1, 4 };
    static const double logarithm[] = { -1.3862943611198906, 0, 1.3862943611198906 };
    static const double root[] = { 0.5, 1, 2 }, inverse[] = { 4, 1, 0.25 };
    const double *const want[] = { logarithm, root, inverse };
    static const char *const types[] = { "Log", "Sqrt", "Reciprocal" };
    for (int i = 0; i < 3; i++) {
        struct rig rig;
        rig_init(&rig, types[i], 1);
        rig_f32(&rig, SHAPE(3), x);
        rig_gives(&rig, SHAPE(3), want[i], rounding(2));
    }
}

static void gelu_by_tanh(void **state)
{
    (void)state;
    static const float x[] = { -2, 0.5 };
    /* 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
    static const double want[] = { -0.045402305912225866, 0.34571400982514394 };
    struct rig rig;
    rig_init(&rig, "Gelu", 1);
    rig_f32(&rig, SHAPE(2), x);
    rig_attr_text(&rig, "approximate", "tanh");
    rig_gives(&rig, SHAPE(2), want, rounding(2));
}

static void sigmoid_does_not_overflow(void **state)
{
    (void)state;
    static const float x[] = { -1000, 1000 };
    static const double want[] = { 0, 1 };
    struct rig rig;
    rig_init(&rig, "Sigmoid", 1);
    rig_f32(&rig, SHAPE(2), x);
    rig_gives(&rig, SHAPE(2), want, 0);
}

static void clip_with_and_without_bounds(void **state)
{
    (void)state;
    static const float x[] = { -9, 0, 9 }, low = -1, high = 6;
    static const double both[] = { -1, 0, 6 }, upper[] = { -9, 0, 6 }, none[] = { -9, 0, 9 };
    struct rig rig;
    rig_init(&rig, "Clip", 1);
    rig_f32(&rig, SHAPE(3), x);
    rig_in(&rig, AO_F32, SHAPE_NUMBER, &low, true);
    rig_in(&rig, AO_F32, SHAPE_NUMBER, &high, true);
    rig_gives(&rig, SHAPE(3), both, 0);
    rig_init(&rig, "Clip", 1);
    rig_f32(&rig, SHAPE(3), x);
    rig_in(&rig, AO_F32, SHAPE_NUMBER, NULL, true);
    rig_in(&rig, AO_F32, SHAPE_NUMBER, &high, true);
    rig_gives(&rig, SHAPE(3), upper, 0);
    rig_init(&rig, "Clip", 1);
    rig_f32(&rig, SHAPE(3), x);
    rig_gives(&rig, SHAPE(3), none, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_equals_its_definition),
        cmocka_unit_test(deep_and_wide_convs_cross_the_tiles),
        cmocka_unit_test(auto_pad_of_conv),
        cmocka_unit_test(max_pool_with_padding_stride_and_dilation),
        cmocka_unit_test(padding_of_max_pool_is_below_every_number),
        cmocka_unit_test(max_pool_keeps_nan),
        cmocka_unit_test(ceil_mode_drops_a_window_that_begins_in_the_padding),
        cmocka_unit_test(average_pool_counts_padding_only_when_asked),
        cmocka_unit_test(average_pool_never_counts_what_ceil_mode_adds),
        cmocka_unit_test(global_pools_see_the_whole_extent),
        cmocka_unit_test(pointwise_curves),
        cmocka_unit_test(pointwise_curves_of_positive_numbers),
        cmocka_unit_test(gelu_by_tanh),
        cmocka_unit_test(sigmoid_does_not_overflow),
        cmocka_unit_test(clip_with_and_without_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
