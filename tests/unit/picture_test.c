/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "core/file.h"
#include "render/canvas.h"
#include "render/colormap.h"
#include "render/picture.h"
#include "render/tracks.h"
#include "support/folder.h"
#include "video/video.h"

struct example {
    struct aosa_clip *clip;
    float *map;
    struct ao_picture_spec spec;
};

static void example_create(struct example *e, int T, int H, int W)
{
    *e = (struct example){ 0 };
    assert_int_equal(ao_clip_create(T, H, W, &e->clip), AOSA_OK);
    const size_t n = ao_clip_voxels(e->clip);
    e->map = ao_alloc(n, sizeof *e->map);
    assert_non_null(e->map);
    for (size_t i = 0; i < n; i++) {
        e->clip->rgb[3 * i] = 11;
        e->clip->rgb[3 * i + 1] = 20;
        e->clip->rgb[3 * i + 2] = 30;
        e->map[i] = 255.0f;
    }
    e->clip->fps = 25;
    for (int t = 0; t < T; t++)
        e->clip->frames[t] = 36 + t;
    e->spec = (struct ao_picture_spec){
        .clip = e->clip,
        .map = e->map,
        .colormap = ao_colormap_find("jet"),
        .class_name = "CliffDiving",
        .probability = 0.985,
        .target = "top1",
        .method = "aosa",
        .source = "clip.avi",
        .unit = "drop of p when hidden",
        .bar_min = -0.2,
        .bar_max = 0.2,
    };
}

static void example_destroy(struct example *e)
{
    ao_clip_destroy(&e->clip);
    ao_free(e->map);
}

/* Red, green and blue of a pixel of a PNG's surface. */
static void assert_pixel(cairo_surface_t *png, int x, int y, int r, int g, int b)
{
    const unsigned char *row =
        cairo_image_surface_get_data(png) + (size_t)y * (size_t)cairo_image_surface_get_stride(png);
    uint32_t word;
    memcpy(&word, row + 4 * (size_t)x, 4);
    assert_int_equal(word & 0xffffff, r << 16 | g << 8 | b);
}

static void grid_holds_the_pixels_of_input_map_and_blend(void **state)
{
    (void)state;
    struct example e;
    const char *path = in_folder("grid.png");
    example_create(&e, 16, 112, 112);
    assert_int_equal(ao_render_grid(&e.spec, path), AOSA_OK);
    cairo_surface_t *png = cairo_image_surface_create_from_png(path);
    assert_int_equal(cairo_surface_status(png), CAIRO_STATUS_SUCCESS);
    /* Margins, row titles, 8 columns of 224 with gaps of 6, colour bar; captions, 3 rows, strip. */
    assert_int_equal(cairo_image_surface_get_width(png), 24 + 24 + 8 * 230 - 6 + 18 + 128 + 24);
    assert_int_equal(cairo_image_surface_get_height(png), 24 + 78 + 3 * 230 - 6 + 18 + 52 + 24);
    for (int column = 0; column < 8; column++) {
        const int x = 48 + column * 230;
        assert_pixel(png, x, 102, 11, 20, 30); /* corners: nothing bleeds in from outside */
        assert_pixel(png, x + 223, 102 + 230 + 223, 127, 0, 0);
        assert_pixel(png, x + 100, 102 + 460 + 100, 69, 10, 15); /* (11 + 127) / 2, ... */
    }
    cairo_surface_destroy(png);
    example_destroy(&e);
}

static void same_input_gives_the_same_bytes(void **state)
{
    (void)state;
    struct example e;
    struct ao_file file[2];
    example_create(&e, 3, 40, 60);
    for (int i = 0; i < 2; i++) {
        const char *path = in_folder(i ? "b.png" : "a.png");
        assert_int_equal(ao_render_grid(&e.spec, path), AOSA_OK);
        assert_int_equal(ao_file_open(&file[i], path), AOSA_OK);
    }
    assert_int_equal(file[0].size, file[1].size);
    assert_memory_equal(file[0].bytes, file[1].bytes, file[0].size);
    for (int i = 0; i < 2; i++)
        ao_file_close(&file[i]);
    example_destroy(&e);
}

