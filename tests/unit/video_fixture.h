/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_TESTS_VIDEO_FIXTURE_H
#define AO_TESTS_VIDEO_FIXTURE_H

/* Sources in a folder of the test's own, and reading them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/file.h"
#include "small_jpeg.h"
#include "support/folder.h"
#include "video/video.h"

static inline struct ao_preprocess network(int T, int H, int W)
{
    struct ao_preprocess pre;
    ao_preprocess_init(&pre, T, H, W);
    pre.resize_short = H < W ? H : W;
    return pre;
}

static const struct ao_video_options defaults = { .start = -1, .clips = 1 };

static inline struct aosa_clip *read_good(const char *path, const struct ao_preprocess *pre,
                                          const struct ao_video_options *options, int k)
{
    struct aosa_clip *clip = NULL;
    if (ao_clip_read(path, pre, options, k, &clip) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    return clip;
}

/* The read fails with that status, and its one line has all of the words. */
static inline void assert_refused(const char *path, const struct ao_preprocess *pre,
                                  const struct ao_video_options *options, aosa_status wanted,
                                  const char *word, const char *word2)
{
    struct aosa_clip *clip = NULL;
    const aosa_status status = ao_clip_read(path, pre, options, 0, &clip);
    const char *text = aosa_error_message();
    if (status != wanted || !strstr(text, word) || (word2 && !strstr(text, word2)) ||
        strchr(text, '\n') || !strstr(text, path))
        fail_msg("%s: status %s, wanted %s with '%s': %s", path, aosa_status_name(status),
                 aosa_status_name(wanted), word, text);
    assert_null(clip);
}

static inline void write_file(const char *path, const void *bytes, size_t size)
{
    if (ao_file_write(path, bytes, size) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
}

/* A folder `name` with frames first .. last, named by a format. */
#define MAKE_FRAMES(name, format, first, last)                          \
    do {                                                                \
        assert_int_equal(mkdir(in_folder(name), 0700), 0);              \
        for (int i = first; i <= last; i++) {                           \
            char file[160];                                             \
            snprintf(file, sizeof file, "%s/" format, name, i);         \
            write_file(in_folder(file), small_jpeg, sizeof small_jpeg); \
        }                                                               \
    } while (0)

#endif
