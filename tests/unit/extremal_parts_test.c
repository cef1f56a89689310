/* SPDX-License-Identifier: Apache-2.0 */
/* What extremal perturbations are made of: each part against its definition in double, and its
 * adjoint against central differences. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attribution/mask_loss.h"
#include "attribution/pyramid.h"
#include "attribution/smooth_mask.h"
#include "core/rng.h"

/* cmocka compares as float; these are doubles. */
#define assert_near(a, b, bound) assert_true(fabs((double)(a) - (double)(b)) <= (bound))

static float *random_floats(uint64_t seed, size_t n, double low, double high)
{
    struct ao_rng rng;
    float *values = malloc(n * sizeof *values);
    assert_non_null(values);
    ao_rng_init(&rng, seed);
    for (size_t i = 0; i < n; i++)
        values[i] = (float)ao_rng_range(&rng, low, high);
    return values;
}

/* --------------------------------------------------------------------------------- smooth masks */

struct frame {
    int H, W, step, sigma;
};

/* Odd sizes, cells that do not divide them, windows that are not symmetric; the authors' is last.
 */
static const struct frame frames[] = {
    { 23, 31, 3, 5 }, { 20, 17, 2, 3 }, { 9, 9, 1, 1 }, { 15, 15, 5, 6 }, { 28, 28, 7, 11 }
};
enum { N_FRAMES = sizeof frames / sizeof frames[0] };

static int up(int a, int b)
{
    return (a + b - 1) / b;
}

/* The smooth maximum at a pixel of the volume, by the definition and the authors' window of cells:
 * with padding 1 + ceil(2 sigma / step) and radius 1 + ceil(sigma / step). */
static double smooth_maximum(const struct frame *f, const double *p, int uy, int ux)
{
    const int padding = 1 + up(2 * f->sigma, f->step), taps = 2 * (1 + up(f->sigma, f->step)) + 1;
    const int h = up(f->H, f->step), w = up(f->W, f->step);
    double sum = 0, weights = 0;
    for (int k = 0; k < taps * taps; k++) {
        const int iy = uy / f->step + k / taps - padding, ix = ux / f->step + k % taps - padding;
        const double dy = uy - f->sigma - f->step * iy, dx = ux - f->sigma - f->step * ix;
        const double z = sqrt(dy * dy + dx * dx) / f->sigma;
        const bool inside = iy >= 0 && iy < h && ix >= 0 && ix < w;
        const double v = inside ? p[iy * w + ix] * exp(-2 * pow(fmax(z - 0.5, 0), 2)) : 0;
        sum += v * exp(20 * v);
        weights += exp(20 * v);
    }
    return sum / weights;
}

/* Parameters of which a third each is 0, 1 or between. */
static double *parameters(size_t n, float *as_floats)
{
    float *values = random_floats(n, n, -1, 2);
    double *p = malloc(n * sizeof *p);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = (double)(as_floats[i] = fminf(1, fmaxf(0, values[i])));
    free(values);
    return p;
}

struct smooth {
    struct ao_smooth_mask mask;
    size_t cells, n;
    float *p, *m, *sums, *scratch;
    double *exact; /* p */
};

static struct smooth smooth_open(const struct frame *f)
{
    struct smooth s;
    assert_int_equal(ao_smooth_mask_init(&s.mask, f->H, f->W, f->step, f->sigma), AOSA_OK);
    s.cells = (size_t)(s.mask.grid_h * s.mask.grid_w);
    s.n = (size_t)(s.mask.rows * s.mask.cols);
    s.p = calloc(s.cells, sizeof *s.p);
    s.m = calloc(s.n, sizeof *s.m);
    s.sums = calloc(s.n, sizeof *s.sums);
    s.scratch = calloc(ao_smooth_mask_scratch(&s.mask), sizeof *s.scratch);
    assert_true(s.p && s.m && s.sums && s.scratch);
    s.exact = parameters(s.cells, s.p);
    ao_smooth_mask_frame(&s.mask, s.p, s.scratch, s.m, s.sums);
    return s;
}

