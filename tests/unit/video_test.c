/* SPDX-License-Identifier: Apache-2.0 */
/* Videos: our own encoder's, the seeds of the fuzz target, bad ones, and a failing machine. */
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/npy.h"
#include "core/rng.h"
#include "core/sha256.h"
#include "video/encode.h"
#include "video_fixture.h"

#define FRAMES 40
#define SIDE 48

/* Frame t of a test video: grey level 20 + 5 t, with a brighter square that moves. */
static void paint(uint8_t *rgb, int t, int width, int height)
{
    memset(rgb, 20 + 5 * t, (size_t)width * (size_t)height * 3);
    for (int y = 4; y < 12 && y < height; y++)
        for (int x = t % 30; x < t % 30 + 8 && x < width; x++)
            memset(rgb + 3 * (y * width + x), 250, 3);
}

static aosa_status write_video(const char *path, int n, int width, int height)
{
    struct ao_encoder *encoder = NULL;
    AO_TRY(ao_encoder_open(path, width, height, 25, 1, &encoder));
    uint8_t *rgb = malloc((size_t)width * (size_t)height * 3);
    assert_non_null(rgb);
    aosa_status status = AOSA_OK;
    for (int t = 0; t < n && status == AOSA_OK; t++) {
        paint(rgb, t, width, height);
        status = ao_encoder_add(encoder, rgb);
    }
    free(rgb);
    if (status == AOSA_OK)
        return ao_encoder_close(&encoder);
    ao_encoder_abort(&encoder);
    return status;
}

static int make_files(void **state)
{
    return folder_make(state) || write_video(in_folder("good.mp4"), FRAMES, SIDE, SIDE) != AOSA_OK;
}

/* The level of frame t in the lower half, where the square never is. */
static double level(const struct aosa_clip *clip, int t)
{
    const size_t n = (size_t)clip->H * (size_t)clip->W * 3;
    const uint8_t *rgb = clip->rgb + (size_t)t * n;
    double sum = 0;
    for (size_t i = n / 2; i < n; i++)
        sum += rgb[i];
    return sum / (double)(n - n / 2);
}

/* --- sampling --------------------------------------------------------------------------------- */

static void assert_frames(int frames, int step, int start, int clips, int k, int first)
{
    const struct ao_preprocess pre = network(8, SIDE, SIDE);
    const struct ao_video_options options = {
        .frames = frames, .step = step, .start = start, .clips = clips
    };
    struct aosa_clip *clip = read_good(in_folder("good.mp4"), &pre, &options, k);
    const int T = frames ? frames : 8, by = step ? step : 1;
    assert_int_equal(clip->T, T);
    for (int t = 0; t < T; t++) {
        assert_int_equal(clip->frames[t], first + by * t);
        /* Levels are 5 apart; the encoder and two colour conversions move them by about 1. */
        assert_true(fabs(level(clip, t) - (20 + 5 * (first + by * t))) < 2.4);
    }
    assert_true(clip->fps == 25.0 / by);
    assert_int_equal(clip->decode_errors, 0);
    ao_clip_destroy(&clip);
}

static void frames_are_taken_where_the_options_say(void **state)
{
    (void)state;
    assert_frames(0, 0, -1, 1, 0, 0);
    assert_frames(4, 3, 5, 1, 0, 5);
    assert_frames(40, 1, 0, 1, 0, 0);
    assert_frames(1, 1, 39, 1, 0, 39); /* the last one leaves the decoder only at the end */
    assert_frames(20, 2, 1, 1, 0, 1);
}

