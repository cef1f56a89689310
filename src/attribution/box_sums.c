/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/box_sums.h"

#include "core/alloc.h"

/* Element (y, x) of frame t's integral image, 0 <= y <= H and 0 <= x <= W. */
static size_t place(const struct ao_box_sums *sums, int t, int y, int x)
{
    const size_t H = (size_t)sums->H + 1, W = (size_t)sums->W + 1;
    return ((size_t)t * H + (size_t)y) * W + (size_t)x;
}

aosa_status ao_box_sums_create(int T, int H, int W, struct ao_box_sums *sums)
{
    const int64_t dims[] = { T, (int64_t)H + 1, (int64_t)W + 1 };
    int64_t n;
    *sums = (struct ao_box_sums){ .T = T, .H = H, .W = W };
    if (ao_count(dims, 3, &n))
        sums->integral = ao_alloc((size_t)n, sizeof *sums->integral);
    return sums->integral
               ? AOSA_OK
               : ao_fail(AOSA_ERR_NOMEM, "box sums: no memory for %d frames of %d x %d", T, H, W);
}

void ao_box_sums_fini(struct ao_box_sums *sums)
{
    ao_free(sums->integral);
    *sums = (struct ao_box_sums){ 0 };
}

double *ao_box_sums_row(const struct ao_box_sums *sums, int t, int y)
{
    return sums->integral + place(sums, t, y + 1, 1);
}

void ao_box_sums_integrate(struct ao_box_sums *sums)
{
    for (int t = 0; t < sums->T; t++)
        for (int y = 0; y < sums->H; y++) {
            const double *above = sums->integral + place(sums, t, y, 1);
            double *row = ao_box_sums_row(sums, t, y), sum = 0;
            for (int x = 0; x < sums->W; x++) {
                sum += row[x];
                row[x] = above[x] + sum;
            }
        }
}

double ao_box_sums_box(const struct ao_box_sums *sums, int t, struct ao_box box)
{
    if (box.y0 >= box.y1 || box.x0 >= box.x1)
        return 0;
    const double *integral = sums->integral;
    return integral[place(sums, t, box.y1, box.x1)] - integral[place(sums, t, box.y0, box.x1)] -
           integral[place(sums, t, box.y1, box.x0)] + integral[place(sums, t, box.y0, box.x0)];
}

/* first[] of the list, from a first walk over all masks that only counts. */
static void count_boxes(const struct aosa_mask_set *masks, struct ao_box *scratch, size_t *first)
{
    first[0] = 0;
    for (int m = 0; m < masks->M; m++)
        for (int t = 0; t < masks->T; t++, first++)
            first[1] = first[0] + (size_t)ao_mask_boxes(masks, m, t, scratch);
}

static aosa_status list_boxes(const struct aosa_mask_set *masks, struct ao_box *scratch,
                              struct ao_box_list *list)
{
    const size_t n = (size_t)masks->M * (size_t)masks->T;
    list->first = ao_alloc(n + 1, sizeof *list->first);
    if (!scratch || !list->first)
        return ao_fail(AOSA_ERR_NOMEM, "box list: no memory for %d masks", masks->M);
    count_boxes(masks, scratch, list->first);
    list->boxes = ao_alloc_raw(list->first[n], sizeof *list->boxes);
    if (!list->boxes)
        return ao_fail(AOSA_ERR_NOMEM, "box list: no memory for %zu boxes", list->first[n]);
    for (size_t i = 0; i < n; i++)
        ao_mask_boxes(masks, (int)(i / (size_t)masks->T), (int)(i % (size_t)masks->T),
                      list->boxes + list->first[i]);
    return AOSA_OK;
}

aosa_status ao_box_list_create(const struct aosa_mask_set *masks, struct ao_box_list *list)
{
    *list = (struct ao_box_list){ .T = masks->T, .M = masks->M };
    struct ao_box *scratch = ao_alloc((size_t)ao_mask_set_max_boxes(masks), sizeof *scratch);
    const aosa_status status = list_boxes(masks, scratch, list);
    ao_free(scratch);
    if (status != AOSA_OK)
        ao_box_list_fini(list);
    return status;
}

void ao_box_list_fini(struct ao_box_list *list)
{
    ao_free(list->first);
    ao_free(list->boxes);
    *list = (struct ao_box_list){ 0 };
}

double ao_box_sums_mask(const struct ao_box_sums *sums, const struct ao_box_list *list, int m)
{
    double sum = 0;
    for (int t = 0; t < list->T; t++) {
        const size_t i = (size_t)m * (size_t)list->T + (size_t)t;
        for (size_t b = list->first[i]; b < list->first[i + 1]; b++)
            sum += ao_box_sums_box(sums, t, list->boxes[b]);
    }
    return sum;
}
