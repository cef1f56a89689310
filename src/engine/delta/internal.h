/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ENGINE_DELTA_INTERNAL_H
#define AO_ENGINE_DELTA_INTERNAL_H

#include "engine/delta.h"
#include "engine/plan.h"
#include "kernels/kernels.h"
#include "ops/op.h"

/*
 * A changed value is a list of rows: for each mask, in order, the positions where it differs from
 * the base, ascending, and at each the C changes of its channels. A position is the linear index
 * (t * H + y) * W + x. One row of zeros follows the last row, for taps that find no change.
 */

#define AO_NO_VALUE (-1)
#define AO_NO_ROW UINT32_MAX

/* A value as channels x positions. A tensor [1][C][T][H][W] has C channels at T*H*W positions;
 * after pooling and flattening all elements are channels at one position. */
struct ao_delta_extent {
    int64_t C;
    int64_t dims[3]; /* T, H, W */
};

struct ao_delta_value {
    bool changed; /* depends on the clip and has a delta */
    struct ao_delta_extent extent;
    int32_t of;   /* value whose rows these are: its own index, or that of an alias's source */
    int64_t keep; /* offset in the base's floats of [positions][C], or -1 */
    bool last;    /* the value's own shape is [1][T][H][W][C] */
};

enum ao_delta_rule {
    AO_DELTA_CONV, /* also Gemm and MatMul: one position, taps along the channels */
    AO_DELTA_RELU,
    AO_DELTA_POINTWISE, /* f(y + d) - f(y) */
    AO_DELTA_SCALE,     /* d * scale[c] */
    AO_DELTA_ADD,
    AO_DELTA_MULTIPLY, /* da (b + db) + a db */
    AO_DELTA_CONCAT,
    AO_DELTA_MAX_POOL,
    AO_DELTA_AVERAGE, /* sum of d / count */
    AO_DELTA_FLATTEN, /* [C][T][H][W] order at one position */
    AO_DELTA_SELECT,
    AO_DELTA_LAYER_NORM,
};

struct ao_delta_window {
    int64_t kernel[3], stride[3], dilation[3], pad[3], pad_hi[3];
};

/* How a convolution's weights lie, and which floats one tap reads. */
struct ao_delta_conv {
    int64_t group;
    int64_t in, out;     /* channels of one group */
    bool along_x;        /* one tap is a row of kernel[2] pixels of a zero-padded dense buffer */
    bool depthwise;      /* weights [taps][C] */
    bool matrix;         /* Gemm: tap k reads channels [k * depth, (k + 1) * depth) */
    int64_t taps, depth; /* of the weights as packed */
    int64_t full[3];     /* the file's kernel; of it the window's stands from skip on */
    int64_t skip[3];
    int64_t chunk;     /* taps of one panel that stay in the second-level cache */
    float *weights;    /* [group][panels][taps][depth][AO_IGEMM_COLS], or NULL: see direct */
    uint64_t *tap_key; /* [taps] random, to tell sets of taps apart */
};

/* The same convolution through Winograd's tiles, in one form; see winograd.c and kernels.h. */
struct ao_delta_winograd {
    size_t n[3];       /* form of each axis */
    size_t components; /* their product */
    float *weights;    /* [components][panels][in][AO_IGEMM_COLS] */
};

#define AO_DELTA_FORMS 2

/* Which channels, frames, lines and columns of the input the output lists; see select.c. */
struct ao_delta_select {
    int32_t *index[4];
    int64_t n[4];
    bool moves; /* positions differ from the input's */
};

