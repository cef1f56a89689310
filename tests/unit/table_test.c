/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "core/file.h"
#include "evaluate/table.h"
#include "render/chart.h"
#include "support/asserts.h"

#define COUNT(array) (sizeof array / sizeof array[0])

/* --- tests between methods -----------------------------------------------------------------------
 */

/* Sums of at most 2^100 equal chances: each addition rounds by 2^-53 of a p that is at most 1. */
static const double bound = 1e-13;

static void check_wilcoxon(const double *d, size_t n, size_t nonzero, double positive, double p)
{
    struct ao_wilcoxon test;
    assert_ok(ao_wilcoxon_test(d, n, &test));
    assert_int_equal(test.n, nonzero);
    assert_near(test.positive, positive, 0);
    assert_near(test.p, p, bound);
}

static void wilcoxon_counts_the_signs_of_small_samples(void **state)
{
    (void)state;
    /* Of 2^5 signs one gives W+ = 15: p = 2/32. */
    check_wilcoxon((double[]){ 1, 2, 3, 4, 5 }, 5, 5, 15, 0.0625);
    /* W+ = 36 - 7; 19 of 2^8 subsets of 1..8 sum to 7 or less: p = 38/256. */
    check_wilcoxon((double[]){ 1, 2, 3, 4, 5, 6, -7, 8 }, 8, 8, 29, 38.0 / 256);
    /* The 0 goes; four ones share rank 2.5, so W+ = 3 (2.5) + 5 + 6. W >= 18.5 leaves out at most
     * one of the four ones: 1 + 4 of 2^6 signs. */
    check_wilcoxon((double[]){ 1, -1, 1, 1, 2, 0, 3 }, 7, 6, 18.5, 10.0 / 64);
    /* Ranks 1.5, 1.5, 3, 5, 5, 5; scipy 1.17's permutation of signs: 17 of 64 on the smaller side.
     */
    check_wilcoxon((double[]){ -0.5, 1.5, 0.5, 2.5, -2.5, 2.5 }, 6, 6, 14.5, 34.0 / 64);
    check_wilcoxon((double[]){ 0, 0 }, 2, 0, 0, 1);
    struct ao_wilcoxon none;
    assert_ok(ao_wilcoxon_test(NULL, 0, &none));
    assert_true(isnan(none.p));
}

static void wilcoxon_agrees_with_scipy_on_large_samples(void **state)
{
    (void)state;
    double d[150];
    /* wilcoxon([(i + 1) * (1 if i % 3 else -1) for i in range(100)], method='exact') */
    for (int i = 0; i < 100; i++)
        d[i] = (i + 1) * (i % 3 ? 1 : -1);
    check_wilcoxon(d, 100, 100, 3333, 0.005160103349552525);
    /* wilcoxon([(i // 2 + 1) * ... range(150)], method='approx', correction=True): 75 ties of 2 */
    for (int i = 0; i < 150; i++)
        d[i] = (i / 2 + 1) * (i % 3 ? 1 : -1);
    check_wilcoxon(d, 150, 150, 7600, 0.00027869763786409483);
}

static void holm_multiplies_by_what_is_left_and_never_falls(void **state)
{
    (void)state;
    /* Sorted .005 x 4, .01 x 3, .03 x 2, .04 x 1 raised to .06. */
    double p[] = { 0.01, 0.04, (double)NAN, 0.03, 0.005 };
    const double want[] = { 0.03, 0.06, 0, 0.06, 0.02 };
    assert_ok(ao_holm_adjust(p, COUNT(p), p));
    assert_true(isnan(p[2]));
    for (size_t i = 0; i < COUNT(p); i++)
        if (i != 2)
            assert_near(p[i], want[i], 1e-16);
    double large[] = { 0.6, 0.7 };
    assert_ok(ao_holm_adjust(large, 2, large));
    assert_near(large[0], 1, 0);
}

/* --- tables --------------------------------------------------------------------------------------
 */

enum { CLIPS = 8, METHODS = 3 };

static struct {
    struct ao_results results;
    struct ao_result items[METHODS * CLIPS];
    char names[CLIPS][8];
    struct ao_table table;
} rig;

static const char *methods[] = { "aosa", "gradcam", "random" };
static char up[] = "up", down[] = "down, left";