static void odd_clips_and_hostile_texts_have_pictures_too(void **state)
{
    (void)state;
    static const int sizes[][3] = { { 1, 1, 1 }, { 2, 3, 500 }, { 9, 500, 3 }, { 70, 8, 8 } };
    const char *path = in_folder("odd.png");
    char name[2000];
    memset(name, '\xfe', sizeof name);
    name[sizeof name - 1] = '\0';
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct example e;
        example_create(&e, sizes[i][0], sizes[i][1], sizes[i][2]);
        e.spec.class_name = e.spec.target = e.spec.method = e.spec.source = e.spec.unit = name;
        e.spec.probability = e.spec.bar_min = (double)NAN;
        e.spec.blend = AO_BLEND_STRENGTH;
        e.map[0] = NAN;
        e.clip->fps = 0;
        assert_int_equal(ao_render_grid(&e.spec, path), AOSA_OK);
        e.spec.class_name = e.spec.target = e.spec.method = e.spec.source = e.spec.unit = NULL;
        assert_int_equal(ao_render_grid(&e.spec, path), AOSA_OK);
        example_destroy(&e);
    }
}

static void path_that_cannot_be_written_is_reported(void **state)
{
    (void)state;
    struct example e;
    const char *path = in_folder("missing/grid.png");
    example_create(&e, 2, 16, 16);
    assert_int_equal(ao_render_grid(&e.spec, path), AOSA_ERR_OUTPUT);
    assert_non_null(strstr(aosa_error_message(), path));
    assert_non_null(strstr(aosa_error_message(), "No such file"));

    if (access("/dev/full", W_OK) == 0) {
        assert_int_equal(ao_render_grid(&e.spec, "/dev/full"), AOSA_ERR_OUTPUT);
        assert_non_null(strstr(aosa_error_message(), "No space left"));
        assert_int_equal(access("/dev/full", W_OK), 0);
    } else {
        print_message("no /dev/full here: a full disk was not tried\n");
    }
    example_destroy(&e);
}

/* A limit on the size of files makes the write fail in the middle, as a full disk does. */
static void half_a_picture_is_removed(void **state)
{
    (void)state;
    struct example e;
    const char *path = in_folder("half.png");
    struct rlimit before;
    example_create(&e, 2, 64, 64);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = { 1000, before.rlim_max };
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const aosa_status status = ao_render_grid(&e.spec, path);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, AOSA_ERR_OUTPUT);
    assert_int_not_equal(access(path, F_OK), 0);
    example_destroy(&e);
}

static void clip_without_pixels_is_refused(void **state)
{
    (void)state;
    struct example e;
    const char *path = in_folder("none.mp4");
    example_create(&e, 2, 8, 8);
    struct aosa_clip empty = *e.clip;
    empty.T = 0;
    e.spec.clip = &empty;
    assert_int_equal(ao_render_grid(&e.spec, in_folder("none.png")), AOSA_ERR_SHAPE);
    assert_int_equal(ao_render_overlay(&e.spec, path), AOSA_ERR_SHAPE);
    assert_int_not_equal(access(path, F_OK), 0);
    example_destroy(&e);
}

static void overlay_has_every_frame(void **state)
{
    (void)state;
    struct example e;
    const char *path = in_folder("overlay.mp4");
    struct ao_source_info info;
    example_create(&e, 5, 32, 32);
    assert_int_equal(ao_render_overlay(&e.spec, path), AOSA_OK);
    assert_int_equal(ao_source_probe(path, &info), AOSA_OK);
    assert_int_equal(info.frames, 5);
    assert_int_equal(info.H % 2 + info.W % 2, 0);
    assert_true(info.H >= 288 && info.W >= 3 * 288);
    assert_true(fabs(info.fps - 8.0) < 1e-9);
    example_destroy(&e);
}

static void overlay_that_cannot_be_written_is_reported(void **state)
{
    (void)state;
    struct example e;
    const char *path = in_folder("missing/overlay.mp4");
    example_create(&e, 2, 16, 16);
    assert_int_equal(ao_render_overlay(&e.spec, path), AOSA_ERR_OUTPUT);
    assert_non_null(strstr(aosa_error_message(), path));
    example_destroy(&e);
}

static aosa_status draw_everything(const struct example *e, const struct aosa_mask_set *set)
{
    const char *png = in_folder("oom.png");
    AO_TRY(ao_render_grid(&e->spec, png));
    AO_TRY(ao_render_overlay(&e->spec, in_folder("oom.mp4")));
    return ao_render_tracks(e->clip, set, png, NULL);
}

/* ---- tracks ---- */

/* Four tracks: still, to the right, down and lost after frame 2, and one that starts at frame 3. */
static struct aosa_mask_set *example_tracks(int T, int H, int W)
{
    struct aosa_mask_set *set;
    assert_int_equal(ao_mask_set_create(T, H, W, 8, 4, false, &set), AOSA_OK);
    for (int t = 0; t < T; t++) {
        const int16_t s = (int16_t)t;
        set->points[t] = (struct ao_track_point){ 1, 5, 5 };
        set->points[T + t] = (struct ao_track_point){ 1, 20, (int16_t)(4 + 4 * s) };
        set->points[2 * T + t] = (struct ao_track_point){ s <= 2, (int16_t)(10 + s), 30 };
        set->points[3 * T + t] = (struct ao_track_point){ s >= 3, (int16_t)(30 - s), 20 };
    }
    assert_int_equal(ao_mask_set_single(set), AOSA_OK);
    return set;
}

