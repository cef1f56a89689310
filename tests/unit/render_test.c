/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/rng.h"
#include "render/canvas.h"
#include "render/colormap.h"
#include "render/movie.h"
#include "render/panel.h"
#include "render/text.h"

/* ---- colours ---- */

static void jet_has_the_bytes_of_matplotlib(void **state)
{
    (void)state;
    /* matplotlib 3.11.2: colormaps['jet'](i, bytes=True). */
    static const int want[][4] = {
        { 0, 0, 0, 127 },       { 64, 0, 128, 255 },  { 127, 121, 255, 125 },
        { 128, 124, 255, 121 }, { 200, 255, 118, 0 }, { 255, 127, 0, 0 },
    };
    uint8_t lut[AO_COLORMAP_SIZE][3];
    ao_colormap_fill(ao_colormap_find("jet"), lut);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        for (int c = 0; c < 3; c++)
            assert_int_equal(lut[want[i][0]][c], want[i][c + 1]);

    /* All 768 bytes: their sum, and their sum weighted by 1 .. 768, in the same matplotlib. */
    const uint8_t *bytes = lut[0];
    long sum = 0, weighted = 0;
    for (long i = 0; i < AO_COLORMAP_SIZE * 3; i++) {
        sum += bytes[i];
        weighted += (i + 1) * bytes[i];
    }
    assert_int_equal(sum, 94891);
    assert_int_equal(weighted, 36832696);
}

static void coolwarm_is_grey_in_the_middle_and_has_the_published_ends(void **state)
{
    (void)state;
    uint8_t lut[AO_COLORMAP_SIZE][3];
    ao_colormap_fill(ao_colormap_find("coolwarm"), lut);
    for (int i = 127; i <= 128; i++)
        for (int c = 0; c < 3; c++)
            assert_in_range(lut[i][c], 219, 222);
    /* Moreland 2009: blue (59, 76, 192) and red (180, 4, 38); truncation may take one level. */
    static const int ends[2][3] = { { 59, 76, 192 }, { 180, 4, 38 } };
    for (int e = 0; e < 2; e++)
        for (int c = 0; c < 3; c++)
            assert_in_range(lut[e * 255][c], ends[e][c] - 1, ends[e][c]);
}

static void colour_maps_are_found_by_name(void **state)
{
    (void)state;
    for (const struct ao_colormap *map = ao_colormaps; map->name; map++) {
        assert_ptr_equal(ao_colormap_find(map->name), map);
        assert_true(strlen(map->summary) > 0);
    }
    assert_null(ao_colormap_find("rainbow"));
}

static void halves_are_blended_to_the_even_level(void **state)
{
    (void)state;
    for (int a = 0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            const uint8_t x = (uint8_t)a, y = (uint8_t)b;
            uint8_t got;
            ao_blend_half(&x, &y, 1, &got);
            assert_int_equal(got, lrint(0.5 * a + 0.5 * b)); /* default mode: half to even */
        }
    }
}

static void map_values_are_truncated_and_held_in_the_table(void **state)
{
    (void)state;
    static const float map[] = { 0.0f, 0.99f, 127.5f, 254.999f, 255.0f, 255.1f, -3.0f, NAN };
    static const int entry[] = { 0, 0, 127, 254, 255, 255, 0, 127 };
    uint8_t lut[AO_COLORMAP_SIZE][3], rgb[8][3];
    ao_colormap_fill(ao_colormap_find("jet"), lut);
    ao_map_colour((const uint8_t(*)[3])lut, map, 8, rgb[0]);
    for (int i = 0; i < 8; i++)
        assert_memory_equal(rgb[i], lut[entry[i]], 3);
}

static void neutral_map_leaves_the_frame_as_it_is(void **state)
{
    (void)state;
    const float map[] = { 127.5f, NAN, 255.0f };
    const uint8_t frame[] = { 1, 2, 3, 40, 50, 60, 0, 100, 200 };
    const uint8_t colour[] = { 255, 255, 255, 255, 255, 255, 100, 0, 200 };
    uint8_t got[9];
    ao_blend_strength(frame, colour, map, 3, got);
    assert_memory_equal(got, frame, 6);
    const uint8_t strongest[] = { 85, 15, 200 }; /* 0.85 of the way to the colour */
    assert_memory_equal(got + 6, strongest, 3);
    assert_true(fabs(ao_map_strength(map, 3) - 1.0 / 3.0) < 3 * DBL_EPSILON);
}

/* ---- text ---- */

static void hostile_names_become_well_formed_text(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *clean;
    } cases[] = {
        { "CliffDiving", "CliffDiving" },
        { "\xe8\xb7\xb3\xe6\xb0\xb4", "\xe8\xb7\xb3\xe6\xb0\xb4" },
        { "a\tb\nc\x1b[31m\x7f", "a b c [31m " },
        { "\xff\xc3", "\xef\xbf\xbd\xef\xbf\xbd" },                 /* not UTF-8; cut short */
        { "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" },                 /* overlong */
        { "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }, /* surrogate */
        { "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { "gpj.\xe2\x80\xae"
          "exe",
          "gpj.exe" }, /* right-to-left override */
        { "\xef\xbb\xbfname\xe2\x80\x8b", "name" },
        { "\xef\xbf\xbe\xef\xb7\x90", "\xef\xbf\xbd\xef\xbf\xbd" }, /* noncharacters */
        { "", "" },
    };
    char clean[AO_TEXT_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ao_text_clean(cases[i].bytes, clean);
        assert_string_equal(clean, cases[i].clean);
    }
    ao_text_clean(NULL, clean);
    assert_string_equal(clean, "");
}

