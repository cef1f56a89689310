/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_DATASET_SCENE_PAINT_H
#define AO_DATASET_SCENE_PAINT_H

#include "core/rng.h"
#include "dataset/scene_motion.h"

/* Colours are RGB in 0 .. 1; lengths and positions are fractions of the frame's side. */

#define AO_N_WAVES 8

/** One moving sinusoid: amplitude * sin(2 pi (kx x + ky y) + phase - 2 pi drift u). */
struct ao_wave {
    double kx, ky; /* cycles per side */
    double phase;  /* radians */
    double drift;  /* cycles over the clip */
    double amplitude[3];
};

/** A base colour plus waves; no waves make it flat. */
struct ao_background {
    double base[3];
    int n_waves;
    struct ao_wave waves[AO_N_WAVES];
};

/**
 * The waves along one row of pixels, stepped from pixel to pixel by a rotation instead of
 * calling sin() once per pixel and wave.
 */
struct ao_background_row {
    const struct ao_background *background;
    double sin_at[AO_N_WAVES], cos_at[AO_N_WAVES];
    double sin_step[AO_N_WAVES], cos_step[AO_N_WAVES];
};

/** Draws a background; a flat one still has a random base colour. */
void ao_background_draw(struct ao_background *background, bool textured, struct ao_rng *rng);

/** Starts row y of a frame at clip phase u (0 .. 1), at its leftmost pixel. */
void ao_background_begin_row(struct ao_background_row *row, const struct ao_background *background,
                             int32_t y, int32_t size, double u);

/** Colour of the next pixel of the row. */
void ao_background_next(struct ao_background_row *row, double colour[3]);

enum ao_sprite_shape { AO_SPRITE_LOBED_DISC, AO_SPRITE_SQUARE };
enum ao_sprite_texture { AO_SPRITE_CHECKER, AO_SPRITE_STRIPES, AO_SPRITE_PLAIN };

/**
 * A shape filled with a two-colour texture.
 *
 * The lobed disc has its edge at radius (1 + lobe_depth sin(n_lobes theta + lobe_phase)); the
 * square has sides of 2 * radius. Texture cells scale with the sprite and never turn.
 */
struct ao_sprite {
    struct ao_path path;
    enum ao_sprite_shape shape;
    enum ao_sprite_texture texture;
    double radius;
    double lobe_depth, lobe_phase;
    int n_lobes;
    double cell; /* of the texture, fraction of the radius */
    double cos_turn, sin_turn;
    double colours[2][3];
};

/** Draws the target: a lobed disc with a checker, moving along a path of the given class. */
void ao_sprite_draw_target(struct ao_sprite *sprite, enum ao_motion motion, struct ao_rng *rng);

/** Draws a distractor: a plain or striped square with any motion. */
void ao_sprite_draw_distractor(struct ao_sprite *sprite, struct ao_rng *rng);

/**
 * Paints one pixel of a sprite over `colour`.
 *
 * @param x, y   The pixel's centre, fractions of the side.
 * @param pixel  Edge of a pixel, fraction of the side: the width over which an edge is smoothed.
 * @return The covered part of the pixel, 0 .. 1.
 */
double ao_sprite_paint(const struct ao_sprite *sprite, const struct ao_pose *pose, double x,
                       double y, double pixel, double colour[3]);

#endif