static void tracks_that_travel_far_are_chosen_first(void **state)
{
    (void)state;
    struct aosa_mask_set *set = example_tracks(7, 40, 40);
    int chosen[AO_TRACKS_CHOSEN], n;
    assert_int_equal(ao_tracks_choose(set, chosen, &n), AOSA_OK);
    assert_int_equal(n, 4);
    assert_int_equal(chosen[0], 1);
    assert_int_equal(chosen[3], 0);
    assert_int_equal(ao_tracks_alive(set, 2), 3);
    assert_int_equal(ao_tracks_alive(set, 3), 3);
    set->points[3 * 7].x = 6; /* now track 3 starts beside track 1 */
    set->points[3 * 7].y = 22;
    assert_int_equal(ao_tracks_choose(set, chosen, &n), AOSA_OK);
    assert_int_equal(n, 3);
    ao_mask_set_destroy(&set);
}

static void directions_have_their_own_hues(void **state)
{
    (void)state;
    const struct ao_ink right = ao_direction_ink(2, 0), left = ao_direction_ink(-2, 0);
    assert_true(right.r > right.g && right.r > right.b); /* red */
    assert_true(left.r < left.g && left.r < left.b);     /* cyan, its complement */
    const struct ao_ink still = ao_direction_ink(0, 0);
    assert_true(still.r + still.g + still.b >= 3.0); /* white */
}

static void tracks_are_drawn_on_a_sheet_and_in_a_video(void **state)
{
    (void)state;
    struct example e;
    const char *png = in_folder("tracks.png"), *mp4 = in_folder("tracks.mp4");
    struct ao_source_info info;
    example_create(&e, 7, 40, 40);
    struct aosa_mask_set *set = example_tracks(7, 40, 40);
    assert_int_equal(ao_render_tracks(e.clip, set, png, mp4), AOSA_OK);
    assert_int_equal(ao_source_probe(mp4, &info), AOSA_OK);
    assert_int_equal(info.frames, 7);

    cairo_surface_t *sheet = cairo_image_surface_create_from_png(png);
    assert_int_equal(cairo_surface_status(sheet), CAIRO_STATUS_SUCCESS);
    assert_int_equal(cairo_image_surface_get_width(sheet), 2 * 24 + 4 * 328 - 8);
    assert_int_equal(cairo_image_surface_get_height(sheet), 2 * 24 + 60 + 2 * 354 - 8);
    /* The still track's centre, pixel (5, 5) of 40 shown as 320, is a white dot in frame 0. */
    assert_pixel(sheet, 24 + 44, 24 + 60 + 26 + 44, 255, 255, 255);
    cairo_surface_destroy(sheet);

    set->H = 39;
    assert_int_equal(ao_render_tracks(e.clip, set, png, NULL), AOSA_ERR_SHAPE);
    ao_mask_set_destroy(&set);
    example_destroy(&e);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    struct example e;
    example_create(&e, 4, 16, 40);
    struct aosa_mask_set *set = example_tracks(4, 16, 40);
    long n = 1;
    for (;; n++) {
        ao_alloc_fail_at(n);
        const aosa_status status = draw_everything(&e, set);
        const bool failed = ao_alloc_has_failed();
        ao_alloc_fail_at(0);
        assert_int_equal(status, failed ? AOSA_ERR_NOMEM : AOSA_OK);
        if (!failed)
            break;
    }
    print_message("%ld allocations\n", n - 1);
    assert_true(n > 5);
    ao_mask_set_destroy(&set);
    example_destroy(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grid_holds_the_pixels_of_input_map_and_blend),
        cmocka_unit_test(same_input_gives_the_same_bytes),
        cmocka_unit_test(odd_clips_and_hostile_texts_have_pictures_too),
        cmocka_unit_test(path_that_cannot_be_written_is_reported),
        cmocka_unit_test(half_a_picture_is_removed),
        cmocka_unit_test(clip_without_pixels_is_refused),
        cmocka_unit_test(overlay_has_every_frame),
        cmocka_unit_test(overlay_that_cannot_be_written_is_reported),
        cmocka_unit_test(tracks_that_travel_far_are_chosen_first),
        cmocka_unit_test(directions_have_their_own_hues),
        cmocka_unit_test(tracks_are_drawn_on_a_sheet_and_in_a_video),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests_name("picture", tests, folder_make, folder_remove);
}