/* cairo refuses text that is not UTF-8 for good, so its status is an independent judge. */
static void any_bytes_can_be_drawn_within_their_width(void **state)
{
    (void)state;
    const struct ao_text_style style = { 13, false, ao_ink_text, AO_ALIGN_CENTRE };
    const uint64_t seed = 20240607;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct ao_rng rng;
    ao_rng_init(&rng, seed);
    struct ao_canvas canvas;
    assert_int_equal(ao_canvas_create(&canvas, 300, 40), AOSA_OK);
    for (int n = 0; n < 300; n++) {
        char text[700];
        const size_t length = (size_t)ao_rng_below(&rng, sizeof text);
        for (size_t i = 0; i < length; i++)
            text[i] = (char)ao_rng_below(&rng, 256);
        text[length] = '\0';
        const double room = ao_rng_range(&rng, -5, 250);
        assert_true(ao_text_draw(&canvas, &style, 150, 20, room, text) <= fmax(room, 0.0));
        assert_int_equal(ao_canvas_check(&canvas), AOSA_OK);
    }
    ao_canvas_fini(&canvas);
}

static void long_names_end_in_an_ellipsis(void **state)
{
    (void)state;
    char text[3000], clean[AO_TEXT_BYTES];
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 3);
    ao_text_clean(text, clean);
    const size_t n = strlen(clean);
    assert_true(n < AO_TEXT_BYTES && n > AO_TEXT_BYTES - 8);
    assert_string_equal(clean + n - 3, "\xe2\x80\xa6");
}

static void numbers_have_a_sign_a_reader_can_see(void **state)
{
    (void)state;
    char text[AO_NUMBER_BYTES];
    ao_text_number(0.93456, true, text);
    assert_string_equal(text, "+0.935");
    ao_text_number(-12.5, true, text);
    assert_string_equal(text, "\xe2\x88\x92"
                              "12.5");
    ao_text_number(0.0, true, text);
    assert_string_equal(text, "0");
    ao_text_number(-0.0, false, text);
    assert_string_equal(text, "0");
}

/* ---- frames ---- */

static void shown_frames_are_spread_from_the_first_to_the_last(void **state)
{
    (void)state;
    static const int want16[] = { 0, 2, 4, 6, 9, 11, 13, 15 };
    int index[8];
    assert_int_equal(ao_frame_selection(16, 8, index), 8);
    assert_memory_equal(index, want16, sizeof want16);
    for (int T = 1; T <= 300; T++) {
        const int n = ao_frame_selection(T, 8, index);
        assert_int_equal(n, T < 8 ? T : 8);
        assert_int_equal(index[0], 0);
        assert_int_equal(index[n - 1], T - 1);
        for (int i = 1; i < n; i++) /* the gap differs from (T-1)/(n-1) by less than one */
            assert_true(fabs(index[i] - index[i - 1] - (T - 1.0) / (n - 1.0)) < 1.0);
    }
}

static void panels_are_readable_whatever_the_clip(void **state)
{
    (void)state;
    static const int cases[][4] = {
        /* H, W, height, width */
        { 112, 112, 224, 224 }, { 56, 80, 224, 320 },     { 224, 224, 224, 224 },
        { 225, 100, 225, 100 }, { 1080, 1920, 224, 398 }, { 1, 100000, 1, 896 },
        { 223, 223, 446, 446 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int h, w;
        ao_panel_size(cases[i][0], cases[i][1], 224, &h, &w);
        assert_int_equal(h, cases[i][2]);
        assert_int_equal(w, cases[i][3]);
    }
}

static void video_speed_is_held_where_a_person_can_follow(void **state)
{
    (void)state;
    assert_int_equal(ao_movie_millifps(25.0), 8000);
    assert_int_equal(ao_movie_millifps(4.5), 4500);
    assert_int_equal(ao_movie_millifps(0.1), 2000);
    assert_int_equal(ao_movie_millifps(0.0), 8000);
    assert_int_equal(ao_movie_millifps((double)NAN), 8000);
    assert_int_equal(ao_movie_millifps((double)INFINITY), 8000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jet_has_the_bytes_of_matplotlib),
        cmocka_unit_test(coolwarm_is_grey_in_the_middle_and_has_the_published_ends),
        cmocka_unit_test(colour_maps_are_found_by_name),
        cmocka_unit_test(halves_are_blended_to_the_even_level),
        cmocka_unit_test(map_values_are_truncated_and_held_in_the_table),
        cmocka_unit_test(neutral_map_leaves_the_frame_as_it_is),
        cmocka_unit_test(hostile_names_become_well_formed_text),
        cmocka_unit_test(any_bytes_can_be_drawn_within_their_width),
        cmocka_unit_test(long_names_end_in_an_ellipsis),
        cmocka_unit_test(numbers_have_a_sign_a_reader_can_see),
        cmocka_unit_test(shown_frames_are_spread_from_the_first_to_the_last),
        cmocka_unit_test(panels_are_readable_whatever_the_clip),
        cmocka_unit_test(video_speed_is_held_where_a_person_can_follow),
    };
    return cmocka_run_group_tests_name("render", tests, NULL, NULL);
}