static void clips_follow_each_other_from_a_start_and_spread_without(void **state)
{
    (void)state;
    assert_frames(8, 1, 0, 5, 1, 8);
    assert_frames(8, 1, 0, 5, 4, 32);
    assert_frames(4, 2, 3, 3, 2, 19);
    assert_frames(8, 1, -1, 3, 0, 0);
    assert_frames(8, 1, -1, 3, 1, 16);
    assert_frames(8, 1, -1, 3, 2, 32);
    assert_frames(4, 3, -1, 2, 1, 30);

    struct aosa_clip *clip = NULL;
    const struct ao_preprocess pre = network(8, SIDE, SIDE);
    const struct ao_video_options options = { .start = 0, .clips = 2 };
    assert_int_equal(ao_clip_read(in_folder("good.mp4"), &pre, &options, 2, &clip),
                     AOSA_ERR_ARGUMENT);
}

static void too_short_videos_name_both_lengths_and_a_way_out(void **state)
{
    (void)state;
    const char *path = in_folder("good.mp4");
    const struct ao_preprocess pre = network(16, SIDE, SIDE);
    struct ao_video_options options = { .step = 3, .start = 2, .clips = 1 };
    assert_refused(path, &pre, &options, AOSA_ERR_INPUT,
                   "needs 16 frames from 2 by 3, that is 48, and has 40", "use --step 2");
    options.start = 30;
    assert_refused(path, &pre, &options, AOSA_ERR_INPUT, "has 40", "use --start 24 --step 1");
    options = (struct ao_video_options){ .frames = 41, .start = -1, .clips = 4 };
    assert_refused(path, &pre, &options, AOSA_ERR_INPUT, "that is 41, and has 40", "longer video");
    options = (struct ao_video_options){ .start = 1000000000, .step = 4096, .clips = 1 };
    assert_refused(path, &pre, &options, AOSA_ERR_INPUT, "has 40", NULL);
}

/* --- videos ----------------------------------------------------------------------------------- */

static void a_source_knows_its_size_and_length(void **state)
{
    (void)state;
    struct ao_source_info info;
    assert_int_equal(ao_source_probe(in_folder("good.mp4"), &info), AOSA_OK);
    assert_true(info.frames == FRAMES && info.H == SIDE && info.W == SIDE && info.fps == 25);
    assert_int_equal(info.decode_errors, 0);
}

static void the_same_frames_give_the_same_file(void **state)
{
    (void)state;
    struct ao_file a, b;
    assert_int_equal(write_video(in_folder("again.mp4"), FRAMES, SIDE, SIDE), AOSA_OK);
    assert_int_equal(ao_file_open(&a, in_folder("good.mp4")), AOSA_OK);
    assert_int_equal(ao_file_open(&b, in_folder("again.mp4")), AOSA_OK);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.bytes, b.bytes, a.size);

    char digest[AO_SHA256_TEXT];
    const struct ao_preprocess pre = network(2, SIDE, SIDE);
    struct aosa_clip *clip = read_good(in_folder("again.mp4"), &pre, &defaults, 0);
    ao_sha256(b.bytes, b.size, digest);
    assert_string_equal(clip->source_sha256, digest);
    ao_clip_destroy(&clip);
    ao_file_close(&a);
    ao_file_close(&b);
}

/* Written as BT.709 and read by the matrix that the file names. Two conversions round to bytes of
 * narrow range (one level is 255 / 219 of ours), and the encoder quantises: 4 levels. */
static void colours_survive_the_round_trip(void **state)
{
    (void)state;
    static const uint8_t colours[][3] = { { 200, 60, 30 }, { 20, 180, 90 }, { 40, 50, 220 } };
    const char *path = in_folder("colour.mp4");
    const struct ao_preprocess pre = network(3, SIDE, SIDE);
    struct ao_encoder *encoder = NULL;
    static uint8_t rgb[SIDE * SIDE * 3];
    assert_int_equal(ao_encoder_open(path, SIDE, SIDE, 30000, 1001, &encoder), AOSA_OK);
    for (int t = 0; t < 3; t++) {
        for (int i = 0; i < SIDE * SIDE; i++)
            memcpy(rgb + 3 * i, colours[t], 3);
        assert_int_equal(ao_encoder_add(encoder, rgb), AOSA_OK);
    }
    assert_int_equal(ao_encoder_close(&encoder), AOSA_OK);
    struct aosa_clip *clip = read_good(path, &pre, &defaults, 0);
    int worst = 0;
    for (int t = 0; t < 3; t++)
        for (int i = 0; i < SIDE * SIDE * 3; i++) {
            const int off = abs(clip->rgb[t * SIDE * SIDE * 3 + i] - colours[t][i % 3]);
            worst = off > worst ? off : worst;
        }
    print_message("colours differ by at most %d levels\n", worst);
    assert_true(worst <= 4);
    assert_true(fabs(clip->fps - 30000.0 / 1001) < 1e-9);
    ao_clip_destroy(&clip);
}