/* Clips 0 to 2 are of class "up", the others of "down, left". */
static int set_up(void **state)
{
    (void)state;
    memset(&rig, 0, sizeof rig);
    rig.results = (struct ao_results){
        .identity = json_object(),
        .methods = methods,
        .n_methods = METHODS,
        .clips = CLIPS + 1,
        .results = rig.items,
        .n = METHODS * CLIPS,
        .missing = METHODS,
    };
    for (int i = 0; i < METHODS * CLIPS; i++) {
        snprintf(rig.names[i % CLIPS], 8, "clip%d", i % CLIPS);
        rig.items[i] = (struct ao_result){
            .clip = rig.names[i % CLIPS],
            .label = i % CLIPS < 3 ? up : down,
            .method = i / CLIPS,
            .seconds = i % CLIPS + 1,
            .forwards = 10,
            .answer.forwards = 7,
            .answer.backwards = 2,
        };
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ao_table_fini(&rig.table);
    for (int i = 0; i < METHODS * CLIPS; i++)
        ao_metric_answer_fini(&rig.items[i].answer);
    json_decref(rig.results.identity);
    return 0;
}

static void give(int m, int clip, const char *name, double value)
{
    assert_ok(ao_metric_add_value(&rig.items[m * CLIPS + clip].answer, name, NULL, value));
}

static void fill_table(void)
{
    assert_ok(ao_table_init(&rig.table, &rig.results, 200, 1));
}

static void a_mean_is_over_clips_and_a_macro_mean_over_classes(void **state)
{
    (void)state;
    for (int i = 0; i < CLIPS; i++)
        give(0, i, "pointing.spatial", i < 3 ? i + 1 : 10);
    fill_table();
    const struct ao_cell *cell = ao_table_cell(&rig.table, 0, 0);
    assert_near(cell->interval.mean, (1 + 2 + 3 + 5 * 10) / 8.0, 0);
    assert_near(cell->macro, (2 + 10) / 2.0, 0);
    assert_int_equal(cell->n_classes, 2);
    assert_string_equal(rig.table.classes[0], down); /* by their bytes */
    assert_near(rig.table.by_class[0].mean, 10, 0);
    assert_int_equal(rig.table.by_class[0].n, 5);
    assert_near(rig.table.by_class[1].mean, 2, 0);
    assert_int_equal(ao_table_missing(&rig.table, 0), 1);
}

static void what_is_not_a_number_is_left_out_of_every_sum(void **state)
{
    (void)state;
    for (int i = 0; i < CLIPS; i++) {
        give(0, i, "energy", i < 3 ? (double)NAN : i == 3 ? HUGE_VAL : 0.5);
        give(1, i, "energy", i < 6 ? 0.25 : (double)NAN);
    }
    fill_table();
    const struct ao_cell *cell = ao_table_cell(&rig.table, 0, 0);
    assert_int_equal(cell->n, 4);
    assert_near(cell->interval.mean, 0.5, 0);
    assert_near(cell->macro, 0.5, 0);
    assert_int_equal(cell->n_classes, 1);
    const struct ao_test *test = ao_table_test(&rig.table, 0, 1, 0);
    assert_int_equal(test->n, 2); /* clips 4 and 5 */
    assert_near(test->difference.mean, 0.25, 0);
    assert_int_equal(ao_table_cell(&rig.table, 2, 0)->n, 0);
    assert_true(isnan(ao_table_cell(&rig.table, 2, 0)->interval.mean));
    assert_true(isnan(ao_table_test(&rig.table, 0, 0, 2)->p_holm));
    /* Two tests, of which one has a p: 4 of 4 signs are on one side, 2/4; nothing to correct. */
    assert_near(test->p_holm, 0.5, 0);
}

/* aosa is best by 1 on each clip, the others alternate. */
static void give_curves_of_three(void)
{
    for (int i = 0; i < CLIPS; i++) {
        give(0, i, "insertion.auc", i % 2); /* measured first, but not the first in the table */
        give(0, i, "deletion.auc", 1 + i);
        give(1, i, "deletion.auc", 2 + i);
        give(2, i, "deletion.auc", 2 + i + (i % 2 ? 0.5 : -0.5));
        give(1, i, "insertion.auc", 2);
        give(2, i, "insertion.auc", i % 2);
    }
}

static void tests_between_methods_are_corrected_for_the_pairs_of_a_value(void **state)
{
    (void)state;
    give_curves_of_three();
    fill_table();
    assert_int_equal(rig.table.n_tests, 2 * 3);
    const struct ao_test *first = ao_table_test(&rig.table, 0, 0, 1);
    const struct ao_test *second = ao_table_test(&rig.table, 0, 2, 0);
    const struct ao_test *third = ao_table_test(&rig.table, 0, 1, 2);
    assert_near(first->difference.mean, -1, 0);
    assert_near(first->difference.high, -1, 0);
    /* All eight of one sign: 2 / 2^8, times three pairs. */
    assert_near(first->wilcoxon.p, 2.0 / 256, bound);
    assert_near(first->p_holm, 6.0 / 256, bound);
    assert_near(second->p_holm, 6.0 / 256, bound);
    assert_near(third->p_holm, 1, 0);
    assert_null(ao_table_test(&rig.table, 0, 1, 1));
    assert_int_equal(ao_table_best(&rig.table, 0), 0); /* lower */
    assert_int_equal(ao_table_best(&rig.table, 1), 1); /* higher */
}

static char *take(struct ao_page *page)
{
    char *text;
    assert_ok(ao_page_take(page, &text));
    return text;
}

static void expect(const char *text, const char *words)
{
    assert_non_null(text);
    if (!strstr(text, words))
        fail_msg("'%s' is not in:\n%s", words, text ? text : "");
}

static void the_page_marks_the_best_and_what_differs_from_it(void **state)
{
    (void)state;
    struct ao_page page = { 0 };
    give_curves_of_three();
    rig.items[2 * CLIPS].reason = up; /* one of random's failed */
    fill_table();
    ao_table_markdown(&rig.table, &page);
    char *text = take(&page);
    expect(text, "| random | 7 | 1 | 1 |");
    expect(text, "## deletion\n");
    expect(text, "| method | auc ↓ | clips |");
    expect(text, "| aosa | **4.5000** (");
    expect(text, "| gradcam | 5.5000\\* (");
    expect(text, "| gradcam | **2.0000** (2.0000 to 2.0000) | 8 |");
    expect(text, "Means over classes:");
    ao_free(text);
}

static void labels_with_commas_are_quoted(void **state)
{
    (void)state;
    struct ao_page page = { 0 };
    give(1, 0, "energy", 0.5);
    fill_table();
    ao_table_classes_csv(&rig.table, &page);
    char *text = take(&page);
    expect(text, "gradcam,energy,\"down, left\",,0\n");
    expect(text, "gradcam,energy,up,0.5,1\n");
    ao_free(text);
}

static void costs_are_of_what_was_done(void **state)
{
    (void)state;
    struct ao_page page = { 0 };
    for (int i = 4; i < CLIPS; i++)
        rig.items[i].reason = down;
    fill_table();
    ao_table_cost_csv(&rig.table, &page);
    char *text = take(&page);
    expect(text, "\naosa,4,10,2.5,2.5,4,40,10,0,0,28,8,0\n");     /* 1 + 2 + 3 + 4 s */
    expect(text, "\ngradcam,8,36,4.5,4.5,8,80,10,0,0,56,16,0\n"); /* 1 to 8 s */
    ao_free(text);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    long n = 0;
    aosa_status status;
    give_curves_of_three();
    assert_ok(
        ao_metric_add_curve(&rig.items[0].answer, "deletion", 1, (double[]){ 0 }, (double[]){ 1 }));
    do {
        ao_alloc_fail_at(++n);
        status = ao_table_init(&rig.table, &rig.results, 10, 1);
        assert_int_equal(status, ao_alloc_has_failed() ? AOSA_ERR_NOMEM : AOSA_OK);
        ao_table_fini(&rig.table);
    } while (status != AOSA_OK);
    ao_alloc_fail_at(0);
    printf("%ld allocations\n", n - 1);
    assert_true(n > 20);
}

/* --- curves --------------------------------------------------------------------------------------
 */

static void give_curve(int m, int clip, size_t n, const double *x, const double *y)
{
    assert_ok(ao_metric_add_curve(&rig.items[m * CLIPS + clip].answer, "deletion", n, x, y));
}

static void curves_of_the_same_steps_are_averaged_point_by_point(void **state)
{
    (void)state;
    const double x[] = { 0, 0.3, 1 };
    give_curve(0, 0, 3, x, (double[]){ 1, 0.5, 0 });
    give_curve(0, 1, 3, x, (double[]){ 0.5, 0, 0 });
    give_curve(0, 2, 3, x, (double[]){ 0.5, (double)NAN, 0 });
    fill_table();
    const struct ao_mean_curve *mean = &rig.table.curves.curves[0];
    assert_int_equal(rig.table.curves.n, 1);
    assert_int_equal(mean->n_clips, 2);
    assert_near(mean->x[1], 0.3, 0);
    assert_near(mean->intervals[0].mean, 0.75, 0);
    assert_near(mean->intervals[1].mean, 0.25, 0);
    assert_near(mean->intervals[1].low, 0, 0); /* both draws are the second clip */
    assert_near(mean->intervals[1].high, 0.5, 0);
}

static void curves_of_other_steps_are_read_between_their_points(void **state)
{
    (void)state;
    give_curve(1, 0, 2, (double[]){ 0, 1 }, (double[]){ 0, 1 });
    give_curve(1, 1, 3, (double[]){ 0, 0.25, 0.5 }, (double[]){ 0, 0, 3 });
    fill_table();
    const struct ao_mean_curve *mean = &rig.table.curves.curves[0];
    assert_int_equal(mean->n, 3);
    assert_near(mean->x[1], 0.5, 0);
    assert_near(mean->intervals[0].mean, 0, 0);
    assert_near(mean->intervals[1].mean, (0.5 + 3) / 2, 0);
    assert_near(mean->intervals[2].mean, (1 + 3) / 2.0, 0); /* constant beyond its end */
}

static void a_curve_is_resampled_as_its_points_are(void **state)
{
    (void)state;
    enum { N = 5, COLUMNS = 3 };
    double values[N * COLUMNS], column[N];
    struct ao_interval all[COLUMNS], one;
    for (int i = 0; i < N * COLUMNS; i++)
        values[i] = sin(7.0 * i);
    assert_ok(ao_bootstrap_means(values, N, COLUMNS, 100, 3, all));
    for (int c = 0; c < COLUMNS; c++) {
        for (int i = 0; i < N; i++)
            column[i] = values[i * COLUMNS + c];
        assert_ok(ao_bootstrap_mean(column, N, 100, 3, &one));
        assert_memory_equal(&all[c], &one, sizeof one);
    }
}

static void check_picture(const char *path, const struct ao_chart *chart, bool same)
{
    struct ao_file first, second;
    char again[96];
    snprintf(again, sizeof again, "%s.again", path);
    assert_ok(ao_render_chart(chart, again));
    assert_ok(ao_file_open(&first, path));
    assert_ok(ao_file_open(&second, again));
    assert_memory_equal(second.bytes, "\x89PNG", 4);
    assert_int_equal(first.size == second.size && !memcmp(first.bytes, second.bytes, first.size),
                     same);
    ao_file_close(&first);
    ao_file_close(&second);
    remove(again);
}

static void a_chart_is_its_lines_whatever_their_number(void **state)
{
    (void)state;
    char path[] = "/tmp/aosa-chart-XXXXXX";
    const double x[] = { 0, 1 }, y[] = { 0.5, 0.5 }, other[] = { 0.5, 0.25 };
    struct ao_chart_line lines[30];
    const int file = mkstemp(path);
    assert_true(file >= 0);
    for (size_t i = 0; i < COUNT(lines); i++)
        lines[i] = (struct ao_chart_line){ "a line", 2, x, y, y, y, 1 };
    struct ao_chart chart = { "title", "note", "x", "y", lines, 1 };
    assert_ok(ao_render_chart(&chart, path));
    check_picture(path, &chart, true);
    lines[0].middle = lines[0].low = other;
    check_picture(path, &chart, false);
    chart.n = COUNT(lines);
    check_picture(path, &chart, false);
    lines[1].n = 1; /* a single point, and numbers that no step fits between */
    const double huge[] = { 1e300, 1e300 };
    for (size_t i = 0; i < COUNT(lines); i++)
        lines[i].middle = lines[i].low = lines[i].high = huge;
    check_picture(path, &chart, false);
    assert_int_equal(ao_render_chart(&chart, "/no/such/folder.png"), AOSA_ERR_OUTPUT);
    remove(path);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wilcoxon_counts_the_signs_of_small_samples),
        cmocka_unit_test(wilcoxon_agrees_with_scipy_on_large_samples),
        cmocka_unit_test(holm_multiplies_by_what_is_left_and_never_falls),
        TEST(a_mean_is_over_clips_and_a_macro_mean_over_classes),
        TEST(what_is_not_a_number_is_left_out_of_every_sum),
        TEST(tests_between_methods_are_corrected_for_the_pairs_of_a_value),
        TEST(the_page_marks_the_best_and_what_differs_from_it),
        TEST(labels_with_commas_are_quoted),
        TEST(costs_are_of_what_was_done),
        TEST(every_allocation_may_fail),
        TEST(curves_of_the_same_steps_are_averaged_point_by_point),
        TEST(curves_of_other_steps_are_read_between_their_points),
        cmocka_unit_test(a_curve_is_resampled_as_its_points_are),
        cmocka_unit_test(a_chart_is_its_lines_whatever_their_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
