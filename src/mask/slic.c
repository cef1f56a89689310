/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "mask/supervoxels.h"

#define MAX_ROUNDS 10

struct centre {
    double lab[3], at[3]; /* mean colour; mean t, y, x */
};

/* One volume: the clip, or one frame of it. */
struct slic {
    int extent[3], grid[3]; /* t, y, x: voxels; seeds */
    double step[3];         /* voxels from seed to seed */
    double weight[3];       /* of a squared distance in voxels: (m px / S)^2 */
    size_t voxels, smallest;
    int K;                  /* centres */
    struct centre *centres; /* [K] */
    struct centre *sums;    /* [K] */
    int32_t *members;       /* [K] */
    float *lab;             /* [voxels][3] */
    float *distance;        /* [voxels] D^2 to the nearest centre */
    int32_t *cluster;       /* [voxels] that centre */
    int32_t *queue;         /* [voxels] of the flood */
};

/* ------------------------------------------------------------------------------------- colour */

/* CIE 1976 lightness curve. */
static double curve(double share)
{
    const double delta = 6.0 / 29;
    return share > delta * delta * delta ? cbrt(share) : share / (3 * delta * delta) + 4.0 / 29;
}

/* sRGB of IEC 61966-2-1 to CIELAB under its own white, D65. */
static void to_lab(const uint8_t *rgb, size_t n, float *lab)
{
    double linear[256];
    for (int i = 0; i < 256; i++)
        linear[i] = i <= 10 ? i / 255.0 / 12.92 : pow((i / 255.0 + 0.055) / 1.055, 2.4);
    for (size_t i = 0; i < n; i++) {
        const double r = linear[rgb[3 * i]], g = linear[rgb[3 * i + 1]], b = linear[rgb[3 * i + 2]];
        const double x = curve((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
        const double y = curve(0.2126 * r + 0.7152 * g + 0.0722 * b);
        const double z = curve((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.0890);
        lab[3 * i] = (float)(116 * y - 16);
        lab[3 * i + 1] = (float)(500 * (x - y));
        lab[3 * i + 2] = (float)(200 * (y - z));
    }
}

/* ------------------------------------------------------------------------------------ k-means */

/* Seeds on a grid of that step, at least one along each axis; capped, so that it cannot overflow.
 */
static double count_seeds(const struct slic *s, const double px[3], double step, int grid[3])
{
    double product = 1;
    for (int d = 0; d < 3; d++) {
        grid[d] = (int)fmin(s->extent[d], fmax(1, floor(s->extent[d] * px[d] / step)));
        product *= grid[d];
    }
    return product;
}

/* The least step with at most n seeds, by halving: the count falls as the step grows. */
static void lay_grid(struct slic *s, const struct ao_slic *options)
{
    const double px[3] = { options->per_frame ? 1 : options->frame_px, 1, 1 };
    double low = 0, high = 1;
    for (int d = 0; d < 3; d++)
        high = fmax(high, 2 * s->extent[d] * px[d]);
    for (int halving = 0; halving < 100; halving++) {
        const double middle = (low + high) / 2;
        if (count_seeds(s, px, middle, s->grid) <= options->n)
            high = middle;
        else
            low = middle;
    }
    s->K = (int)count_seeds(s, px, high, s->grid);
    for (int d = 0; d < 3; d++) {
        const double share = options->compactness * px[d] / high;
        s->step[d] = (double)s->extent[d] / s->grid[d];
        s->weight[d] = share * share;
    }
}

static size_t voxel_at(const struct slic *s, int t, int y, int x)
{
    return ((size_t)t * (size_t)s->extent[1] + (size_t)y) * (size_t)s->extent[2] + (size_t)x;
}

static void sow(struct slic *s)
{
    for (int k = 0; k < s->K; k++) {
        const int cell[3] = { k / s->grid[2] / s->grid[1], k / s->grid[2] % s->grid[1],
                              k % s->grid[2] };
        struct centre *centre = &s->centres[k];
        int at[3];
        for (int d = 0; d < 3; d++) {
            centre->at[d] = (cell[d] + 0.5) * s->step[d] - 0.5;
            at[d] = (int)(centre->at[d] + 0.5);
        }
        for (size_t c = 0; c < 3; c++)
            centre->lab[c] = (double)s->lab[3 * voxel_at(s, at[0], at[1], at[2]) + c];
    }
}

static double square(double a)
{
    return a * a;
}

/* One row of voxels, from x0 to x1, that may be nearer to centre k than to those before it; `far`
 * is the part of D^2 that the row's t and y make. */
static void claim_row(struct slic *s, int32_t k, double far, size_t row, int x0, int x1)
{
    const struct centre *centre = &s->centres[k];
    for (int x = x0; x <= x1; x++) {
        const size_t i = row + (size_t)x;
        const float *lab = s->lab + 3 * i;
        const double d = far + s->weight[2] * square(x - centre->at[2]) +
                         square((double)lab[0] - centre->lab[0]) +
                         square((double)lab[1] - centre->lab[1]) +
                         square((double)lab[2] - centre->lab[2]);
        if ((float)d < s->distance[i]) {
            s->distance[i] = (float)d;
            s->cluster[i] = k;
        }
    }
}

/* Gives every voxel to the nearest centre within a step, the first among equals. A voxel that none
 * looks at any more keeps the one it had; the seeds together look at all. */
static void assign(struct slic *s)
{
    for (size_t i = 0; i < s->voxels; i++)
        s->distance[i] = HUGE_VALF;
    for (int32_t k = 0; k < s->K; k++) {
        const double *at = s->centres[k].at;
        int lo[3], hi[3];
        for (int d = 0; d < 3; d++) {
            lo[d] = (int)fmax(0, ceil(at[d] - s->step[d]));
            hi[d] = (int)fmin(s->extent[d] - 1, floor(at[d] + s->step[d]));
        }
        for (int t = lo[0]; t <= hi[0]; t++)
            for (int y = lo[1]; y <= hi[1]; y++) {
                const double far =
                    s->weight[0] * square(t - at[0]) + s->weight[1] * square(y - at[1]);
                claim_row(s, k, far, voxel_at(s, t, y, 0), lo[2], hi[2]);
            }
    }
}

static void add_voxel(struct slic *s, int t, int y, int x)
{
    const size_t i = voxel_at(s, t, y, x);
    struct centre *sum = &s->sums[s->cluster[i]];
    s->members[s->cluster[i]]++;
    for (size_t c = 0; c < 3; c++)
        sum->lab[c] += (double)s->lab[3 * i + c];
    sum->at[0] += t;
    sum->at[1] += y;
    sum->at[2] += x;
}

/* Moves the centres to the means of their voxels; false when none moved. */
static bool move_centres(struct slic *s)
{
    bool moved = false;
    memset(s->sums, 0, (size_t)s->K * sizeof *s->sums);
    memset(s->members, 0, (size_t)s->K * sizeof *s->members);
    for (int t = 0; t < s->extent[0]; t++)
        for (int y = 0; y < s->extent[1]; y++)
            for (int x = 0; x < s->extent[2]; x++)
                add_voxel(s, t, y, x);
    for (int k = 0; k < s->K; k++) {
        if (s->members[k] == 0)
            continue;
        for (int d = 0; d < 3; d++) {
            s->sums[k].lab[d] /= s->members[k];
            s->sums[k].at[d] /= s->members[k];
        }
        moved |= memcmp(&s->centres[k], &s->sums[k], sizeof s->centres[k]) != 0;
        s->centres[k] = s->sums[k];
    }
    return moved;
}

/* ------------------------------------------------------------------------------- connectivity */

/* The voxel behind face 2d (before) or 2d + 1 (after) of voxel v along axis d, or -1. */
static int64_t neighbour(const struct slic *s, int32_t v, int face)
{
    const int axis = face / 2;
    const int32_t W = s->extent[2], frame = s->extent[1] * W;
    const int32_t stride = axis == 0 ? frame : axis == 1 ? W : 1;
    const int32_t at = axis == 0 ? v / frame : axis == 1 ? v % frame / W : v % W;
    if (face % 2 == 0)
        return at > 0 ? (int64_t)v - stride : -1;
    return at + 1 < s->extent[axis] ? (int64_t)v + stride : -1;
}

/* Labels the piece of a cluster that holds voxel `first`; answers its size, members in queue. */
static size_t flood(struct slic *s, int32_t first, int32_t id, int32_t *label)
{
    size_t n = 0;
    s->queue[n++] = first;
    label[first] = id;
    for (size_t head = 0; head < n; head++)
        for (int face = 0; face < 6; face++) {
            const int64_t next = neighbour(s, s->queue[head], face);
            if (next < 0 || label[next] >= 0 || s->cluster[next] != s->cluster[first])
                continue;
            label[next] = id;
            s->queue[n++] = (int32_t)next;
        }
    return n;
}

/* Connected pieces become segments, small ones join the piece before them; answers their number. */
static int32_t connect(struct slic *s, int32_t *label)
{
    int32_t n = 0;
    for (size_t i = 0; i < s->voxels; i++)
        label[i] = -1;
    for (int32_t v = 0; v < (int32_t)s->voxels; v++) {
        if (label[v] >= 0)
            continue;
        const size_t size = flood(s, v, n, label);
        int64_t before = -1;
        for (int face = 4; face >= 0 && before < 0; face -= 2) /* x, y, t: scanned, so labelled */
            before = neighbour(s, v, face);
        if (before < 0 || size >= s->smallest) {
            n++;
            continue;
        }
        for (size_t i = 0; i < size; i++)
            label[s->queue[i]] = label[before];
    }
    return n;
}

/* --------------------------------------------------------------------------------------- whole */

/* Labels of one volume; answers their number. */
static int32_t segment(struct slic *s, const uint8_t *rgb, int32_t *label)
{
    to_lab(rgb, s->voxels, s->lab);
    sow(s);
    for (int round = 0; round < MAX_ROUNDS; round++) {
        assign(s);
        if (!move_centres(s))
            break;
    }
    return connect(s, label);
}

static aosa_status create(int T, int H, int W, const struct ao_slic *options, struct slic *s)
{
    s->extent[0] = options->per_frame ? 1 : T;
    s->extent[1] = H;
    s->extent[2] = W;
    s->voxels = (size_t)s->extent[0] * (size_t)H * (size_t)W;
    if ((size_t)options->n > s->voxels)
        return ao_fail(AOSA_ERR_ARGUMENT, "slic: %d segments of %zu voxels; take fewer", options->n,
                       s->voxels);
    lay_grid(s, options);
    s->smallest = s->voxels / (size_t)options->n / 4;
    const size_t K = (size_t)s->K;
    s->centres = ao_alloc(K, sizeof *s->centres);
    s->sums = ao_alloc(K, sizeof *s->sums);
    s->members = ao_alloc(K, sizeof *s->members);
    s->lab = ao_alloc_raw(s->voxels, 3 * sizeof *s->lab);
    s->distance = ao_alloc_raw(s->voxels, sizeof *s->distance);
    s->cluster = ao_alloc_raw(s->voxels, sizeof *s->cluster);
    s->queue = ao_alloc_raw(s->voxels, sizeof *s->queue);
    if (s->centres && s->sums && s->members && s->lab && s->distance && s->cluster && s->queue)
        return AOSA_OK;
    return ao_fail(AOSA_ERR_NOMEM, "slic: no memory for %zu voxels", s->voxels);
}

static void fini(struct slic *s)
{
    ao_free(s->centres);
    ao_free(s->sums);
    ao_free(s->members);
    ao_free(s->lab);
    ao_free(s->distance);
    ao_free(s->cluster);
    ao_free(s->queue);
}

static aosa_status check(int T, int H, int W, const struct ao_slic *options)
{
    int64_t voxels;
    if (!ao_count((const int64_t[]){ T, H, W }, 3, &voxels) || voxels > INT32_MAX)
        return ao_fail(AOSA_ERR_UNSUPPORTED, "slic: %d x %d x %d voxels are more than %d", T, H, W,
                       INT32_MAX);
    if (options->n < 1)
        return ao_fail(AOSA_ERR_ARGUMENT, "slic: %d segments; take 1 or more", options->n);
    if (!(options->compactness > 0) || (!options->per_frame && !(options->frame_px > 0)))
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "slic: compactness %g and %g pixels a frame; both must be above 0",
                       options->compactness, options->frame_px);
    return AOSA_OK;
}

aosa_status ao_supervoxels_slic(const uint8_t *rgb, int T, int H, int W,
                                const struct ao_slic *options, struct ao_supervoxels *supervoxels)
{
    struct slic s = { 0 };
    AO_TRY(check(T, H, W, options));
    struct ao_supervoxels made = { .T = T, .H = H, .W = W };
    aosa_status status = create(T, H, W, options, &s);
    const size_t voxels = (size_t)T * (size_t)H * (size_t)W;
    if (status == AOSA_OK) {
        made.label = ao_alloc_raw(voxels, sizeof *made.label);
        if (!made.label)
            status = ao_fail(AOSA_ERR_NOMEM, "slic: no memory for %zu voxels", voxels);
    }
    for (size_t first = 0; status == AOSA_OK && first < voxels; first += s.voxels) {
        const int32_t n = segment(&s, rgb + 3 * first, made.label + first);
        for (size_t i = first; i < first + s.voxels; i++)
            made.label[i] += made.n;
        made.n += n;
    }
    fini(&s);
    if (status == AOSA_OK)
        *supervoxels = made;
    return status;
}