static void odd_sizes_are_padded_by_one(void **state)
{
    (void)state;
    static const int sizes[][2] = { { 31, 17 }, { 1, 1 }, { 33, 20 }, { 16, 16 } };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct ao_source_info info;
        const char *path = in_folder("odd.mp4");
        assert_int_equal(write_video(path, 3, sizes[i][0], sizes[i][1]), AOSA_OK);
        assert_int_equal(ao_source_probe(path, &info), AOSA_OK);
        assert_int_equal(info.W, sizes[i][0] + sizes[i][0] % 2);
        assert_int_equal(info.H, sizes[i][1] + sizes[i][1] % 2);
        assert_int_equal(info.frames, 3);
    }
}

static void a_video_of_one_frame_is_one_frame(void **state)
{
    (void)state;
    const char *path = in_folder("one.mp4");
    const struct ao_preprocess pre = network(1, SIDE, SIDE), longer = network(2, SIDE, SIDE);
    assert_int_equal(write_video(path, 1, SIDE, SIDE), AOSA_OK);
    struct aosa_clip *clip = read_good(path, &pre, &defaults, 0);
    ao_clip_destroy(&clip);
    assert_refused(path, &longer, &defaults, AOSA_ERR_INPUT, "needs 2 frames", "has 1");
}

static void a_video_without_frames_is_refused(void **state)
{
    (void)state;
    const char *path = in_folder("none.mp4");
    const struct ao_preprocess pre = network(1, SIDE, SIDE);
    struct aosa_clip *clip = NULL;
    assert_int_equal(write_video(path, 0, SIDE, SIDE), AOSA_OK);
    const aosa_status status = ao_clip_read(path, &pre, &defaults, 0, &clip);
    print_message("zero frames: %s\n", aosa_error_message());
    assert_true(status == AOSA_ERR_FORMAT || status == AOSA_ERR_INPUT);
}

static void files_that_are_no_videos_are_refused(void **state)
{
    (void)state;
    static const char playlist[] = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.ts\n";
    static const char script[] = "ffconcat version 1.0\nfile secret.ts\n";
    const struct ao_preprocess pre = network(4, SIDE, SIDE);
    uint8_t wav[44 + 4000] =
        "RIFF\xc4\x0f\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0"
        "\x10\0data\xa0\x0f\0\0";
    uint8_t noise[5000];
    struct ao_rng rng;
    ao_rng_init(&rng, 3);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)ao_rng_next(&rng);

    write_file(in_folder("a.avi"), wav, sizeof wav);
    assert_refused(in_folder("a.avi"), &pre, &defaults, AOSA_ERR_FORMAT, "not a video", "WAV");
    write_file(in_folder("b.avi"), noise, sizeof noise);
    assert_refused(in_folder("b.avi"), &pre, &defaults, AOSA_ERR_FORMAT, "not a video", NULL);
    write_file(in_folder("c.mp4"), "hello\n", 6);
    assert_refused(in_folder("c.mp4"), &pre, &defaults, AOSA_ERR_FORMAT, "not a video", NULL);
    write_file(in_folder("d.mp4"), "", 0);
    assert_refused(in_folder("d.mp4"), &pre, &defaults, AOSA_ERR_FORMAT, "empty", NULL);
    write_file(in_folder("e.mp4"), playlist, sizeof playlist - 1);
    assert_refused(in_folder("e.mp4"), &pre, &defaults, AOSA_ERR_FORMAT, "not a video", NULL);
    write_file(in_folder("f.mp4"), script, sizeof script - 1);
    assert_refused(in_folder("f.mp4"), &pre, &defaults, AOSA_ERR_FORMAT, "not a video", NULL);
    write_file(in_folder("g.jpg"), small_jpeg, sizeof small_jpeg);
    assert_refused(in_folder("g.jpg"), &pre, &defaults, AOSA_ERR_FORMAT, "not a video", NULL);
    assert_refused(in_folder("missing.mp4"), &pre, &defaults, AOSA_ERR_INPUT, "No such file", NULL);
    assert_int_equal(mkfifo(in_folder("pipe.mp4"), 0600), 0);
    assert_refused(in_folder("pipe.mp4"), &pre, &defaults, AOSA_ERR_INPUT, "not a regular", NULL);
}