struct ao_delta_step {
    enum ao_delta_rule rule;
    const struct ao_node *node;
    char what[32];
    int n_in;
    int32_t *in; /* value indices */
    int32_t out;
    struct ao_delta_window window; /* CONV, MAX_POOL, AVERAGE */
    struct ao_delta_conv conv;
    bool direct;    /* CONV: has the weights of the direct way */
    int n_winograd; /* forms, the one with the smallest tiles last */
    struct ao_delta_winograd winograd[AO_DELTA_FORMS];
    int32_t add;        /* CONV: value added to the result, or AO_NO_VALUE */
    int32_t relu_of;    /* CONV: value whose base the fused ReLU reads, or AO_NO_VALUE */
    float *scale;       /* SCALE: [C] */
    float *shift;       /* SCALE, CONV: [C], what the clip's own value adds, or NULL for zeros */
    bool count_padding; /* AVERAGE */
    struct ao_delta_select select;
    bool everywhere; /* MULTIPLY: a factor at one position changes the product at all */
    double macs;
    bool dead; /* fused into another step */
};

/* The rest behind nodes without a rule, run on whole tensors in double. */
struct ao_delta_tail {
    int32_t *nodes; /* in order */
    int n_nodes;
    struct ao_view *views; /* [n_values]: constants widened; others have data NULL */
    struct ao_span *spans; /* [n_values] places in a session's block */
    size_t block_bytes, scratch_bytes;
    double macs;
    const char *reason;
};

struct ao_delta {
    const struct ao_graph *graph;
    struct ao_graph until; /* borrows the first nodes of another; `graph` where a value ends it */
    struct ao_arena arena;
    struct ao_delta_value *values; /* [n_values] */
    struct ao_delta_step *steps;
    int n_steps;
    struct ao_delta_tail tail;
    int32_t *kept; /* values whose base is kept, ascending */
    int n_kept;
    int64_t base_floats;
    int64_t max_positions;
    const struct ao_kernels *kernels;
    double macs;
    size_t weight_bytes; /* packed, outside the arena */
    int threads;         /* of the dense pass */
    bool shifts;         /* an alias leaves a constant summand out */
    /* The dense pass where the walk cannot do it, or NULL: the graph with the kept values as
     * further outputs. */
    struct ao_graph base_graph;
    struct ao_program *program;
};

struct ao_delta_base {
    float *floats; /* [base_floats] */
    float *output; /* [outputs] */
    size_t bytes;
    struct ao_budget *budget; /* where they are booked */
};

/* Positions lo[d] to hi[d] - 1 of T, H and W. */
struct ao_delta_box {
    int64_t lo[3], hi[3];
};

struct ao_delta_support {
    size_t at;                               /* of the first position in session->positions */
    uint32_t first[AO_DELTA_BATCH + 1];      /* offsets of each mask's positions */
    struct ao_delta_box box[AO_DELTA_BATCH]; /* that they lie in, perhaps too large */
};

struct ao_delta_stat {
    double macs_done, macs_reached, rows, seconds;
};

/* Work space of one convolution block; see conv.c. */
struct ao_delta_tiles {
    size_t max_rows, max_taps;
    uint32_t *at;       /* [rows][taps] source row of each output row and tap, or AO_NO_ROW */
    uint32_t *order;    /* [rows + AO_IGEMM_ROWS] rows grouped by their set of taps */
    uint64_t *key;      /* [rows] of that set */
    uint32_t *group;    /* [rows] number of that set */
    uint32_t *start;    /* [rows + 1] of each group in order */
    uint64_t *slot_key; /* [slots] hash table from key to group */
    uint32_t *slot_group;
    size_t slots;       /* a power of two */
    uint32_t *tile_at;  /* [tiles][taps][AO_IGEMM_ROWS], taps that find a change only */
    uint32_t *tile_tap; /* [tiles][taps] */
    uint32_t *n_taps;   /* [tiles] */
    uint32_t *cursor;   /* [tiles] */
    float *patch;       /* zero-padded dense change of one mask, for along_x */
    size_t patch_floats;
    int32_t *span; /* [T][H][2] changed columns of each row of the patch */
};

