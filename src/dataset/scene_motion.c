/* SPDX-License-Identifier: Apache-2.0 */
#include "dataset/scene_motion.h"

#include <math.h>

#define TWO_PI 6.283185307179586476925

/* Per frame of a 16-frame clip .014 to .027 of the side; here over the clip, 15 steps. */
static const double travel_range[2] = { 15 * 0.014, 15 * 0.027 };
static const double slant_max = 0.25;
static const double orbit_range[2] = { 0.08, 0.15 };
static const double turns_range[2] = { 0.75, 1.1 };
static const double zoom_range[2] = { 1.7, 2.4 };
static const double shake_range[2] = { 0.03, 0.05 };

static double draw(const double range[2], struct ao_rng *rng)
{
    return ao_rng_range(rng, range[0], range[1]);
}

/* A straight line along one axis (0 is x), slightly slanted towards the other. */
static void draw_travel(struct ao_path *path, int axis, double sign, struct ao_rng *rng)
{
    const double distance = draw(travel_range, rng);
    path->travel[axis] = sign * distance;
    path->travel[1 - axis] = distance * ao_rng_range(rng, -slant_max, slant_max);
}

static void draw_orbit(struct ao_path *path, double sign, struct ao_rng *rng)
{
    path->orbit = draw(orbit_range, rng);
    path->turns = sign * draw(turns_range, rng);
    path->phase = ao_rng_range(rng, 0.0, TWO_PI);
}

static void draw_shake(struct ao_path *path, struct ao_rng *rng)
{
    const double amplitude = draw(shake_range, rng);
    const double angle = ao_rng_range(rng, 0.0, TWO_PI);
    path->shake[0] = amplitude * cos(angle);
    path->shake[1] = amplitude * sin(angle);
}

static void draw_motion(struct ao_path *path, enum ao_motion motion, struct ao_rng *rng)
{
    switch (motion) {
    case AO_MOTION_LEFT:
        draw_travel(path, 0, -1.0, rng);
        break;
    case AO_MOTION_RIGHT:
        draw_travel(path, 0, 1.0, rng);
        break;
    case AO_MOTION_UP:
        draw_travel(path, 1, -1.0, rng);
        break;
    case AO_MOTION_DOWN:
        draw_travel(path, 1, 1.0, rng);
        break;
    case AO_MOTION_CLOCKWISE:
        draw_orbit(path, 1.0, rng);
        break;
    case AO_MOTION_COUNTERCLOCKWISE:
        draw_orbit(path, -1.0, rng);
        break;
    case AO_MOTION_ZOOM_IN:
        path->log_zoom = log(draw(zoom_range, rng));
        break;
    case AO_MOTION_ZOOM_OUT:
        path->log_zoom = -log(draw(zoom_range, rng));
        break;
    case AO_MOTION_SHAKE:
        draw_shake(path, rng);
        break;
    case AO_MOTION_STILL:
    case AO_MOTION_NONE:
    case AO_N_MOTIONS:
        break;
    }
}

/* Uniform over the centres from which the path, swept by the object, stays within [0, 1]. */
static void draw_centre(struct ao_path *path, double reach, struct ao_rng *rng)
{
    const double reach_max = reach * exp(0.5 * fabs(path->log_zoom)) + path->orbit;
    for (int axis = 0; axis < 2; axis++) {
        const double margin =
            fmin(0.5, reach_max + 0.5 * fabs(path->travel[axis]) + fabs(path->shake[axis]));
        path->centre[axis] = ao_rng_range(rng, margin, 1.0 - margin);
    }
}

void ao_path_draw(struct ao_path *path, enum ao_motion motion, double reach, struct ao_rng *rng)
{
    *path = (struct ao_path){ .centre = { 0.5, 0.5 } };
    draw_motion(path, motion, rng);
    draw_centre(path, reach, rng);
}

struct ao_pose ao_path_pose(const struct ao_path *path, int32_t t, int32_t n_frames)
{
    const double u = ao_clip_phase(t, n_frames);
    const double angle = path->phase + TWO_PI * path->turns * u;
    const double side = t % 2 == 0 ? 1.0 : -1.0;
    return (struct ao_pose){
        .x = path->centre[0] + path->travel[0] * (u - 0.5) + path->orbit * cos(angle) +
             side * path->shake[0],
        .y = path->centre[1] + path->travel[1] * (u - 0.5) + path->orbit * sin(angle) +
             side * path->shake[1],
        .scale = exp(path->log_zoom * (u - 0.5)),
    };
}

double ao_clip_phase(int32_t t, int32_t n_frames)
{
    return n_frames > 1 ? (double)t / (double)(n_frames - 1) : 0.0;
}