/* A seed of the fuzz target for videos; the tests run in the root of the source. */
static const char *seed(const char *name)
{
    static char path[256];
    const char *root = getenv("AOSA_SOURCE_ROOT");
    snprintf(path, sizeof path, "%s/fuzz/corpus/video/%s", root ? root : ".", name);
    return path;
}

static void sound_without_pictures_is_refused(void **state)
{
    (void)state;
    const struct ao_preprocess pre = network(4, SIDE, SIDE);
    assert_refused(seed("i.mp4"), &pre, &defaults, AOSA_ERR_FORMAT, "has no video stream",
                   "only sound");
}

static void containers_and_pixel_formats_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int frames, W, H;
    } videos[] = {
        { "a.avi", 8, 32, 24 }, { "b.mkv", 8, 32, 24 },  { "c.mp4", 8, 32, 24 },
        { "d.gif", 8, 32, 24 }, { "e.webm", 8, 32, 24 }, { "f.ts", 8, 32, 24 },
        { "g.mp4", 8, 32, 24 }, { "h.y4m", 2, 8, 6 }, /* ten bits a sample */
        { "j.mov", 8, 24, 32 },                       /* turned by 90 degrees */
    };
    for (size_t i = 0; i < sizeof videos / sizeof videos[0]; i++) {
        struct ao_source_info info;
        const struct ao_preprocess pre = network(2, 6, 6);
        if (ao_source_probe(seed(videos[i].name), &info) != AOSA_OK)
            fail_msg("%s", aosa_error_message());
        assert_int_equal(info.frames, videos[i].frames);
        assert_int_equal(info.W, videos[i].W);
        assert_int_equal(info.H, videos[i].H);
        struct aosa_clip *clip = read_good(seed(videos[i].name), &pre, &defaults, 0);
        ao_clip_destroy(&clip);
    }
}

/* j.mov is c.mp4 with a display matrix: the same pictures, turned. */
static void rotation_turns_the_pictures(void **state)
{
    (void)state;
    struct ao_preprocess upright = network(1, 24, 32), turned = network(1, 32, 24);
    upright.resize = turned.resize = AO_RESIZE_NONE;
    struct aosa_clip *a = read_good(seed("c.mp4"), &upright, &defaults, 0);
    struct aosa_clip *b = read_good(seed("j.mov"), &turned, &defaults, 0);
    /* Its matrix says x' = y, y' = -x: the upper left corner comes to the lower left. */
    for (int y = 0; y < 24; y++)
        for (int x = 0; x < 32; x++)
            assert_memory_equal(a->rgb + 3 * (y * 32 + x), b->rgb + 3 * ((31 - x) * 24 + y), 3);
    ao_clip_destroy(&a);
    ao_clip_destroy(&b);
}