static void smooth_close(struct smooth *s)
{
    free(s->p);
    free(s->m);
    free(s->sums);
    free(s->scratch);
    free(s->exact);
    ao_smooth_mask_fini(&s->mask);
}

/*
 * v is rounded to float twice, so exp(20 v) errs by 20 * 2 eps, and by 4 eps of its own; sums of up
 * to 121 positive floats by a few eps more: 50 eps of a mean of values up to 1, eps = 6e-8.
 */
static void mask_is_the_smooth_maximum_of_its_definition(void **state)
{
    (void)state;
    double worst = 0;
    for (int k = 0; k < N_FRAMES; k++) {
        struct smooth s = smooth_open(&frames[k]);
        assert_int_equal(s.mask.rows, frames[k].H + 2 * frames[k].sigma);
        for (int i = 0; i < (int)s.n; i++) {
            const double want =
                smooth_maximum(&frames[k], s.exact, i / s.mask.cols, i % s.mask.cols);
            worst = fmax(worst, fabs((double)s.m[i] - want));
            assert_true(s.m[i] >= 0 && s.m[i] <= 1 + 6e-8F * 50);
        }
        smooth_close(&s);
    }
    printf("smooth maximum: worst difference %.1e\n", worst);
    assert_true(worst < 50 * 6e-8);
}

static double weighed_mask(const struct smooth *s, const struct frame *f, const float *weights)
{
    double sum = 0;
    for (int i = 0; i < (int)s->n; i++)
        sum += (double)weights[i] * smooth_maximum(f, s->exact, i / s->mask.cols, i % s->mask.cols);
    return sum;
}

/*
 * Third derivatives of m are below 20^2 * 4, so differences with h = 1e-4 err by h^2 / 6 * 1600 =
 * 3e-6 for each of the side^2 pixels that a cell moves, with random signs; the float adjoint by 60
 * eps of each. Relative to the largest slope, some 10, both stay below 1e-5.
 */
static void mask_adjoint_is_the_central_difference(void **state)
{
    (void)state;
    double worst = 0;
    for (int k = 0; k < N_FRAMES; k++) {
        struct smooth s = smooth_open(&frames[k]);
        float *weights = random_floats(5, s.n, -1, 1), *slope = calloc(s.cells, sizeof *slope);
        double largest = 0, difference = 0;
        ao_smooth_mask_adjoint(&s.mask, s.p, s.m, s.sums, weights, s.scratch, slope);
        for (size_t c = 0; c < s.cells; c += 1 + s.cells / 20) {
            const double p = s.exact[c], h = 1e-4;
            s.exact[c] = p + h;
            const double above = weighed_mask(&s, &frames[k], weights);
            s.exact[c] = p - h;
            const double below = weighed_mask(&s, &frames[k], weights);
            s.exact[c] = p;
            largest = fmax(largest, fabs(above - below) / (2 * h));
            difference = fmax(difference, fabs((double)slope[c] - (above - below) / (2 * h)));
        }
        worst = fmax(worst, difference / largest);
        free(weights);
        free(slope);
        smooth_close(&s);
    }
    printf("adjoint of the smooth maximum: worst relative difference %.1e\n", worst);
    assert_true(worst < 1e-5);
}

/* --------------------------------------------------------------------------------------- pyramid
 */

enum { T = 3, H = 6, W = 9, VOXELS = T * H * W, ROW = W + 2, FRAME = (H + 1) * ROW };

struct clip_rig {
    struct ao_method_options options;
    struct ao_fill fill;
    struct ao_attribution a;
    struct aosa_clip *clip;
    struct ao_pyramid pyramid;
    float m[T * FRAME], slope[T * FRAME], x[3 * VOXELS], gradient[3 * VOXELS];
};

