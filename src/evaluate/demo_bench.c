/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aosa/evaluate.h"
#include "core/alloc.h"
#include "core/file.h"
#include "dataset/scene.h"
#include "explain/save.h"
#include "explain/settings.h"
#include "model/progress.h"
#include "video/encode.h"

/*
 * The clips of dataset/scene.h as a dataset in UCF-101's layout: CLASS/v_CLASS_gGG_c01.mp4, the
 * official lists' form in ucfTrainTestlist, true boxes in boxes.csv. Clip i has motion i mod 10
 * (`none` has nothing to point at) and a seed of its own, so a larger N continues a smaller one.
 * Frames are twice the side the bundled network sees, so that the codec's chroma at half the
 * resolution costs it nothing.
 */
#define CLASSES AO_MOTION_NONE /* those before it */
#define SIZE 224
#define FRAMES 16
#define RATE 8

struct bench {
    struct ao_outdir dir;
    uint8_t *rgb; /* [FRAMES][SIZE][SIZE][3] */
    struct ao_page list, boxes;
};

static aosa_status encode(const char *path, const uint8_t *rgb)
{
    struct ao_encoder *encoder;
    AO_TRY(ao_encoder_open(path, SIZE, SIZE, RATE, 1, &encoder));
    for (int t = 0; t < FRAMES; t++) {
        const aosa_status status = ao_encoder_add(encoder, rgb + (size_t)t * SIZE * SIZE * 3);
        if (status != AOSA_OK) {
            ao_encoder_abort(&encoder);
            return status;
        }
    }
    return ao_encoder_close(&encoder);
}

static void add_boxes(struct bench *bench, const char *label, const char *name,
                      const struct ao_scene_box boxes[FRAMES])
{
    for (int t = 0; t < FRAMES; t++) {
        const struct ao_scene_box *b = &boxes[t];
        ao_page_add(&bench->boxes, "%s/%s,%s,%d,%" PRId32 ",%" PRId32 ",%" PRId32 ",%" PRId32 "\n",
                    label, name, label, t + 1, b->x0, b->y0, b->x1 - b->x0, b->y1 - b->y0);
    }
}

static aosa_status add_clip(struct bench *bench, int i, uint64_t seed)
{
    struct ao_scene_spec spec;
    struct ao_scene_box boxes[FRAMES];
    const enum ao_motion motion = (enum ao_motion)(i % CLASSES);
    const char *label = ao_motion_name(motion);
    char name[64], file[128];
    ao_scene_spec_init(&spec, motion, seed + (uint64_t)i);
    spec.size = SIZE;
    spec.n_frames = FRAMES;
    if (!ao_scene_render(&spec, bench->rgb, NULL, boxes))
        return ao_fail(AOSA_ERR_INTERNAL, "clip %d: its scene cannot be rendered", i);
    snprintf(name, sizeof name, "v_%s_g%02d_c01", label, i / CLASSES + 1);
    snprintf(file, sizeof file, "%s/%s.mp4", label, name);
    char *path = ao_outdir_file(&bench->dir, file);
    if (!path)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for its path", file);
    const aosa_status status = encode(path, bench->rgb);
    ao_free(path);
    ao_page_add(&bench->list, "%s\n", file);
    add_boxes(bench, label, name, boxes);
    return status;
}

static aosa_status write_bench(struct bench *bench, int clips, uint64_t seed,
                               const struct ao_progress *progress)
{
    struct ao_page classes = { 0 };
    bench->rgb = ao_alloc_raw((size_t)FRAMES * SIZE * SIZE, 3);
    if (!bench->rgb)
        return ao_fail(AOSA_ERR_NOMEM, "demo-bench: no memory for a clip");
    ao_page_add(&bench->boxes, "video,class,frame,x,y,w,h\n");
    for (int i = 0; i < clips; i++) {
        AO_TRY(ao_progress_report(progress, (size_t)i, (size_t)clips));
        AO_TRY(add_clip(bench, i, seed));
    }
    AO_TRY(ao_progress_report(progress, (size_t)clips, (size_t)clips));
    for (int c = 0; c < CLASSES; c++)
        ao_page_add(&classes, "%d %s\n", c + 1, ao_motion_name((enum ao_motion)c));
    AO_TRY(ao_save_page(&bench->dir, "ucfTrainTestlist/classInd.txt", &classes));
    AO_TRY(ao_save_page(&bench->dir, "ucfTrainTestlist/testlist01.txt", &bench->list));
    return ao_save_page(&bench->dir, "boxes.csv", &bench->boxes);
}

/* Any other option is a mistake. */
static aosa_status check_options(const aosa_settings *settings)
{
    struct aosa_option_info info;
    for (size_t i = 0; settings && aosa_option_at(i, &info); i++)
        if (strcmp(info.name, "clips") && strcmp(info.name, "seed") &&
            ao_settings_has(settings, info.name))
            return ao_fail(AOSA_ERR_ARGUMENT, "--%s: demo-bench reads --clips and --seed only",
                           info.name);
    return AOSA_OK;
}

aosa_status aosa_demo_bench(const aosa_settings *settings, const char *folder, bool force,
                            aosa_progress_fn progress, void *user)
{
    struct bench bench = { 0 };
    const bool has_clips = settings && ao_settings_has(settings, "clips");
    const int clips = has_clips ? settings->clip.clips : AOSA_DEMO_BENCH_CLIPS;
    const uint64_t seed = settings ? (uint64_t)settings->mask.seed : 0;
    const struct ao_progress steps = { .fn = progress, .user = user, .stage = "clips" };
    AO_TRY(check_options(settings));
    AO_TRY(ao_outdir_begin(&bench.dir, folder, "boxes.csv", force));
    aosa_status status = write_bench(&bench, clips, seed, &steps);
    if (status == AOSA_OK)
        status = ao_outdir_commit(&bench.dir);
    else
        ao_outdir_abort(&bench.dir);
    ao_free(bench.rgb);
    ao_free(bench.list.bytes);
    ao_free(bench.boxes.bytes);
    return status;
}
