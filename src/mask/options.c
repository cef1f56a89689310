/* SPDX-License-Identifier: Apache-2.0 */
#include "mask/mask.h"

#include <limits.h>

#include "mask/generator.h"
#include "mask/stacking.h"

/* "flow_one|flow|...": the rows joined by bars, without the first bar. */
#define AO_MASK(name) "|" #name
static const char mask_names[] =
#include "mask/masks.def"
    ;
#undef AO_MASK
#define AO_STACK(name) "|" #name
static const char stack_names[] = "auto|none"
#include "mask/stacks.def"
    ;
#undef AO_STACK

#define MAX_SIDE 32767 /* positions are kept in 16 bits */

#define OPTIONS ao_mask_options
const struct ao_option ao_mask_option_table[] = {
    AO_OPT_CHOICE(
        OPTIONS, mask, "mask", NULL, &mask_names[1],
        "flow_one: one tube per start point that follows the motion; flow: tubes that "
        "also start later; cuboid: boxes that stand still; multi: those of flow_one in three "
        "sizes; carried: tubes from the middle frame both ways"),
    AO_OPT_INT(OPTIONS, size, "size", NULL, 1, MAX_SIDE, "PIXELS",
               "side of a mask (default: 16 at 112 pixels, scaled to the clip)"),
    AO_OPT_INT(OPTIONS, stride, "stride", NULL, 1, MAX_SIDE, "PIXELS",
               "distance between masks (default: 8 at 112 pixels, scaled to the clip)"),
    AO_OPT_INT(OPTIONS, time_size, "time-size", NULL, 1, INT_MAX, "FRAMES",
               "cuboid, flow: length of a mask (default: that of the clip)"),
    AO_OPT_INT(OPTIONS, time_stride, "time-stride", NULL, 1, INT_MAX, "FRAMES",
               "cuboid, flow: distance between start times (default: an eighth of the clip)"),
    AO_OPT_CHOICE(OPTIONS, stack, "stack", "auto", stack_names,
                  "how the partners of a mask are chosen; auto: flow_vec_corr if --partners is "
                  "given"),
    AO_OPT_INT(OPTIONS, partners, "partners", "0", 0, INT_MAX, "COUNT",
               "tracks that are occluded together with each track; 0: none"),
    AO_OPT_INT(OPTIONS, clusters, "clusters", "30", 1, INT_MAX, "COUNT", "k_means: most clusters"),
    AO_OPT_INT(OPTIONS, seed, "seed", "0", 0, INT_MAX, "NUMBER",
               "start of the random numbers of random and k_means"),
    AO_OPT_INT(OPTIONS, mask_sets, "mask-sets", "1", 1, 1000, "COUNT",
               "random: how often each track is used"),
    AO_OPT_FLAG(OPTIONS, no_delete_point, "no-delete-point",
                "flow: start tubes also where another tube already is"),
    AO_OPT_FLAG(OPTIONS, no_delete_outside, "no-delete-outside",
                "keep tubes at the border when they leave the frame"),
    AO_OPT_FLAG(OPTIONS, no_letterbox, "no-letterbox", "put masks on black bars too"),
    AO_OPT_FLAG(OPTIONS, stop_dead, "stop-dead",
                "a tube that left the frame stops, and its further motion does not count"),
    AO_OPT_FLAG(OPTIONS, exclude_self, "exclude-self",
                "a track is never its own partner, and one without motion has none"),
    AO_OPT_FLAG(OPTIONS, exact_delete_point, "exact-delete-point",
                "flow: only living tubes, where they are at that time, keep others from starting"),
    AO_OPT_END,
};
#undef OPTIONS

static int at_least_1(int value)
{
    return value < 1 ? 1 : value;
}

static void fill_from_size(struct ao_mask_options *options, int T, int H, int W)
{
    const int side = H < W ? H : W;
    if (!options->size)
        options->size = at_least_1((16 * side + 56) / 112);
    if (!options->stride)
        options->stride = at_least_1((8 * side + 56) / 112);
    if (!options->time_size)
        options->time_size = T;
    if (!options->time_stride)
        options->time_stride = at_least_1((int)(((int64_t)T + 4) / 8));
}

/* Structs filled without the table are held to its ranges too; 0 is left to fill_from_size. */
static aosa_status check_ranges(const struct ao_mask_options *options)
{
    for (const struct ao_option *row = ao_mask_option_table; row->name; row++) {
        if (row->type != AO_OPTION_INT)
            continue;
        const int value = *(const int *)((const char *)options + row->offset);
        if ((value != 0 || row->initial) && (value < row->min || value > row->max))
            return ao_fail(AOSA_ERR_ARGUMENT, "--%s: %d is out of range, %.0f to %.0f are allowed",
                           row->name, value, row->min, row->max);
    }
    return AOSA_OK;
}

static aosa_status check_stack(struct ao_mask_options *options)
{
    if (options->stack == AO_STACK_AUTO)
        options->stack = options->partners ? AO_STACK_NONE + 1 : AO_STACK_NONE;
    if (options->stack == AO_STACK_NONE && options->partners)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--stack none leaves no use for --partners %d: give one of them only",
                       options->partners);
    if (options->stack == AO_STACK_NONE)
        return AOSA_OK;
    const struct ao_mask_stacking *stacking = ao_mask_stackings()[options->stack - 2];
    const struct ao_mask_generator *generator = ao_mask_generators()[options->mask];
    if (!options->partners)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--stack %s needs to know how many: give --partners, such as 3",
                       stacking->name);
    if (!generator->needs_flow)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--stack %s compares motion, and --mask %s has none: take --mask flow_one",
                       stacking->name, generator->name);
    if (stacking->flow_one_only && options->mask != 0)
        return ao_fail(AOSA_ERR_ARGUMENT, "--stack %s works with --mask flow_one only, not with %s",
                       stacking->name, generator->name);
    return AOSA_OK;
}

static aosa_status check_official(const struct ao_mask_options *options)
{
    const char *fix = options->stop_dead            ? "stop-dead"
                      : options->exclude_self       ? "exclude-self"
                      : options->exact_delete_point ? "exact-delete-point"
                                                    : NULL;
    if (!fix)
        return AOSA_OK;
    return ao_fail(AOSA_ERR_ARGUMENT,
                   "--%s departs from the authors' code, so it cannot go with --compat official",
                   fix);
}

aosa_status ao_mask_options_resolve(const struct ao_mask_options *options, int T, int H, int W,
                                    bool official, struct ao_mask_options *resolved)
{
    struct ao_mask_options made = *options;
    if (T < 1 || H < 1 || W < 1 || H > MAX_SIDE || W > MAX_SIDE)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "masks: %d frames of %d x %d pixels; at least 1 frame and sides of 1 to %d "
                       "are needed",
                       T, H, W, MAX_SIDE);
    AO_TRY(check_ranges(&made));
    fill_from_size(&made, T, H, W);
    if (made.size > H || made.size > W)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--size %d is larger than the frame of %d x %d pixels: at most %d",
                       made.size, H, W, H < W ? H : W);
    AO_TRY(check_stack(&made));
    if (official)
        AO_TRY(check_official(&made));
    *resolved = made;
    return AOSA_OK;
}