/* Cut anywhere, a video gives what is there, or one clear line. */
static void truncated_videos_give_their_frames_or_one_line(void **state)
{
    (void)state;
    struct ao_file file;
    assert_int_equal(ao_file_open(&file, in_folder("good.mp4")), AOSA_OK);
    const struct ao_preprocess pre = network(FRAMES, SIDE, SIDE);
    int read = 0, refused = 0;
    for (size_t n = 1; n <= file.size; n += n < 64 ? 1 : 97) {
        struct ao_source_info info;
        write_file(in_folder("cut.mp4"), file.bytes, n);
        if (ao_source_probe(in_folder("cut.mp4"), &info) == AOSA_OK) {
            assert_true(info.frames >= 1 && info.frames <= FRAMES);
            read++;
        } else {
            assert_non_null(strstr(aosa_error_message(), "cut.mp4: "));
            refused++;
        }
    }
    assert_true(read > 0 && refused > 0);
    write_file(in_folder("half.mp4"), file.bytes, file.size / 2 + file.size / 4);
    ao_file_close(&file);
    assert_refused(in_folder("half.mp4"), &pre, &defaults, AOSA_ERR_FORMAT, "damaged or truncated",
                   "needs 40 frames, has ");
    print_message("three quarters of the file: %s\n", aosa_error_message());
}

/* Changed bytes: never a crash, and the same frames and errors when read again. */
static void damaged_videos_are_survived_alike_every_time(void **state)
{
    (void)state;
    struct ao_file file;
    struct ao_rng rng;
    int with_errors = 0;
    assert_int_equal(ao_file_open(&file, in_folder("good.mp4")), AOSA_OK);
    ao_rng_init(&rng, 5);
    uint8_t *bytes = malloc(file.size);
    assert_non_null(bytes);
    for (int i = 0; i < 60; i++) {
        struct ao_source_info first = { 0 }, second = { 0 };
        memcpy(bytes, file.bytes, file.size);
        for (uint64_t k = 0; k <= ao_rng_below(&rng, 12); k++)
            bytes[ao_rng_below(&rng, file.size)] = (uint8_t)ao_rng_next(&rng);
        write_file(in_folder("damaged.mp4"), bytes, file.size);
        const aosa_status status = ao_source_probe(in_folder("damaged.mp4"), &first);
        assert_int_equal(ao_source_probe(in_folder("damaged.mp4"), &second), status);
        if (status != AOSA_OK)
            continue;
        assert_int_equal(first.frames, second.frames);
        assert_int_equal(first.decode_errors, second.decode_errors);
        with_errors += first.decode_errors > 0;
    }
    print_message("%d of 60 damaged videos decoded with errors counted\n", with_errors);
    assert_true(with_errors > 0);
    free(bytes);
    ao_file_close(&file);
}

/* --- failures of the machine ------------------------------------------------------------------ */

/* Fails the n-th allocation, n = 1 .. until none fails; a sanitizer sees the leaks. */
static void a_failed_allocation_is_reported_and_leaks_nothing(void **state)
{
    (void)state;
    const struct ao_preprocess pre = network(4, 6, 6);
    MAKE_FRAMES("oom", "image_%05d.jpg", 1, 6);
    static const char *const names[] = { "good.mp4", "oom", "oom.npy" };
    static const uint8_t zeros[6 * 6 * 6 * 3];
    assert_int_equal(
        ao_npy_write(in_folder("oom.npy"), AO_NPY_U8, 4, (int64_t[]){ 6, 6, 6, 3 }, zeros), 0);
    for (size_t i = 0; i < 3; i++)
        for (long n = 1;; n++) {
            struct aosa_clip *clip = NULL;
            ao_alloc_fail_at(n);
            const aosa_status status = ao_clip_read(in_folder(names[i]), &pre, &defaults, 0, &clip);
            const bool failed = ao_alloc_has_failed();
            ao_alloc_fail_at(0);
            if (!failed) {
                assert_int_equal(status, AOSA_OK);
                print_message("%s: %ld allocations failed in turn\n", names[i], n - 1);
                ao_clip_destroy(&clip);
                break;
            }
            assert_int_equal(status, AOSA_ERR_NOMEM);
            assert_null(clip);
        }
}

