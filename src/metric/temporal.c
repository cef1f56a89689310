/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "metric/again.h"

/*
 * Temporal pointing game (STEP): a clip joined in time with one of another class. Half of the
 * frames are the clip's and the rest the partner's, each time those in the middle, at their own
 * speed; it is a hit when the frame with the largest sum of the map (ties: the first) is the
 * clip's. Played twice, with the clip first and last, so a map that knows nothing of the clips
 * scores 0.5. Not defined without a partner, for a single frame, or where a map is not finite.
 */

/* Frames [from, from + n) of a clip in place of those at `to`. */
static void put_frames(const struct aosa_clip *clip, int from, int n, int to,
                       struct aosa_clip *joined)
{
    const size_t frame = (size_t)clip->H * (size_t)clip->W, voxels = ao_clip_voxels(clip);
    const size_t source = (size_t)from * frame, place = (size_t)to * frame;
    const size_t count = (size_t)n * frame;
    memcpy(joined->rgb + 3 * place, clip->rgb + 3 * source, 3 * count);
    for (size_t c = 0; c < 3; c++)
        memcpy(joined->values + c * voxels + place, clip->values + c * voxels + source,
               count * sizeof *joined->values);
}

static void join(const struct aosa_clip *clip, const struct aosa_clip *partner, bool first,
                 struct aosa_clip *joined)
{
    const int T = clip->T, own = T / 2, rest = T - own;
    put_frames(clip, (T - own) / 2, own, first ? 0 : rest, joined);
    put_frames(partner, (T - rest) / 2, rest, first ? own : 0, joined);
}

static int strongest_frame(const float *map, const struct aosa_clip *clip)
{
    const size_t frame = (size_t)clip->H * (size_t)clip->W;
    double most = -HUGE_VAL;
    int found = 0;
    for (int t = 0; t < clip->T; t++) {
        double sum = 0;
        for (size_t i = 0; i < frame; i++)
            sum += (double)map[(size_t)t * frame + i];
        if (sum > most) {
            most = sum;
            found = t;
        }
    }
    return found;
}

static aosa_status play(struct ao_metric_call *call, struct aosa_clip *joined, float *map,
                        double *score)
{
    const int T = call->clip->T;
    bool defined = true;
    double hits = 0;
    for (int k = 0; k < 2 && defined; k++) {
        const bool first = k == 0;
        join(call->clip, call->partner, first, joined);
        AO_TRY(ao_explain_again(call, call->model, joined, map, &defined));
        const int t = defined ? strongest_frame(map, joined) : 0;
        hits += first ? t < T / 2 : t >= T - T / 2;
    }
    if (defined)
        *score = hits / 2;
    return AOSA_OK;
}

aosa_status ao_metric_temporal(struct ao_metric_call *call)
{
    double score = (double)NAN;
    struct aosa_clip *joined = NULL;
    if (!call->partner || call->clip->T < 2)
        return ao_metric_add_value(call->answer, "temporal", NULL, score);
    AO_TRY(ao_clip_copy(call->clip, &joined));
    float *map = ao_alloc_raw(ao_clip_voxels(joined), sizeof *map);
    const aosa_status status = map ? play(call, joined, map, &score)
                                   : ao_fail(AOSA_ERR_NOMEM, "temporal: no memory for a map");
    ao_free(map);
    ao_clip_destroy(&joined);
    return status == AOSA_OK ? ao_metric_add_value(call->answer, "temporal", NULL, score) : status;
}