struct ao_delta_session {
    const struct ao_delta *delta;
    const struct ao_poll *poll;        /* NULL: nobody is asked */
    int n;                             /* masks of this batch */
    struct ao_delta_base *forward;     /* the dense pass: rows are values, kept ones go here */
    struct ao_delta_support *supports; /* [n_values], by root value */
    uint32_t *positions;
    size_t n_positions, cap_positions;
    float *block; /* rows of all values alive */
    size_t block_bytes;
    struct ao_span *spans;  /* [n_values] */
    struct ao_span **order; /* [2 n_values] to plan the block with */
    uint32_t *map;          /* [max_positions] row at each position, of one mask */
    uint8_t *flags[3];      /* [ao_delta_most_flags], the first zeros between uses */
    uint32_t *taps[2];      /* of a MaxPool window */
    struct ao_delta_tiles tiles;
    struct ao_delta_support *grids;          /* [n_steps] first outputs of the Winograd tiles */
    const struct ao_delta_winograd **chosen; /* [n_steps] their form; NULL: the direct way */
    uint32_t *out_map;                       /* [max_positions] as map, of the output */
    float *components[2]; /* transformed inputs and products of a block of tiles */
    size_t component_floats[2];
    char *tail_block, *tail_scratch;
    struct ao_view *tail_views;
    struct ao_delta_stat *stats; /* [n_steps + 1], the last is the tail */
    size_t bytes, booked;        /* the block apart; in the graph's budget, the block included */
};

static inline int64_t ao_delta_positions(const struct ao_delta_extent *extent)
{
    return extent->dims[0] * extent->dims[1] * extent->dims[2];
}

/* plan.c, rules.c, fuse.c, pack.c, tail.c: making the walk. */
aosa_status ao_delta_plan(struct ao_delta *delta, int threads);
/* Tries to give the node a step or an alias. *done false, with *reason, when there is no rule. */
aosa_status ao_delta_rule_for(struct ao_delta *delta, const struct ao_node *node, bool *done,
                              const char **reason);
aosa_status ao_delta_rule_linear(struct ao_delta *delta, const struct ao_node *node, bool *done,
                                 const char **reason);
aosa_status ao_delta_add_step(struct ao_delta *delta, const struct ao_node *node, int output,
                              enum ao_delta_rule rule, const struct ao_delta_extent *extent,
                              struct ao_delta_step **step);
void ao_delta_set(struct ao_delta *delta, int32_t value, const struct ao_delta_extent *extent,
                  int32_t of);
void ao_delta_keep(struct ao_delta *delta, int32_t value);
/* The value's shape as channels x positions; false for other forms. */
bool ao_delta_lift(const struct ao_shape *shape, struct ao_delta_extent *extent);
void ao_delta_fuse(struct ao_delta *delta);
/* Convolution weights as the file has them: of output channel o and channel c of tap k at
 * o * out_step + c * in_step + k, times `factor`, which is alpha of a Gemm. */
struct ao_delta_weight_source {
    const void *weights; /* see ao_weight */
    int64_t out_step, in_step;
    double factor;
};
aosa_status ao_delta_pack(struct ao_delta *delta, struct ao_delta_step *step, int threads);
/* Weights of output channels o, o + 1, ... for float d of a tap into lanes[AO_IGEMM_COLS]; zeros
 * from channel `end` on. */
void ao_delta_weight_lanes(const struct ao_delta_step *step,
                           const struct ao_delta_weight_source *source, int64_t o, int64_t end,
                           int64_t tap, int64_t d, float *lanes);
aosa_status ao_delta_weights_alloc(struct ao_delta *delta, const struct ao_delta_step *step,
                                   size_t floats, float **weights);
aosa_status ao_delta_base_plan(struct ao_delta *delta, int threads);
aosa_status ao_delta_tail_create(struct ao_delta *delta);
/* The clip's own output row from the kept values. */
void ao_delta_tail_base(const struct ao_delta *delta, const struct ao_delta_base *base,
                        struct ao_delta_session *session, float *output);
/* forward.c: the dense pass by the walk's own kernels. */
aosa_status ao_delta_forward(const struct ao_delta *delta, const struct ao_poll *poll,
                             struct ao_delta_base *base);
