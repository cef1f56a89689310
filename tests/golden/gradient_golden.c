/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <time.h>

#include "passes/passes.h"
#include "support/double_run.h"
#include "support/shared.h"
#include "support/zoo.h"

/*
 * Whole networks: <J v, u> = <v, J' u>. The right side is one backward pass; the left one the
 * central difference of s = <u, y> along v with step h. v has the signs of the gradient, so that
 * <v, J' u> = sum |g_i v_i| is large: along a random v it would be 1e-3 of that, and lost below
 * the kinks of ReLU and maximum pooling that lie between x - h v and x + h v.
 *
 * Small networks in double: kinks are a share that falls with h (x3d_s: 4e-5, 4e-6, 3e-7 at h =
 * 1e-5, 1e-7, 1e-9), rounding is eps S / (h <v, J' u>) (movinet: 2e-11, 4e-9, 2e-7); 1e-5 for both
 * at h = 1e-9. The others in float by oneDNN, where rounding is 2^29 times as large, with h =
 * 2^-14: measured up to 8e-3, where maximum pools overlap, and 2e-1 at 32 times the step: kinks.
 * 2e-2 still sees any pad, stride, weight or rule that is wrong, for all of a gradient goes through
 * them.
 */
struct setting {
    enum ao_backend backend;
    double step, tolerance;
};

static const struct setting in_double = { AO_BACKEND_REFERENCE_F64, 1e-9, 1e-5 };
static const struct setting in_float = { AO_BACKEND_ONEDNN, 0x1p-14, 2e-2 };

static void open_graph(const char *name, struct ao_onnx_model **model)
{
    struct ao_passes_report report = { 0 };
    aosa_status status = zoo_open(name, model);
    if (status == AOSA_OK)
        status = ao_passes_run(&(*model)->graph, &report);
    ao_passes_report_fini(&report);
    if (status != AOSA_OK)
        fail_msg("%s: %s", name, aosa_error_message());
}

static double seconds_since(clock_t start)
{
    return (double)(clock() - start) / CLOCKS_PER_SEC;
}

/* |<J v, u> - <v, J' u>| / <v, J' u> */
static double compare(const char *name, const struct ao_graph *network,
                      const struct setting *setting)
{
    struct ao_rng rng;
    int64_t n;
    ao_rng_init(&rng, 5);
    double *x = random_values(&rng, count_of(network, network->inputs[0]));
    double *u = random_values(&rng, count_of(network, network->outputs[0]));
    struct ao_gradient *gradient =
        gradient_of(network, &(struct ao_gradient_options){ .clip = true });
    clock_t start = clock();
    struct pass backward = gradient_run(gradient, setting->backend, x, NULL, u);
    const double seconds_both = seconds_since(start);
    double *g = take(&backward, gradient->clip_output, &n);
    pass_close(&backward);
    ao_gradient_destroy(&gradient);

    double *v = doubles(n);
    for (int64_t i = 0; i < n; i++)
        v[i] = copysign(ao_rng_range(&rng, 0.5, 1), g[i]);
    struct pass forward = pass_open(network, setting->backend, 1);
    start = clock();
    const double got = slope_of(&forward, x, v, setting->step, u, n), want = dot(v, g, n);
    const double error = fabs(got - want) / want;
    print_message("%-24s <v, J' u> %9.4g  off by %.2e of it  forward %.1f s, and backward %.1f s\n",
                  name, want, error, seconds_since(start) / 2, seconds_both);
    pass_close(&forward);
    free(x);
    free(u);
    free(v);
    free(g);
    return error;
}

static void check_networks(const char *const *names, const struct setting *setting)
{
    int wrong = 0;
    for (; *names; names++) {
        struct ao_onnx_model *model = NULL;
        open_graph(*names, &model);
        wrong += !(compare(*names, &model->graph, setting) <= setting->tolerance);
        ao_onnx_close(&model);
    }
    assert_int_equal(wrong, 0);
}

static void small_networks_in_double(void **state)
{
    static const char *const names[] = { "movinet_a0_base3d.dy18", "x3d_s.ts18", NULL };
    (void)state;
    check_networks(names, &in_double);
}

static void other_networks_in_float(void **state)
{
    static const char *const names[] = {
        "r3d_18.ts18",
        "r2plus1d_18.ts18",
        "c3d.tsdyn17",
        "i3d_inception.ts18",
        "s3d.dy18",
        "k3d_resnet50_B.ts18",
        "slow_r50.dy18",
        "p3d63.ts18",
        "k3d_densenet121.dy18",
        NULL,
    };
    (void)state;
    check_networks(names, &in_float);
}

int main(void)
{
    if (shared_is_missing())
        return EXIT_SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_networks_in_double),
        cmocka_unit_test(other_networks_in_float),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
