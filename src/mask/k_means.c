/* SPDX-License-Identifier: Apache-2.0 */
#include "mask/stacking.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "core/rng.h"

#define MAX_ROUNDS 100

/*
 * Spherical k-means (Dhillon and Modha, Machine Learning 42, 2001) of the motion along tracks:
 * rows of length 1, distance 1 - cosine. Tracks without motion have no direction and make a
 * cluster of their own, number k (spec A.12, Q21).
 */
struct clustering {
    struct ao_descriptors points; /* rows of norm 1, or of norm 0 and then in cluster k */
    int k;
    double *centres;  /* [k][D] */
    double *distance; /* [N] to the nearest centre so far */
    int32_t *cluster; /* [N] */
    int32_t *tracks;  /* [N] members of the cluster being cut */
};

static double distance(const struct clustering *c, int i, int centre)
{
    const double *a = ao_descriptor(&c->points, i);
    const double *b = c->centres + (size_t)centre * (size_t)c->points.D;
    double cosine = 0;
    for (int d = 0; d < c->points.D; d++)
        cosine += a[d] * b[d];
    return fmax(0.0, 1 - cosine);
}

/* Scales a row to length 1; false, and unchanged, when it has none. */
static bool normalise(double *row, int D)
{
    double sum = 0;
    for (int d = 0; d < D; d++)
        sum += row[d] * row[d];
    if (sum == 0)
        return false;
    const double scale = 1 / sqrt(sum);
    for (int d = 0; d < D; d++)
        row[d] *= scale;
    return true;
}

/* A point drawn with probability weight / total; those of weight 0 are never drawn. */
static int draw(const double *weight, int N, double total, struct ao_rng *rng)
{
    double left = ao_rng_range(rng, 0, total);
    int last = 0;
    for (int i = 0; i < N; i++) {
        if (weight[i] == 0)
            continue;
        last = i;
        left -= weight[i];
        if (left < 0)
            break;
    }
    return last;
}

/*
 * k-means++ (Arthur and Vassilvitskii, SODA 2007): each further centre is a point drawn in
 * proportion to its squared distance, which is 2 (1 - cosine), to the centres so far. Stops early
 * when every point is a centre.
 */
static void seed_centres(struct clustering *c, int most, uint64_t seed)
{
    const int N = c->points.N, D = c->points.D;
    struct ao_rng rng;
    ao_rng_init(&rng, seed);
    for (int i = 0; i < N; i++)
        c->distance[i] = c->points.norms[i] > 0 ? 1 : 0;
    for (c->k = 0; c->k < most; c->k++) {
        double total = 0;
        for (int i = 0; i < N; i++)
            total += c->distance[i];
        if (total == 0)
            return;
        const int chosen = draw(c->distance, N, total, &rng);
        memcpy(c->centres + (size_t)c->k * (size_t)D, ao_descriptor(&c->points, chosen),
               (size_t)D * sizeof *c->centres);
        c->distance[chosen] = 0;
        for (int i = 0; i < N; i++)
            if (c->distance[i] > 0)
                c->distance[i] = fmin(c->distance[i], distance(c, i, c->k));
    }
}

/* Moves each point to its nearest centre, the first among equals; false when none moved. */
static bool assign(struct clustering *c)
{
    bool moved = false;
    for (int i = 0; i < c->points.N; i++) {
        int32_t best = c->k;
        double least = HUGE_VAL;
        for (int32_t j = 0; j < c->k && c->points.norms[i] > 0; j++) {
            const double d = distance(c, i, j);
            if (d < least) {
                least = d;
                best = j;
            }
        }
        moved |= c->cluster[i] != best;
        c->cluster[i] = best;
    }
    return moved;
}

/* Directions of the clusters' sums; a cluster without members, or whose sum is 0, keeps its own. */
static void move_centres(struct clustering *c, double *sum)
{
    const int D = c->points.D;
    for (int j = 0; j < c->k; j++) {
        memset(sum, 0, (size_t)D * sizeof *sum);
        for (int i = 0; i < c->points.N; i++)
            if (c->cluster[i] == j)
                for (int d = 0; d < D; d++)
                    sum[d] += ao_descriptor(&c->points, i)[d];
        if (normalise(sum, D))
            memcpy(c->centres + (size_t)j * (size_t)D, sum, (size_t)D * sizeof *sum);
    }
}

/* Halves a cluster, in track order, until its pieces have at most `most` tracks. */
static void add_pieces(struct aosa_mask_set *set, const int32_t *tracks, size_t n, size_t most)
{
    if (n <= most) {
        ao_stack_add(set, tracks, n);
        return;
    }
    add_pieces(set, tracks, n / 2, most);
    add_pieces(set, tracks + n / 2, n - n / 2, most);
}

static void add_clusters(const struct clustering *c, size_t most, struct aosa_mask_set *set)
{
    for (int32_t j = 0; j <= c->k; j++) {
        size_t n = 0;
        for (int32_t i = 0; i < c->points.N; i++)
            if (c->cluster[i] == j)
                c->tracks[n++] = i;
        if (n > 0)
            add_pieces(set, c->tracks, n, most);
    }
}

static aosa_status create(const struct aosa_mask_set *set, int most, struct clustering *c)
{
    AO_TRY(ao_descriptors_create(set, false, &c->points));
    const size_t N = (size_t)set->N, D = (size_t)c->points.D;
    c->centres = ao_alloc((size_t)most + 1, D * sizeof *c->centres); /* one row more for sums */
    c->distance = ao_alloc(N, sizeof *c->distance);
    c->cluster = ao_alloc(N, sizeof *c->cluster);
    c->tracks = ao_alloc(N, sizeof *c->tracks);
    if (!c->centres || !c->distance || !c->cluster || !c->tracks)
        return ao_fail(AOSA_ERR_NOMEM, "k_means: no memory for %d clusters of %d tracks", most,
                       set->N);
    for (int i = 0; i < set->N; i++) {
        normalise(c->points.rows + (size_t)i * D, c->points.D);
        c->cluster[i] = -1;
    }
    return AOSA_OK;
}

static void fini(struct clustering *c)
{
    ao_descriptors_fini(&c->points);
    ao_free(c->centres);
    ao_free(c->distance);
    ao_free(c->cluster);
    ao_free(c->tracks);
}

static aosa_status stack(const struct ao_mask_options *options, bool official,
                         struct aosa_mask_set *set)
{
    const int most = options->clusters < set->N ? options->clusters : set->N;
    struct clustering c = { 0 };
    aosa_status status = create(set, most, &c);
    if (status == AOSA_OK)
        status = ao_stack_begin(set, (size_t)set->N, (size_t)set->N);
    if (status == AOSA_OK) {
        seed_centres(&c, most, (uint64_t)options->seed);
        for (int round = 0; round < MAX_ROUNDS && assign(&c); round++)
            move_centres(&c, c.centres + (size_t)most * (size_t)c.points.D);
        add_clusters(&c, (size_t)options->partners + !official, set);
    }
    fini(&c);
    return status;
}

const struct ao_mask_stacking ao_stack_k_means = {
    .name = "k_means",
    .summary = "tracks that a clustering of their motion puts together",
    .stack = stack,
};