/* run.c */
aosa_status ao_delta_plan_block(struct ao_delta_session *session);
void ao_delta_run_step(struct ao_delta_session *session, const struct ao_delta_base *base, int i);
/* Books what the session has grown to, with a block of that many bytes. AOSA_ERR_NOMEM. */
aosa_status ao_delta_session_book(struct ao_delta_session *session, size_t block_bytes);
void ao_delta_clear_last_row(struct ao_delta_session *session, int32_t value);
aosa_status ao_delta_tail_run(const struct ao_delta *delta, const struct ao_delta_base *base,
                              struct ao_delta_session *session, float *outputs);
/* All steps for the session's n masks; their rows stay in the block until the next walk. */
aosa_status ao_delta_walk(struct ao_delta_session *session, const struct ao_delta_base *base,
                          const struct ao_delta_mask *masks, const struct ao_delta_fill *fill);
/* Masks of the next batch, of `left`. */
static inline int ao_delta_batch(int left)
{
    return left < AO_DELTA_BATCH ? left : AO_DELTA_BATCH;
}

/* support.c: where values change. */
size_t ao_delta_most_flags(const struct ao_delta *delta);
aosa_status ao_delta_support_masks(struct ao_delta_session *session,
                                   const struct ao_delta_mask *masks);
aosa_status ao_delta_support_step(struct ao_delta_session *session,
                                  const struct ao_delta_step *step);
const struct ao_delta_support *ao_delta_support_of(const struct ao_delta_session *session,
                                                   int32_t value);
/* The same into any map. */
void ao_delta_map_into(const struct ao_delta_session *session, int32_t value, int m, uint32_t *map);
/* Room for so many positions more. */
aosa_status ao_delta_reserve_positions(struct ao_delta_session *session, size_t more);
/* Appends the positions inside the box whose flags are set as mask m's, and clears the flags. */
aosa_status ao_delta_append(struct ao_delta_session *session, struct ao_delta_support *support,
                            int m, uint8_t *flags, const int64_t *dims,
                            const struct ao_delta_box *box);

/* reach.c: boxes of positions, of all and of what changes under mask m; and flags[0], which is over
 * `in` inside its box and becomes that over outputs, whose box is answered. */
struct ao_delta_box ao_delta_whole(const int64_t *dims);
struct ao_delta_box ao_delta_box_of(const struct ao_delta_session *session, int32_t value, int m);
struct ao_delta_box ao_delta_box_union(struct ao_delta_box a, struct ao_delta_box b);
struct ao_delta_box ao_delta_reach(struct ao_delta_session *session,
                                   const struct ao_delta_window *window, const int64_t *in_dims,
                                   const struct ao_delta_box *in, const int64_t *out_dims);

/* Row of a value at positions asked for in ascending order, within one mask. */
struct ao_delta_cursor {
    const uint32_t *positions;
    uint32_t next, end;
};
struct ao_delta_cursor ao_delta_cursor(const struct ao_delta_session *session, int32_t value,
                                       int m);
static inline uint32_t ao_delta_row_at(struct ao_delta_cursor *cursor, uint32_t position)
{
    while (cursor->next < cursor->end && cursor->positions[cursor->next] < position)
        cursor->next++;
    const bool found = cursor->next < cursor->end && cursor->positions[cursor->next] == position;
    return found ? cursor->next : AO_NO_ROW;
}

static inline const uint32_t *ao_delta_positions_of(const struct ao_delta_session *session,
                                                    const struct ao_delta_support *support)
{
    return session->positions + support->at;
}
/* session->map[p] = row of mask m at position p, or AO_NO_ROW. */
void ao_delta_map(struct ao_delta_session *session, int32_t value, int m);

/* Rows of a value in the session's block. */
float *ao_delta_rows(const struct ao_delta_session *session, int32_t value);

