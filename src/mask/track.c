/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "mask/generator.h"

/*
 * A pixel plus a displacement. The authors' first step adds float32 to int64, which NumPy does in
 * double; later ones add it to int16, which it does in float. It matters for ties at .5 only.
 */
static double moved(int16_t from, float by, bool single)
{
    return single ? (double)((float)from + by) : (double)from + (double)by;
}

static int16_t to_pixel(double position, enum ao_track_rounding rounding, int length)
{
    const double whole = rounding == AO_TRACK_NEAREST ? rint(position) : trunc(position);
    return (int16_t)fmin(fmax(whole, 0.0), (double)(length - 1));
}

void ao_track_walk(const struct ao_mask_job *job, struct aosa_mask_set *set, int n,
                   struct ao_grid_point start, int t0, int t1, enum ao_track_rounding rounding)
{
    const bool stops = job->options->stop_dead, deletes = !job->options->no_delete_outside;
    struct ao_track_point *points = set->points + (size_t)n * (size_t)set->T;
    float *motion = set->motion + 2 * (size_t)n * (size_t)(set->T - 1);
    struct ao_track_point at = { 1, start.y, start.x };
    for (int t = 0; t < t0; t++)
        points[t] = (struct ao_track_point){ 0, start.y, start.x };
    for (int t = t0; t < t1; t++) {
        points[t] = at;
        if (t == set->T - 1 || (stops && !at.alive))
            continue;
        const float *d = ao_flow_at(job->flow, t, at.y, at.x);
        const bool single = rounding == AO_TRACK_NEAREST && t > t0;
        const double x = moved(at.x, d[0], single), y = moved(at.y, d[1], single);
        motion[2 * t] = d[0];
        motion[2 * t + 1] = d[1];
        if (deletes && (y < job->row_lo || y > job->row_hi || x < 0 || x > set->W - 1))
            at.alive = 0;
        at.y = to_pixel(y, rounding, set->H);
        at.x = to_pixel(x, rounding, set->W);
    }
    at.alive = 0;
    for (int t = t1; t < set->T; t++)
        points[t] = at;
}