static void open_pyramid(struct clip_rig *rig, int hiding)
{
    static const struct ao_method method = { .name = "test" };
    memset(rig, 0, sizeof *rig);
    rig->options.hiding = hiding;
    rig->fill.value[1] = 0.25F;
    assert_int_equal(ao_clip_create(T, H, W, &rig->clip), AOSA_OK);
    float *values = random_floats(1, 3 * VOXELS, -2, 2);
    memcpy(rig->clip->values, values, sizeof rig->x);
    free(values);
    rig->a = (struct ao_attribution){ .method = &method,
                                      .clip = rig->clip,
                                      .fill = &rig->fill,
                                      .options = &rig->options,
                                      .run.threads = 1 };
    assert_int_equal(ao_pyramid_init(&rig->a, &rig->pyramid), AOSA_OK);
}

static void close_pyramid(struct clip_rig *rig)
{
    ao_pyramid_fini(&rig->pyramid);
    ao_clip_destroy(&rig->clip);
}

static const struct ao_shape clip_shape = { .rank = 4, .dims = { 3, T, H, W } };

static const float *changed(struct clip_rig *rig, bool inverse)
{
    const struct ao_seen seen = { rig->m, ROW, FRAME, inverse };
    const struct ao_view view = ao_view_dense(rig->x, AO_F32, &clip_shape);
    ao_pyramid_write(&rig->pyramid, &seen, &view);
    return rig->x;
}

static void ends_of_the_pyramid_are_the_clip_and_what_hides_it(void **state)
{
    (void)state;
    struct clip_rig rig;
    for (int hiding = AO_HIDING_BLUR; hiding <= AO_HIDING_FADE; hiding++) {
        open_pyramid(&rig, hiding);
        assert_memory_equal(changed(&rig, true), rig.clip->values, sizeof rig.x);
        assert_memory_equal(changed(&rig, false), rig.pyramid.hidden, sizeof rig.x);
        if (hiding == AO_HIDING_FADE)
            assert_near(rig.x[VOXELS], 0.25, 0);
        for (int i = 0; i < T * FRAME; i++)
            rig.m[i] = 1;
        assert_memory_equal(changed(&rig, false), rig.clip->values, sizeof rig.x);
        close_pyramid(&rig);
    }
}

static double weighed_clip(struct clip_rig *rig, bool inverse)
{
    double sum = 0;
    changed(rig, inverse);
    for (int i = 0; i < 3 * VOXELS; i++)
        sum += (double)rig->gradient[i] * (double)rig->x[i];
    return sum;
}

/* x is linear in m between levels, so differences err by the roundings of three floats up to 3 in
 * x, over 2h = 1/16: 3 * 3 * 6e-8 * 16 < 1e-5, and those of m, 6e-8 * 7 * 6 * 3 * 16 * 2 < 3e-4. */
static void pyramid_adjoint_is_the_central_difference(void **state)
{
    (void)state;
    struct clip_rig rig;
    double worst = 0;
    for (int kind = 0; kind < 4; kind++) {
        const bool inverse = kind % 2;
        open_pyramid(&rig, kind / 2);
        const int steps = rig.pyramid.levels - 1;
        float *part = random_floats(3, T * FRAME, 0.3, 0.7),
              *g = random_floats(4, 3 * VOXELS, -1, 1);
        memcpy(rig.gradient, g, sizeof rig.gradient);
        for (int i = 0; i < T * FRAME; i++)
            rig.m[i] = ((float)(i % steps) + part[i]) / (float)steps;
        const struct ao_seen seen = { rig.m, ROW, FRAME, inverse };
        const struct ao_view view = ao_view_dense(rig.gradient, AO_F32, &clip_shape);
        ao_pyramid_adjoint(&rig.pyramid, &seen, &view, rig.slope);
        for (int i = 0; i < VOXELS; i++) {
            const int at = i / W / H * FRAME + i / W % H * ROW + i % W;
            const float m = rig.m[at], h = 0.03125F; /* below 0.3 / 7 */
            rig.m[at] = m + h;
            const double above = weighed_clip(&rig, inverse);
            rig.m[at] = m - h;
            const double below = weighed_clip(&rig, inverse);
            rig.m[at] = m;
            worst = fmax(worst, fabs((double)rig.slope[at] - (above - below) / (2 * (double)h)));
        }
        free(part);
        free(g);
        close_pyramid(&rig);
    }
    printf("adjoint of the pyramid: worst difference %.1e\n", worst);
    assert_true(worst < 3e-4);
}

