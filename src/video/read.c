/* SPDX-License-Identifier: Apache-2.0 */
#include "video/video.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "core/sha256.h"
#include "video/array.h"
#include "video/decode.h"
#include "video/folder.h"
#include "video/source.h"

/* One clip being read: what is wanted, and where it goes. */
struct job {
    const char *path;
    const struct ao_preprocess *pre;
    struct ao_sampling sampling;
    struct aosa_clip *clip;
    int taken;
};

static aosa_status take_frame(void *context, int i, const struct ao_picture *frame)
{
    struct job *job = context;
    struct aosa_clip *clip = job->clip;
    uint8_t *dst = clip->rgb + (size_t)i * (size_t)clip->H * (size_t)clip->W * 3;
    const aosa_status status = ao_frame_fit(job->pre, frame, dst);
    if (status != AOSA_OK)
        return ao_fail_in(status, "%s", job->path);
    if (i == 0)
        ao_frame_placement(job->pre, frame, clip->scale, clip->offset);
    job->taken = i + 1;
    return AOSA_OK;
}

/* --- sampling --------------------------------------------------------------------------------- */

static int64_t span(const struct ao_sampling *sampling)
{
    return (sampling->n - 1) * sampling->step + 1;
}

/* Names what is needed, what there is, and a way out. */
static aosa_status too_short(const char *path, const struct ao_sampling *s, int64_t frames)
{
    char remedy[96] = "use a longer video";
    const int64_t left = frames - s->start;
    if (frames == 0)
        return ao_fail(AOSA_ERR_INPUT, "%s: has no frames", path);
    if (s->n > 1 && left >= s->n)
        snprintf(remedy, sizeof remedy, "use --step %lld", (long long)((left - 1) / (s->n - 1)));
    else if (s->start > 0 && frames >= s->n)
        snprintf(remedy, sizeof remedy, "use --start %lld --step 1", (long long)(frames - s->n));
    return ao_fail(AOSA_ERR_INPUT,
                   "%s: needs %d frames from %lld by %lld, that is %lld, and has "
                   "%lld: %s",
                   path, s->n, (long long)s->start, (long long)s->step,
                   (long long)(s->start + span(s)), (long long)frames, remedy);
}

/* A video that ended early: it may be short, or what is missing could not be decoded. */
static aosa_status damaged_or_short(const struct job *job, const struct ao_source_info *info)
{
    const struct ao_sampling *s = &job->sampling;
    if (info->decode_errors == 0)
        return too_short(job->path, s, info->frames);
    return ao_fail(
        AOSA_ERR_FORMAT,
        "%s: damaged or truncated: needs %lld frames, has %lld, and %d parts that cannot "
        "be decoded",
        job->path, (long long)(s->start + span(s)), (long long)info->frames, info->decode_errors);
}

static aosa_status check_length(const struct job *job, int64_t frames)
{
    if (frames < job->sampling.start + span(&job->sampling))
        return too_short(job->path, &job->sampling, frames);
    return AOSA_OK;
}

/* Frames of a source up to the end of the range. */
static int64_t usable(const struct ao_video_options *options, int64_t frames)
{
    return options->range_end > 0 && options->range_end < frames ? options->range_end : frames;
}

static bool is_spread(const struct ao_video_options *options)
{
    return options->start < 0 && options->clips > 1;
}

/* Sets job->sampling but for the start of clips spread over a source of unknown length. */
static aosa_status choose_frames(struct job *job, const struct ao_video_options *options, int k)
{
    struct ao_sampling *s = &job->sampling;
    s->n = options->frames > 0 ? options->frames : job->pre->T;
    s->step = options->step > 0 ? options->step : job->pre->step;
    if (k < 0 || k >= options->clips)
        return ao_fail(AOSA_ERR_ARGUMENT, "clip %d of %d does not exist", k, options->clips);
    if (s->n < 1 || s->step < 1)
        return ao_fail(AOSA_ERR_ARGUMENT, "%s: %d frames by %lld cannot be taken", job->path, s->n,
                       (long long)s->step);
    const int64_t first = options->range_first + (options->start > 0 ? options->start : 0);
    s->start = first + (is_spread(options) ? 0 : k * s->n * s->step);
    return check_length(job, usable(options, INT64_MAX));
}

/* The source has at least the frames of one clip. */
static void spread(struct job *job, const struct ao_video_options *options, int k, int64_t frames)
{
    if (!is_spread(options))
        return;
    const int64_t room = usable(options, frames) - job->sampling.start - span(&job->sampling);
    job->sampling.start += llrint((double)k * (double)room / (options->clips - 1));
}

/* --- sources ---------------------------------------------------------------------------------- */

static aosa_status read_folder(struct job *job, const struct ao_video_options *options, int k)
{
    struct ao_frame_list list;
    AO_TRY(ao_frame_list_open(&list, job->path));
    aosa_status status = check_length(job, (int64_t)list.n);
    if (status == AOSA_OK) {
        spread(job, options, k, (int64_t)list.n);
        status = ao_frame_list_read(&list, &job->sampling, take_frame, job,
                                    &job->clip->decode_errors, job->clip->source_sha256);
    }
    ao_frame_list_close(&list);
    if (status == AOSA_OK)
        ao_clip_normalise(job->clip);
    return status;
}

