/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "kernels/kernels.h"
#include "support/delta_scene.h"

/* The delta walk against full runs in double on random networks; see support/delta_scene.h. */

/* Enough channels and changed inputs that Winograd's tiles pay, on every axis and on some. */
static void winograd_networks_agree_too(void **state)
{
    static const int64_t kernels[][3] = { { 3, 3, 3 }, { 1, 3, 3 }, { 3, 1, 1 }, { 3, 1, 3 } };
    double worst = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct net net;
        net_begin(&net, seed);
        net_conv_same(&net, 40);
        net_append_unary(&net, "Relu");
        for (int layer = 0; layer < 3; layer++) {
            const int64_t *kernel = kernels[(seed + (uint64_t)layer) % 4];
            struct wire attrs = { 0 };
            int64_t pads[6];
            for (int d = 0; d < 3; d++) {
                pads[d] = kernel[d] == 3 ? net_pick(&net, 0, 2) : 0;
                pads[3 + d] = kernel[d] == 3 ? net_pick(&net, 1, 2) : 0;
                net.dims[d] += (int)(pads[d] + pads[3 + d] - kernel[d] + 1);
            }
            attr_ints(&attrs, "pads", 6, pads);
            net_finish_conv(&net, net.n, 33 + 7 * layer, 1, kernel, &attrs);
            net_append_unary(&net, "Relu");
        }
        net_skip_add(&net);
        net_head(&net, seed % 2 == 0, false);
        worst = fmax(worst, scene_check(&net, seed));
        assert_true(worst <= SCENE_TOLERANCE);
    }
    printf("8 networks of Winograd layers: worst error %.3g of the largest difference\n", worst);
}

/* MaxPool that leaves NET_T x NET_H x NET_W positions, as far as one window can. */
static void shrink(struct net *net, int frames, int height, int width)
{
    const int to[3] = { frames, height, width };
    int64_t kernel[3];
    struct wire attrs = { 0 };
    char in[16];
    for (int d = 0; d < 3; d++) {
        kernel[d] = net->dims[d] - to[d] + 1;
        net->dims[d] = to[d];
    }
    attr_ints(&attrs, "kernel_shape", 3, kernel);
    snprintf(in, sizeof in, "v%d", net->n);
    net_append(net, "MaxPool", in, &attrs);
}

/*
 * Axes of two positions have a form of their own, of one position only the middle tap counts, and
 * layers of more than 2 MiB of weights keep one form.
 */
static void short_axes_and_large_layers_agree_too(void **state)
{
    static const int sizes[][3] = { { 2, 7, 5 }, { 1, 2, 4 }, { 2, 2, 1 }, { 2, 5, 4 } };
    double worst = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct net net;
        net_begin(&net, seed);
        net_conv_same(&net, 24);
        net_append_unary(&net, "Relu");
        shrink(&net, sizes[seed][0], sizes[seed][1], sizes[seed][2]);
        net_conv_same(&net, seed == 3 ? 128 : 40);
        net_append_unary(&net, "Relu");
        net_conv_same(&net, seed == 3 ? 160 : 33);
        net_append_unary(&net, "Relu");
        net_conv_same(&net, 24);
        net_head(&net, seed % 2 == 0, false);
        worst = fmax(worst, scene_check(&net, seed));
        assert_true(worst <= SCENE_TOLERANCE);
    }
    printf("4 networks of short axes: worst error %.3g of the largest difference\n", worst);
}

static void random_networks_agree_with_dense_runs_in_double(void **state)
{
    double worst = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct net net;
        net_draw(&net, seed);
        const double error = scene_check(&net, seed);
        worst = fmax(worst, error);
        if (!(error <= SCENE_TOLERANCE))
            fail_msg("seed %d: error %.3g of the largest difference", (int)seed, error);
    }
    printf("60 random networks: worst error %.3g of the largest difference\n", worst);
}

static void the_plain_kernels_agree_too(void **state)
{
    const enum ao_isa best = ao_kernels_isa();
    (void)state;
    ao_kernels_limit(AO_ISA_C);
    for (uint64_t seed = 100; seed < 106; seed++) {
        struct net net;
        net_draw(&net, seed);
        assert_true(scene_check(&net, seed) <= SCENE_TOLERANCE);
    }
    ao_kernels_limit(best);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_networks_agree_with_dense_runs_in_double),
        cmocka_unit_test(winograd_networks_agree_too),
        cmocka_unit_test(short_axes_and_large_layers_agree_too),
        cmocka_unit_test(the_plain_kernels_agree_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