/* ---------------------------------------------------------------------------------------- losses
 */

static int by_value(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void area_loss_is_that_of_the_sorted_mask(void **state)
{
    (void)state;
    enum { N = 4001 };
    static const size_t ones[] = { 0, 1, 400, N - 1, N };
    float *v = random_floats(7, N, -0.5, 1.2), sorted[N], scratch[N], slope[N];
    for (int i = 0; i < N; i++) /* many ties at both ends */
        v[i] = fminf(1, fmaxf(0, v[i]));
    memcpy(sorted, v, sizeof sorted);
    qsort(sorted, N, sizeof *sorted, by_value);
    for (size_t k = 0; k < sizeof ones / sizeof ones[0]; k++) {
        double want = 0;
        for (size_t i = 0; i < N; i++) {
            const double s = (double)sorted[i];
            want += i >= N - ones[k] ? 0.75 * (s - 1) * (s - 1) : 0.5 * s * s;
        }
        memset(slope, 0, sizeof slope);
        /* Two sums of 4001 doubles below 1 in other orders. */
        assert_near(ao_ranked_loss(v, N, ones[k], 0.75, 0.5, scratch, slope), want,
                    2 * N * 2.3e-16 * N);
    }
    free(v);
}

/* Squares: central differences err by rounding only, of the slope to float and of sums over 2e-5.
 */
static void area_slope_is_the_central_difference(void **state)
{
    (void)state;
    enum { N = 200 };
    float *v = random_floats(8, N, 0, 1), scratch[N], slope[N] = { 0 }, unused[N];
    ao_ranked_loss(v, N, 60, 0.75, 0.5, scratch, slope);
    for (int i = 0; i < N; i++) {
        const float value = v[i];
        const double h = 1e-5; /* the 60th and the 61st are further apart */
        v[i] = (float)((double)value + h);
        const double up_by = (double)v[i],
                     above = ao_ranked_loss(v, N, 60, 0.75, 0.5, scratch, unused);
        v[i] = (float)((double)value - h);
        const double below = ao_ranked_loss(v, N, 60, 0.75, 0.5, scratch, unused);
        assert_near(slope[i], (above - below) / (up_by - (double)v[i]), 1e-6);
        v[i] = value;
    }
    free(v);
}

/* Three of four equal values, one of which counts as one: each has a third of its slope. */
static void ties_share_the_last_place(void **state)
{
    (void)state;
    const float v[] = { 0.5F, 0.5F, 0.25F, 0.5F };
    float scratch[4], slope[4] = { 0 };
    const double loss = ao_ranked_loss(v, 4, 1, 1, 1, scratch, slope);
    assert_near(loss, 0.25 + 2 * 0.25 + 0.0625, 1e-15);
    for (int i = 0; i < 4; i++)
        assert_near(slope[i], i == 2 ? 0.5 : 2 * (-0.5 + 2 * 0.5) / 3, 1e-7);
}

enum { ET = 6, EROWS = 13, ECOLS = 17, EN = ET * EROWS * ECOLS };

/* The mean inside an ellipsoid of 5 x 4 x 4 voxels, by distances. */
static double ellipsoid_mean(const float *mask, int t0, int y0, int x0)
{
    double sum = 0;
    int n = 0;
    for (int i = 0; i < 5 * 4 * 4; i++) {
        const int t = i / 16, y = i / 4 % 4, x = i % 4;
        const double dt = (t - 2) / 2.0, dy = (y - 1.5) / 1.5, dx = (x - 1.5) / 1.5;
        if (dt * dt + dy * dy + dx * dx <= 1.000001) {
            sum += (double)mask[((t0 + t) * EROWS + y0 + y) * ECOLS + x0 + x];
            n++;
        }
    }
    return sum / n;
}

static void ellipsoid_loss_is_that_of_its_definition(void **state)
{
    (void)state;
    struct ao_ellipsoids e;
    float *mask = random_floats(9, EN, 0, 1), means[2 * 3 * 4], slope[EN] = { 0 };
    assert_int_equal(ao_ellipsoids_init(&e, ET, EROWS, ECOLS, 5, 4), AOSA_OK);
    assert_int_equal(e.n_t * e.n_y * e.n_x, 24);
    for (int k = 0; k < 24; k++)
        means[k] = (float)ellipsoid_mean(mask, k / 12, k / 4 % 3 * 4, k % 4 * 4);
    qsort(means, 24, sizeof *means, by_value);
    /* 0.1 of the volume over int(5 * 4 * 4 * 0.5236) = 41 voxels, rounded up: 4 ellipsoids. */
    double top = 0, rest = 0;
    for (int k = 0; k < 24; k++) {
        const double r = (double)means[k];
        *(k >= 20 ? &top : &rest) += k >= 20 ? (r - 1) * (r - 1) / 4 : r * r / 20;
    }
    /* 24 means, rounded to float, of squares below 1. */
    assert_near(ao_ellipsoids_loss(&e, mask, 0.1, 3, slope), 3 * (top + rest), 3 * 4 * 6e-8);
    ao_ellipsoids_fini(&e);
    free(mask);
}

/* Quadratic: differences err by rounding of means, 6e-8 / h = 6e-5 each, of which a voxel's share
 * in the loss is a 32nd. */
static void ellipsoid_slope_is_the_central_difference(void **state)
{
    (void)state;
    struct ao_ellipsoids e;
    float *mask = random_floats(9, EN, 0, 1), slope[EN] = { 0 },
          *unused = calloc(EN, sizeof *unused);
    double worst = 0, largest = 0;
    assert_int_equal(ao_ellipsoids_init(&e, ET, EROWS, ECOLS, 5, 4), AOSA_OK);
    ao_ellipsoids_loss(&e, mask, 0.1, 300, slope);
    for (int i = 0; i < EN; i++) {
        const float value = mask[i], h = 0.0078125F;
        mask[i] = value + h;
        const double up_by = (double)mask[i],
                     above = ao_ellipsoids_loss(&e, mask, 0.1, 300, unused);
        mask[i] = value - h;
        const double below = ao_ellipsoids_loss(&e, mask, 0.1, 300, unused);
        const double difference = (above - below) / (up_by - (double)mask[i]);
        worst = fmax(worst, fabs((double)slope[i] - difference));
        largest = fmax(largest, fabs(difference));
        mask[i] = value;
    }
    printf("slope of the ellipsoids: worst difference %.1e of %.2f\n", worst, largest);
    assert_true(worst < 2e-4 * largest);
    ao_ellipsoids_fini(&e);
    free(unused);
    free(mask);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mask_is_the_smooth_maximum_of_its_definition),
        cmocka_unit_test(mask_adjoint_is_the_central_difference),
        cmocka_unit_test(ends_of_the_pyramid_are_the_clip_and_what_hides_it),
        cmocka_unit_test(pyramid_adjoint_is_the_central_difference),
        cmocka_unit_test(area_loss_is_that_of_the_sorted_mask),
        cmocka_unit_test(area_slope_is_the_central_difference),
        cmocka_unit_test(ties_share_the_last_place),
        cmocka_unit_test(ellipsoid_loss_is_that_of_its_definition),
        cmocka_unit_test(ellipsoid_slope_is_the_central_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
