/* SPDX-License-Identifier: Apache-2.0 */
#include "dataset/scene_paint.h"

#include <math.h>

#define PI 3.141592653589793238463
#define TWO_PI (2.0 * PI)

static const double wavelength_range[2] = { 0.07, 0.5 };
static const double amplitude_range[2] = { 0.05, 0.10 };
static const double drift_sigma = 15 * 0.003; /* over the clip: 15 steps of .003 */
static const double radius_range[2] = { 0.09, 0.14 };
static const double lobe_depth_range[2] = { 0.05, 0.13 };
static const double cell_range[2] = { 0.5, 0.7 };

/* A texture crosses from one colour to the other over about a third of a cell. */
static const double texture_contrast = 1.5;

static double clamp01(double v)
{
    return v < 0.0 ? 0.0 : v > 1.0 ? 1.0 : v;
}

static double draw(const double range[2], struct ao_rng *rng)
{
    return ao_rng_range(rng, range[0], range[1]);
}

static void wave_draw(struct ao_wave *wave, struct ao_rng *rng)
{
    /* Log-uniform, so that each octave of detail is as likely as the next. */
    const double wavelength =
        exp(ao_rng_range(rng, log(wavelength_range[0]), log(wavelength_range[1])));
    const double angle = ao_rng_range(rng, 0.0, TWO_PI);
    wave->kx = cos(angle) / wavelength;
    wave->ky = sin(angle) / wavelength;
    wave->phase = ao_rng_range(rng, 0.0, TWO_PI);
    const double shift_x = drift_sigma * ao_rng_normal(rng);
    const double shift_y = drift_sigma * ao_rng_normal(rng);
    wave->drift = wave->kx * shift_x + wave->ky * shift_y;
    const double amplitude = draw(amplitude_range, rng);
    for (int c = 0; c < 3; c++)
        wave->amplitude[c] = amplitude * ao_rng_normal(rng);
}

void ao_background_draw(struct ao_background *background, bool textured, struct ao_rng *rng)
{
    for (int c = 0; c < 3; c++)
        background->base[c] = ao_rng_range(rng, 0.3, 0.7);
    background->n_waves = textured ? AO_N_WAVES : 0;
    for (int i = 0; i < background->n_waves; i++)
        wave_draw(&background->waves[i], rng);
}

void ao_background_begin_row(struct ao_background_row *row, const struct ao_background *background,
                             int32_t y, int32_t size, double u)
{
    const double pixel = 1.0 / (double)size;
    row->background = background;
    for (int i = 0; i < background->n_waves; i++) {
        const struct ao_wave *wave = &background->waves[i];
        const double step = TWO_PI * wave->kx * pixel;
        const double angle = 0.5 * step + TWO_PI * wave->ky * ((double)y + 0.5) * pixel +
                             wave->phase - TWO_PI * wave->drift * u;
        row->sin_at[i] = sin(angle);
        row->cos_at[i] = cos(angle);
        row->sin_step[i] = sin(step);
        row->cos_step[i] = cos(step);
    }
}

void ao_background_next(struct ao_background_row *row, double colour[3])
{
    const struct ao_background *background = row->background;
    for (int c = 0; c < 3; c++)
        colour[c] = background->base[c];
    for (int i = 0; i < background->n_waves; i++) {
        const double s = row->sin_at[i];
        const double k = row->cos_at[i];
        for (int c = 0; c < 3; c++)
            colour[c] += background->waves[i].amplitude[c] * s;
        row->sin_at[i] = s * row->cos_step[i] + k * row->sin_step[i];
        row->cos_at[i] = k * row->cos_step[i] - s * row->sin_step[i];
    }
}

/* Any colour, and one half the range away from it in every channel: always in contrast. */
static void colours_draw(double colours[2][3], struct ao_rng *rng)
{
    for (int c = 0; c < 3; c++) {
        colours[0][c] = ao_rng_uniform(rng);
        colours[1][c] = colours[0][c] < 0.5 ? colours[0][c] + 0.5 : colours[0][c] - 0.5;
    }
}

