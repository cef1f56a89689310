/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes synthetic clips with ground truth as raw files, for tools/train_demo.py and for looking
 * at what the renderer draws.
 *
 *     scene_dump PREFIX N FIRST_SEED [SIZE [FRAMES]]
 *
 * Clip i has seed FIRST_SEED + i, motion i mod 11 and level (i div 11) mod 4, so every 44 clips
 * hold each pair once. Files, arrays in C order:
 *
 *     PREFIX.rgb   uint8 [N][T][H][W][3]
 *     PREFIX.mask  uint8 [N][T][H][W], 1 on the target
 *     PREFIX.box   int32 [N][T][4], x0 y0 x1 y1, half-open, all 0 without a target
 *     PREFIX.csv   seed,motion,label,level
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataset/scene.h"

struct dump {
    int32_t size, n_frames;
    uint64_t first_seed;
    FILE *rgb_file, *mask_file, *box_file, *csv_file;
    uint8_t *rgb, *mask;
    struct ao_scene_box *boxes;
};

static FILE *file_open(const char *prefix, const char *suffix)
{
    char path[4096];
    const int length = snprintf(path, sizeof path, "%s.%s", prefix, suffix);
    if (length < 0 || (size_t)length >= sizeof path) {
        fprintf(stderr, "scene_dump: the prefix is too long\n");
        return NULL;
    }
    FILE *file = fopen(path, "wb");
    if (!file)
        fprintf(stderr, "scene_dump: %s: %s\n", path, strerror(errno));
    return file;
}

static size_t clip_pixels(const struct dump *dump)
{
    return (size_t)dump->n_frames * (size_t)dump->size * (size_t)dump->size;
}

static bool dump_open(struct dump *dump, const char *prefix)
{
    dump->rgb = malloc(3 * clip_pixels(dump));
    dump->mask = malloc(clip_pixels(dump));
    dump->boxes = malloc((size_t)dump->n_frames * sizeof *dump->boxes);
    if (!dump->rgb || !dump->mask || !dump->boxes) {
        fprintf(stderr, "scene_dump: out of memory\n");
        return false;
    }
    dump->rgb_file = file_open(prefix, "rgb");
    dump->mask_file = file_open(prefix, "mask");
    dump->box_file = file_open(prefix, "box");
    dump->csv_file = file_open(prefix, "csv");
    return dump->rgb_file && dump->mask_file && dump->box_file && dump->csv_file;
}

/* Closing writes what is still buffered, so a full disk may show only here. */
static bool file_close(FILE *file)
{
    if (!file)
        return true;
    const bool wrote = !ferror(file);
    return fclose(file) == 0 && wrote;
}

static bool dump_close(struct dump *dump)
{
    free(dump->rgb);
    free(dump->mask);
    free(dump->boxes);
    bool ok = file_close(dump->rgb_file);
    ok &= file_close(dump->mask_file);
    ok &= file_close(dump->box_file);
    ok &= file_close(dump->csv_file);
    return ok;
}

static bool dump_clip(struct dump *dump, int64_t i)
{
    struct ao_scene_spec spec;
    ao_scene_spec_init(&spec, (enum ao_motion)(i % AO_N_MOTIONS), dump->first_seed + (uint64_t)i);
    spec.size = dump->size;
    spec.n_frames = dump->n_frames;
    spec.level = (enum ao_scene_level)(i / AO_N_MOTIONS % AO_SCENE_N_LEVELS);
    if (!ao_scene_render(&spec, dump->rgb, dump->mask, dump->boxes)) {
        fprintf(stderr, "scene_dump: size %" PRId32 " or %" PRId32 " frames is out of range\n",
                spec.size, spec.n_frames);
        return false;
    }
    fwrite(dump->rgb, 3, clip_pixels(dump), dump->rgb_file);
    fwrite(dump->mask, 1, clip_pixels(dump), dump->mask_file);
    fwrite(dump->boxes, sizeof *dump->boxes, (size_t)dump->n_frames, dump->box_file);
    fprintf(dump->csv_file, "%" PRIu64 ",%d,%s,%d\n", spec.seed, (int)spec.motion,
            ao_motion_name(spec.motion), (int)spec.level);
    return true;
}

static bool dump_clips(struct dump *dump, int64_t n_clips)
{
    fprintf(dump->csv_file, "seed,motion,label,level\n");
    for (int64_t i = 0; i < n_clips; i++) {
        if (!dump_clip(dump, i))
            return false;
    }
    return true;
}

static bool number_parse(const char *text, int64_t lo, int64_t hi, int64_t *number)
{
    char *end;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < lo || value > hi) {
        fprintf(stderr, "scene_dump: '%s' is not a number from %" PRId64 " to %" PRId64 "\n", text,
                lo, hi);
        return false;
    }
    *number = value;
    return true;
}

int main(int argc, char **argv)
{
    int64_t n_clips, first_seed, size = 112, n_frames = 16;
    if (argc < 4 || argc > 6) {
        fprintf(stderr, "usage: scene_dump PREFIX N FIRST_SEED [SIZE [FRAMES]]\n");
        return 2;
    }
    if (!number_parse(argv[2], 0, INT32_MAX, &n_clips) ||
        !number_parse(argv[3], 0, INT64_MAX, &first_seed) ||
        (argc > 4 && !number_parse(argv[4], AO_SCENE_MIN_SIZE, AO_SCENE_MAX_SIZE, &size)) ||
        (argc > 5 && !number_parse(argv[5], 1, AO_SCENE_MAX_FRAMES, &n_frames)))
        return 2;

    struct dump dump = { .size = (int32_t)size,
                         .n_frames = (int32_t)n_frames,
                         .first_seed = (uint64_t)first_seed };
    const bool wrote = dump_open(&dump, argv[1]) && dump_clips(&dump, n_clips);
    const bool closed = dump_close(&dump);
    if (wrote && !closed)
        fprintf(stderr, "scene_dump: %s: could not write everything\n", argv[1]);
    return wrote && closed ? 0 : 1;
}