/* tiles.c: which taps of a block of rows find a change, and tiles of rows that share them. */
aosa_status ao_delta_tiles_create(const struct ao_delta *delta, struct ao_delta_tiles *tiles,
                                  size_t *bytes);
void ao_delta_tiles_destroy(struct ao_delta_tiles *tiles);
size_t ao_delta_block_rows(const struct ao_delta_conv *conv);
/* Source rows of the taps of `n` output rows from row `first` of mask m on, into tiles->at from
 * entry `entry` on; session->map, or the patch, is that of mask m. */
void ao_delta_find_taps(struct ao_delta_session *session, const struct ao_delta_step *step,
                        size_t first, size_t n, size_t entry);
/* Orders n rows by their sets of taps and writes the tiles; `zero` is a source row of zeros.
 * Answers the number of tiles. */
size_t ao_delta_make_tiles(struct ao_delta_tiles *tiles, const struct ao_delta_conv *conv, size_t n,
                           uint32_t zero);
/* Mask m's change of the step's input as a dense picture with padded rows, for along_x. */
void ao_delta_patch(struct ao_delta_session *session, const struct ao_delta_step *step, int m);
void ao_delta_patch_clear(struct ao_delta_session *session, const struct ao_delta_step *step,
                          int m);

/* winograd_form.c */
void ao_delta_winograd_forms(const struct ao_delta *delta, struct ao_delta_step *step);
aosa_status ao_delta_winograd_pack(struct ao_delta *delta, struct ao_delta_step *step,
                                   const struct ao_delta_weight_source *source, int threads);
/* Products per pair of channels of so many tiles, transforms included. */
double ao_delta_winograd_cost(const struct ao_delta_step *step, const size_t *n, double tiles);

/* winograd.c */
aosa_status ao_delta_winograd_reserve(struct ao_delta_session *session);
/* Lists the tiles of step i in the form that costs least, or decides for the direct way. */
aosa_status ao_delta_winograd_choose(struct ao_delta_session *session, int i);
/* The form with the smallest tiles, which rounds least. */
aosa_status ao_delta_winograd_finest(struct ao_delta_session *session, int i);
void ao_delta_run_winograd(struct ao_delta_session *session, const struct ao_delta_base *base,
                           int i, struct ao_delta_stat *stat);
/* Tiles [first, end) of it, without what ao_delta_finish does. */
void ao_delta_winograd_range(struct ao_delta_session *session, int i, size_t first, size_t end);

/* conv.c, pool.c, rows.c: the rules at work. */
/* Residual and ReLU of a fused convolution on output rows [first, first + n). */
void ao_delta_finish(struct ao_delta_session *session, const struct ao_delta_base *base,
                     const struct ao_delta_step *step, size_t first, size_t n);
void ao_delta_run_conv(struct ao_delta_session *session, const struct ao_delta_base *base,
                       const struct ao_delta_step *step, struct ao_delta_stat *stat);
/* Output rows [first, end) of it. */
void ao_delta_conv_range(struct ao_delta_session *session, const struct ao_delta_base *base,
                         const struct ao_delta_step *step, size_t first, size_t end,
                         struct ao_delta_stat *stat);
void ao_delta_run_max_pool(struct ao_delta_session *session, const struct ao_delta_base *base,
                           const struct ao_delta_step *step);
void ao_delta_run_average(struct ao_delta_session *session, const struct ao_delta_step *step);
void ao_delta_run_rows(struct ao_delta_session *session, const struct ao_delta_base *base,
                       const struct ao_delta_step *step);

/* select.c: an output of dims[] positions from flags of the input of size in[]. */
void ao_delta_select_flags(const struct ao_delta_step *step, const int64_t *in,
                           const uint8_t *changed, uint8_t *flags);
void ao_delta_run_select(struct ao_delta_session *session, const struct ao_delta_step *step);

/* channels_last.c */
void ao_delta_run_layer_norm(struct ao_delta_session *session, const struct ao_delta_base *base,
                             const struct ao_delta_step *step);

#endif