static void videos_that_cannot_be_written_say_why_and_leave_no_file(void **state)
{
    (void)state;
    struct ao_encoder *encoder = NULL;
    assert_int_equal(ao_encoder_open("/nonexistent/a.mp4", 16, 16, 25, 1, &encoder),
                     AOSA_ERR_OUTPUT);
    assert_non_null(strstr(aosa_error_message(), "/nonexistent/a.mp4: cannot be written: No such"));
    assert_int_equal(ao_encoder_open(in_folder("x.mp4"), 0, 16, 25, 1, &encoder),
                     AOSA_ERR_ARGUMENT);
    if (access("/dev/full", W_OK) == 0) {
        assert_int_equal(write_video("/dev/full", FRAMES, SIDE, SIDE), AOSA_ERR_OUTPUT);
        assert_non_null(strstr(aosa_error_message(), "No space left"));
        assert_int_equal(access("/dev/full", F_OK), 0);
    }
    /* A disk that fills up on the way: a limit on the size of files. */
    struct rlimit old, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = (struct rlimit){ 2000, old.rlim_max };
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    const aosa_status status = write_video(in_folder("big.mp4"), FRAMES, SIDE, SIDE);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, AOSA_ERR_OUTPUT);
    assert_non_null(strstr(aosa_error_message(), "big.mp4: cannot be"));
    assert_int_equal(access(in_folder("big.mp4"), F_OK), -1);
}

static void an_aborted_video_leaves_no_file(void **state)
{
    (void)state;
    struct ao_encoder *encoder = NULL;
    uint8_t rgb[3 * 16 * 16];
    memset(rgb, 90, sizeof rgb);
    assert_int_equal(ao_encoder_open(in_folder("stop.mp4"), 16, 16, 25, 1, &encoder), AOSA_OK);
    print_message("encoder: %s\n", ao_encoder_name(encoder));
    assert_int_equal(ao_encoder_add(encoder, rgb), AOSA_OK);
    ao_encoder_abort(&encoder);
    assert_null(encoder);
    ao_encoder_abort(&encoder);
    assert_int_equal(access(in_folder("stop.mp4"), F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_taken_where_the_options_say),
        cmocka_unit_test(clips_follow_each_other_from_a_start_and_spread_without),
        cmocka_unit_test(too_short_videos_name_both_lengths_and_a_way_out),
        cmocka_unit_test(a_source_knows_its_size_and_length),
        cmocka_unit_test(the_same_frames_give_the_same_file),
        cmocka_unit_test(colours_survive_the_round_trip),
        cmocka_unit_test(odd_sizes_are_padded_by_one),
        cmocka_unit_test(a_video_of_one_frame_is_one_frame),
        cmocka_unit_test(a_video_without_frames_is_refused),
        cmocka_unit_test(files_that_are_no_videos_are_refused),
        cmocka_unit_test(sound_without_pictures_is_refused),
        cmocka_unit_test(containers_and_pixel_formats_are_read),
        cmocka_unit_test(rotation_turns_the_pictures),
        cmocka_unit_test(truncated_videos_give_their_frames_or_one_line),
        cmocka_unit_test(damaged_videos_are_survived_alike_every_time),
        cmocka_unit_test(a_failed_allocation_is_reported_and_leaks_nothing),
        cmocka_unit_test(videos_that_cannot_be_written_say_why_and_leave_no_file),
        cmocka_unit_test(an_aborted_video_leaves_no_file),
    };
    return cmocka_run_group_tests(tests, make_files, folder_remove);
}
