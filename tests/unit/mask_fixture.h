/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_TESTS_MASK_FIXTURE_H
#define AO_TESTS_MASK_FIXTURE_H

/* Flows and mask sets that the tests of masks share. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/rng.h"
#include "mask/mask.h"

/* "mask=flow size=3 ...": flags without a value. */
static inline struct ao_mask_options options_of(const char *settings)
{
    struct ao_mask_options options = { 0 };
    char copy[256], *rest = copy, *word;
    assert_int_equal(ao_options_init(ao_mask_option_table, &options), AOSA_OK);
    snprintf(copy, sizeof copy, "%s", settings);
    while ((word = strtok_r(rest, " ", &rest))) {
        char *value = strchr(word, '=');
        if (value)
            *value++ = '\0';
        const struct ao_option *row = ao_options_find(ao_mask_option_table, word);
        assert_non_null(row);
        if (ao_option_set(row, &options, value) != AOSA_OK)
            fail_msg("%s", aosa_error_message());
    }
    return options;
}

static inline struct aosa_mask_set *generate(const struct ao_flow_field *flow, const uint8_t *rgb,
                                             const char *settings)
{
    const struct ao_mask_options options = options_of(settings);
    const struct ao_mask_source source = { flow->T, flow->H, flow->W, flow, rgb };
    struct aosa_mask_set *set = NULL;
    if (ao_masks_generate(&source, &options, false, &set) != AOSA_OK)
        fail_msg("%s: %s", settings, aosa_error_message());
    return set;
}

static inline struct ao_flow_field *constant_flow(int T, int H, int W, double dx, double dy)
{
    struct ao_flow_field *flow = NULL;
    assert_int_equal(ao_flow_field_create(T, H, W, &flow), AOSA_OK);
    for (int i = 0; i < (T - 1) * H * W; i++) {
        flow->d[2 * i] = (float)dx;
        flow->d[2 * i + 1] = (float)dy;
    }
    return flow;
}

static inline struct ao_flow_field *random_flow(int T, int H, int W, double most, uint64_t seed)
{
    struct ao_flow_field *flow = NULL;
    struct ao_rng rng;
    ao_rng_init(&rng, seed);
    assert_int_equal(ao_flow_field_create(T, H, W, &flow), AOSA_OK);
    for (int i = 0; i < (T - 1) * H * W * 2; i++)
        flow->d[i] = (float)ao_rng_range(&rng, -most, most);
    return flow;
}

static inline void paint(const struct aosa_mask_set *set, int m, uint8_t *visible)
{
    memset(visible, 1, (size_t)(set->T * set->H * set->W));
    ao_mask_paint(set, m, visible);
}

static inline struct ao_flow_field *quadrant_flow(void)
{
    struct ao_flow_field *flow = constant_flow(4, 8, 8, 0, 0);
    for (int i = 0; i < 3 * 8 * 8; i++) {
        const bool top = i / 8 % 8 < 4, left = i % 8 < 4;
        flow->d[2 * i] = top ? 1.0f : left ? -1.0f : 0.0f;
        flow->d[2 * i + 1] = top && !left ? 0.2f : 0.0f;
    }
    return flow;
}

#endif