static void texture_draw(struct ao_sprite *sprite, struct ao_rng *rng)
{
    const double turn = ao_rng_range(rng, 0.0, TWO_PI);
    sprite->cos_turn = cos(turn);
    sprite->sin_turn = sin(turn);
    sprite->cell = draw(cell_range, rng);
    colours_draw(sprite->colours, rng);
}

void ao_sprite_draw_target(struct ao_sprite *sprite, enum ao_motion motion, struct ao_rng *rng)
{
    /* One draw per statement: C leaves the order within an initialiser to the compiler. */
    *sprite = (struct ao_sprite){ .shape = AO_SPRITE_LOBED_DISC, .texture = AO_SPRITE_CHECKER };
    sprite->radius = draw(radius_range, rng);
    sprite->lobe_depth = draw(lobe_depth_range, rng);
    sprite->lobe_phase = ao_rng_range(rng, 0.0, TWO_PI);
    sprite->n_lobes = 3 + (int)ao_rng_below(rng, 3);
    texture_draw(sprite, rng);
    ao_path_draw(&sprite->path, motion, sprite->radius * (1.0 + sprite->lobe_depth), rng);
}

void ao_sprite_draw_distractor(struct ao_sprite *sprite, struct ao_rng *rng)
{
    *sprite = (struct ao_sprite){ .shape = AO_SPRITE_SQUARE };
    sprite->texture = ao_rng_below(rng, 2) == 0 ? AO_SPRITE_STRIPES : AO_SPRITE_PLAIN;
    sprite->radius = draw(radius_range, rng);
    texture_draw(sprite, rng);
    /* All motions but the last, `none`, which is no motion. */
    const enum ao_motion motion = (enum ao_motion)ao_rng_below(rng, AO_MOTION_NONE);
    ao_path_draw(&sprite->path, motion, sprite->radius, rng);
}

/* Distance from the edge to a point at (x, y) from the centre, at scale 1; inside is positive. */
static double sprite_depth(const struct ao_sprite *sprite, double x, double y)
{
    if (sprite->shape == AO_SPRITE_SQUARE)
        return sprite->radius - fmax(fabs(x), fabs(y));
    const double lobe = sin(sprite->n_lobes * atan2(y, x) + sprite->lobe_phase);
    return sprite->radius * (1.0 + sprite->lobe_depth * lobe) - hypot(x, y);
}

/* Share of the second colour, 0 .. 1, at (x, y) from the centre, at scale 1. */
static double sprite_texture(const struct ao_sprite *sprite, double x, double y)
{
    const double omega = PI / (sprite->cell * sprite->radius);
    const double p = sin(omega * (x * sprite->cos_turn + y * sprite->sin_turn));
    switch (sprite->texture) {
    case AO_SPRITE_CHECKER: {
        const double q = sin(omega * (y * sprite->cos_turn - x * sprite->sin_turn));
        return clamp01(0.5 + texture_contrast * p * q);
    }
    case AO_SPRITE_STRIPES:
        return clamp01(0.5 + texture_contrast * p);
    case AO_SPRITE_PLAIN:
        break;
    }
    return 0.0;
}

double ao_sprite_paint(const struct ao_sprite *sprite, const struct ao_pose *pose, double x,
                       double y, double pixel, double colour[3])
{
    const double dx = (x - pose->x) / pose->scale;
    const double dy = (y - pose->y) / pose->scale;
    const double reach = sprite->radius * (1.0 + sprite->lobe_depth) + pixel / pose->scale;
    if (fabs(dx) > reach || fabs(dy) > reach)
        return 0.0; /* most pixels: no trigonometry for them */

    const double depth_px = sprite_depth(sprite, dx, dy) * pose->scale / pixel;
    const double cover = clamp01(0.5 + depth_px);
    if (cover <= 0.0)
        return 0.0;
    const double share = sprite_texture(sprite, dx, dy);
    for (int c = 0; c < 3; c++) {
        const double paint =
            sprite->colours[0][c] + share * (sprite->colours[1][c] - sprite->colours[0][c]);
        colour[c] += cover * (paint - colour[c]);
    }
    return cover;
}