static aosa_status decode_video(struct job *job, const struct ao_file *file,
                                const struct ao_video_options *options, int k)
{
    struct ao_source_info info;
    if (is_spread(options)) {
        const struct ao_sampling all = { .step = 1 };
        AO_TRY(ao_video_decode(file->bytes, file->size, job->path, &all, NULL, NULL, &info));
        if (info.frames < job->sampling.start + span(&job->sampling))
            return damaged_or_short(job, &info);
        spread(job, options, k, info.frames);
    }
    AO_TRY(ao_video_decode(file->bytes, file->size, job->path, &job->sampling, take_frame, job,
                           &info));
    if (job->taken < job->sampling.n)
        return damaged_or_short(job, &info);
    job->clip->fps = info.fps;
    job->clip->decode_errors = info.decode_errors;
    ao_sha256(file->bytes, file->size, job->clip->source_sha256);
    ao_clip_normalise(job->clip);
    return AOSA_OK;
}

static aosa_status read_video(struct job *job, const struct ao_video_options *options, int k)
{
    struct ao_file file;
    AO_TRY(ao_file_open(&file, job->path));
    const aosa_status status = decode_video(job, &file, options, k);
    ao_file_close(&file);
    return status;
}

static aosa_status copy_array(struct job *job, const struct ao_clip_array *array,
                              const struct ao_video_options *options, int k)
{
    AO_TRY(check_length(job, array->T));
    spread(job, options, k, array->T);
    return ao_clip_array_read(array, &job->sampling, job->clip);
}

static aosa_status read_array(struct job *job, const struct ao_video_options *options, int k)
{
    struct ao_clip_array array;
    AO_TRY(ao_clip_array_open(&array, job->path, job->sampling.n, job->clip->H, job->clip->W));
    const aosa_status status = copy_array(job, &array, options, k);
    ao_clip_array_close(&array);
    return status;
}

static bool is_npy(const char *path)
{
    const size_t length = strlen(path);
    return length >= 4 && !strcmp(path + length - 4, ".npy");
}

static aosa_status read_source(struct job *job, const struct ao_video_options *options, int k)
{
    if (ao_path_is_folder(job->path))
        return read_folder(job, options, k);
    return is_npy(job->path) ? read_array(job, options, k) : read_video(job, options, k);
}

/* Mean and std as the clip keeps them: of colours from 0 to 1. */
static void set_normalisation(struct aosa_clip *clip, const struct ao_preprocess *pre)
{
    for (int c = 0; c < 3; c++) {
        clip->mean[c] = pre->mean[c] / pre->range;
        clip->std[c] = pre->std[c] / pre->range;
    }
    clip->bgr = pre->bgr;
}

aosa_status ao_clip_read(const char *path, const struct ao_preprocess *pre,
                         const struct ao_video_options *options, int clip_index,
                         struct aosa_clip **clip)
{
    struct job job = { .path = path, .pre = pre };
    AO_TRY(choose_frames(&job, options, clip_index));
    AO_TRY(ao_clip_create(job.sampling.n, pre->H, pre->W, &job.clip));
    set_normalisation(job.clip, pre);

    const aosa_status status = read_source(&job, options, clip_index);
    if (status != AOSA_OK) {
        ao_clip_destroy(&job.clip);
        return status;
    }
    for (int i = 0; i < job.sampling.n; i++)
        job.clip->frames[i] = job.sampling.start + i * job.sampling.step;
    job.clip->fps /= (double)job.sampling.step;
    *clip = job.clip;
    return AOSA_OK;
}

/* --- looking ---------------------------------------------------------------------------------- */

static aosa_status keep_size(void *context, int i, const struct ao_picture *frame)
{
    struct ao_source_info *info = context;
    (void)i;
    info->H = frame->H;
    info->W = frame->W;
    return AOSA_OK;
}

static aosa_status probe_folder(const char *path, struct ao_source_info *info)
{
    struct ao_frame_list list;
    char sha256[AO_SHA256_TEXT];
    const struct ao_sampling first = { .step = 1, .n = 1 };
    AO_TRY(ao_frame_list_open(&list, path));
    *info = (struct ao_source_info){ .frames = (int64_t)list.n, .fps = 25 };
    const aosa_status status =
        ao_frame_list_read(&list, &first, keep_size, info, &info->decode_errors, sha256);
    ao_frame_list_close(&list);
    return status;
}

static aosa_status probe_video(const char *path, struct ao_source_info *info)
{
    struct ao_file file;
    const struct ao_sampling all = { .step = 1 };
    AO_TRY(ao_file_open(&file, path));
    const aosa_status status = ao_video_decode(file.bytes, file.size, path, &all, NULL, NULL, info);
    ao_file_close(&file);
    if (status != AOSA_OK || info->frames > 0)
        return status;
    return damaged_or_short(&(struct job){ .path = path, .sampling = { .step = 1, .n = 1 } }, info);
}

static aosa_status probe_array(const char *path, struct ao_source_info *info)
{
    struct ao_clip_array array;
    AO_TRY(ao_clip_array_open(&array, path, 1, 0, 0));
    *info = (struct ao_source_info){ .frames = array.T, .H = array.H, .W = array.W, .fps = 25 };
    ao_clip_array_close(&array);
    return AOSA_OK;
}

aosa_status ao_source_probe(const char *path, struct ao_source_info *info)
{
    if (ao_path_is_folder(path))
        return probe_folder(path, info);
    return is_npy(path) ? probe_array(path, info) : probe_video(path, info);
}
