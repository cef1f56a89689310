/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "passes/passes.h"
#include "support/zoo.h"
#include "support/shared.h"

/*
 * Real exports of both exporters, imported and folded. `nodes` is what is left to run: an export
 * of more nodes must come down to it. It is an upper bound; better passes may lower it.
 */
static const struct {
    const char *name;
    size_t nodes;
    bool batchable;
    int traced;
} networks[] = {
    { "c3d.tsdyn17", 28, true, 0 },
    { "i3d_112.tsdyn17", 140, true, 0 },
    { "i3d_inception.ts18", 140, true, 0 },
    { "k3d_resnet50_B.dydyn18", 122, true, 0 },
    { "k3d_resnet50_B.ts18", 122, true, 0 },
    { "mc3_18.dy18", 48, true, 0 },
    { "r2plus1d_18.dy18", 82, true, 0 },
    { "r2plus1d_18.ts18", 82, true, 0 },
    { "r3d_18.dydyn18", 48, true, 0 },
    { "r3d_18.ts18", 48, true, 0 },
    { "r3d_18_224.tsdyn17", 48, true, 0 },
    { "r3d_50_224.tsdyn17", 122, true, 0 },
    { "s3d.dy18", 179, true, 0 },
    { "s3d.tsdyn17", 179, true, 0 },
    { "slow_r50.dy18", 128, true, 0 },
    { "k3d_resnet18_A.ts18", 50, true, 3 },
    { "slowfast_r50.dy18", 261, true, 0 },
    { "tsm_r50.dy18", 397, true, 0 },
    { "swin3d_t.ts18", 590, true, 0 },
    { "mvit_base_16x4.dy18", 903, true, 0 },
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void skip_without_data(void)
{
    if (!zoo_shared())
        skip();
}

static void check_network(size_t i)
{
    struct ao_onnx_model *model;
    struct ao_passes_report report = { 0 };
    const double begin = seconds();
    assert_int_equal(zoo_open(networks[i].name, &model), AOSA_OK);
    const double opened = seconds();
    const aosa_status status = ao_passes_run(&model->graph, &report);
    printf("%-24s file %5zu, imported %5zu, to run %4zu nodes; %d folded, %d branches, %d + %d "
           "pads, %d no-ops; filled in %.2f s, passes %.1f ms\n",
           networks[i].name, model->n_nodes_in_file, report.nodes_before, report.nodes_after,
           report.folded, report.branches, report.conv_pads, report.pool_pads, report.no_ops,
           opened - begin, 1e3 * (seconds() - opened));
    if (status != AOSA_OK)
        printf("%s: %s\n", networks[i].name, aosa_error_message());
    assert_int_equal(status, AOSA_OK);
    assert_true(report.nodes_after <= networks[i].nodes);
    assert_int_equal(model->graph.batchable, networks[i].batchable);
    assert_int_equal(report.n_traced, networks[i].traced);
    ao_passes_report_fini(&report);
    ao_onnx_close(&model);
}

static void zoo_networks_fold_to_what_must_run(void **state)
{
    (void)state;
    skip_without_data();
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        check_network(i);
}

static void trained_networks_open_from_disk(void **state)
{
    (void)state;
    static const char *const names[] = { "i3d_w025_seed1_16x224", "i3d_w025_seed1_gap_16x112",
                                         "r3d10_asl20", "r3d10_real12", "r3d10_w05_seed0" };
    skip_without_data();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/data/models/%s.onnx", zoo_shared(), names[i]);
        const struct ao_onnx_options options = { 0 };
        struct ao_passes_report report = { 0 };
        struct ao_onnx_model *model;
        assert_int_equal(ao_onnx_open(path, &options, &model), AOSA_OK);
        assert_int_equal(ao_passes_run(&model->graph, &report), AOSA_OK);
        assert_true(model->graph.batchable);
        assert_int_equal(model->graph.n_inputs, 1);
        assert_string_equal(model->graph.values[model->graph.inputs[0]].name, "input");
        assert_string_equal(model->graph.values[model->graph.outputs[0]].name, "logits");
        assert_int_equal(report.n_traced, 0);
        ao_passes_report_fini(&report);
        ao_onnx_close(&model);
    }
}

int main(void)
{
    if (shared_is_missing())
        return EXIT_SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zoo_networks_fold_to_what_must_run),
        cmocka_unit_test(trained_networks_open_from_disk),
    };
    return cmocka_run_group_tests_name("zoo import", tests, NULL, NULL);
}
