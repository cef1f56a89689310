/* SPDX-License-Identifier: Apache-2.0 */
#include "support/double_run.h"
#include "support/random_net.h"

/* Backward passes of random networks. */

/* Layers of random_net.h, then smooth gates, so that more than ReLU bends. */
static void gated_net(struct net *net, uint64_t seed)
{
    net_random(net, seed);
    const int x = net->graph.outputs[0];
    const int gate = net_unary(net, "Sigmoid", net_unary(net, "GlobalAveragePool", x));
    net->graph.n_outputs = 0;
    net_output(net, net_head(net, net_binary(net, "Mul", x, gate)));
    net_finish(net);
}

/*
 * <J v, u> by a central difference of step h = 2^-20 and <v, J' u>, in double. The difference has
 * an error of eps S / h, with S = sum |u y| below 1e3 here: 2e-7, and of h^2 times third
 * derivatives, which is less; a kink that lies between x - h v and x + h v would show as an error
 * near h / h = 1 times a unit's share. 1e-6 of |v| |J' u|, or of 1 where that is less.
 */
static void random_networks_keep_the_inner_product(void **state)
{
    (void)state;
    const double h = 0x1p-20;
    double worst = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct net net;
        gated_net(&net, seed);
        const int64_t n = count_of(&net.graph, net.graph.inputs[0]);
        double *x = random_values(&net.rng, n), *v = random_values(&net.rng, n);
        double *u = random_values(&net.rng, 7);
        struct ao_gradient *gradient =
            gradient_of(&net.graph, &(struct ao_gradient_options){ .clip = true });
        struct pass pass = gradient_run(gradient, AO_BACKEND_REFERENCE_F64, x, NULL, u);
        int64_t n_g;
        double *g = take(&pass, gradient->clip_output, &n_g);
        assert_int_equal(n_g, n);
        pass_close(&pass);
        const double want = dot(v, g, n), scale = sqrt(dot(v, v, n) * dot(g, g, n));
        struct pass forward = pass_open(&net.graph, AO_BACKEND_REFERENCE_F64, 1);
        const double slope = slope_of(&forward, x, v, h, u, n);
        pass_close(&forward);
        const double error = fabs(slope - want) / fmax(scale, 1);
        worst = error <= worst ? worst : error;
        ao_gradient_destroy(&gradient);
        free(x);
        free(v);
        free(u);
        free(g);
        ao_graph_fini(&net.graph);
    }
    print_message("worst %.2e\n", worst);
    assert_true(worst <= 1e-6);
}

/* The same sums in the same order for every clip of a batch: equal bits. */
static void a_batch_gives_each_clip_its_own_gradient(void **state)
{
    (void)state;
    int checked = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct net net;
        gated_net(&net, seed);
        struct ao_gradient *gradient =
            gradient_of(&net.graph, &(struct ao_gradient_options){ .clip = true });
        assert_int_equal(gradient->graph.batchable, net.graph.batchable);
        const int64_t n = count_of(&net.graph, net.graph.inputs[0]);
        double *x = random_values(&net.rng, 3 * n), *u = random_values(&net.rng, 3 * 7);
        struct pass all = pass_open(&gradient->graph, AO_BACKEND_REFERENCE, 3);
        put(&all, gradient->clip_input, x);
        put(&all, gradient->seed_input, u);
        pass_run(&all);
        int64_t n_all;
        double *got = take(&all, gradient->clip_output, &n_all);
        assert_int_equal(n_all, 3 * n);
        struct pass one = pass_open(&gradient->graph, AO_BACKEND_REFERENCE, 1);
        for (int clip = 0; clip < 3; clip++) {
            put(&one, gradient->clip_input, x + clip * n);
            put(&one, gradient->seed_input, u + clip * 7);
            pass_run(&one);
            check_values(&one, gradient->clip_output, got + clip * n, n, 0);
            checked++;
        }
        pass_close(&all);
        pass_close(&one);
        free(got);
        free(x);
        free(u);
        ao_gradient_destroy(&gradient);
        ao_graph_fini(&net.graph);
    }
    assert_int_equal(checked, 120);
}

/*
 * DeepLIFT's summation-to-delta: sum m (x - x') = <u, y - y'>, m being what comes in the place of
 * the gradient. Exact but for rounding: sums of some 1e4 terms in double, and the quotients, which
 * have an error of eps |x| / |x - x'| where they are taken, at most 1e-16 / 1e-7 of their share.
 */
static void rescaled_multipliers_sum_to_the_difference(void **state)
{
    (void)state;
    double worst = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct net net;
        gated_net(&net, seed);
        const int64_t n = count_of(&net.graph, net.graph.inputs[0]);
        double *x = random_values(&net.rng, n), *base = random_values(&net.rng, n);
        double *u = random_values(&net.rng, 7);
        struct ao_gradient *gradient =
            gradient_of(&net.graph, &(struct ao_gradient_options){ .clip = true, .rescale = true });
        struct pass pass = gradient_run(gradient, AO_BACKEND_REFERENCE_F64, x, base, u);
        int64_t n_m;
        double *m = take(&pass, gradient->clip_output, &n_m), size = 0;
        pass_close(&pass);
        struct pass forward = pass_open(&net.graph, AO_BACKEND_REFERENCE_F64, 1);
        const double change = score_of(&forward, x, u, NULL) - score_of(&forward, base, u, NULL);
        pass_close(&forward);
        double sum = 0;
        for (int64_t i = 0; i < n; i++) {
            sum += m[i] * (x[i] - base[i]);
            size += fabs(m[i] * (x[i] - base[i]));
        }
        const double error = fabs(sum - change) / fmax(size, 1);
        worst = error <= worst ? worst : error;
        ao_gradient_destroy(&gradient);
        free(x);
        free(base);
        free(u);
        free(m);
        ao_graph_fini(&net.graph);
    }
    print_message("worst %.2e of the sum of magnitudes\n", worst);
    assert_true(worst <= 1e-9);
}

/* Where clip and baseline are the same, every quotient is the gradient. */
static void an_equal_baseline_gives_the_gradient(void **state)
{
    (void)state;
    struct net net;
    gated_net(&net, 3);
    const int64_t n = count_of(&net.graph, net.graph.inputs[0]);
    double *x = random_values(&net.rng, n), *u = random_values(&net.rng, 7);
    struct ao_gradient *plain =
        gradient_of(&net.graph, &(struct ao_gradient_options){ .clip = true });
    struct ao_gradient *rescaled =
        gradient_of(&net.graph, &(struct ao_gradient_options){ .clip = true, .rescale = true });
    struct pass a = gradient_run(plain, AO_BACKEND_REFERENCE_F64, x, NULL, u),
                b = gradient_run(rescaled, AO_BACKEND_REFERENCE_F64, x, x, u);
    int64_t n_g;
    double *g = take(&a, plain->clip_output, &n_g);
    check_values(&b, rescaled->clip_output, g, n, 1e-13); /* (g + g) / 2 in another order */
    pass_close(&a);
    pass_close(&b);
    ao_gradient_destroy(&plain);
    ao_gradient_destroy(&rescaled);
    free(g);
    free(x);
    free(u);
    ao_graph_fini(&net.graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_networks_keep_the_inner_product),
        cmocka_unit_test(a_batch_gives_each_clip_its_own_gradient),
        cmocka_unit_test(rescaled_multipliers_sum_to_the_difference),
        cmocka_unit_test(an_equal_baseline_gives_the_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
