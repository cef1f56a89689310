/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <matio.h>

#include "dataset/layout.h"
#include "dataset/mat_check.h"
#include "dataset/names.h"

#define MAX_FRAMES 10000000
#define NAME_BYTES 256

/* Classes 1, 2, ... of UCF101-24: a part of UCF-101's, in the order of the alphabet. */
static const char *const classes[] = {
    "Basketball",
    "BasketballDunk",
    "Biking",
    "CliffDiving",
    "CricketBowling",
    "Diving",
    "Fencing",
    "FloorGymnastics",
    "GolfSwing",
    "HorseRiding",
    "IceDancing",
    "LongJump",
    "PoleVault",
    "RopeClimbing",
    "SalsaSpin",
    "SkateBoarding",
    "Skiing",
    "Skijet",
    "SoccerJuggling",
    "Surfing",
    "TennisSwing",
    "TrampolineJumping",
    "VolleyballSpiking",
    "WalkingWithDog",
};
#define N_CLASSES ((int)(sizeof classes / sizeof *classes))

struct reader {
    const struct ao_dataset_options *options;
    const char *path;
    struct ao_dataset *dataset;
    struct ao_names names;
    size_t video, tube; /* being read, 0-based */
};

static aosa_status fail(const struct reader *r, const char *what)
{
    return ao_fail(AOSA_ERR_FORMAT, "%s: annot(%zu).tubes(%zu): %s", r->path, r->video + 1,
                   r->tube + 1, what);
}

/* Number of elements; nothing of rank 2 within the bounds of ao_mat_check overflows. */
static size_t count(const matvar_t *v)
{
    return v && v->rank == 2 && v->dims ? v->dims[0] * v->dims[1] : 0;
}

/* Field `name` of element i of a struct, which it has; NULL: not. */
static matvar_t *field(matvar_t *v, const char *name, size_t i)
{
    if (!v || v->class_type != MAT_C_STRUCT || i >= count(v))
        return NULL;
    return Mat_VarGetStructFieldByName(v, name, i);
}

/* Value i of a real array, i < count; NaN for other arrays. */
static double value(const matvar_t *v, size_t i)
{
    if (!v->data || v->isComplex || v->nbytes < (i + 1) * (size_t)v->data_size)
        return (double)NAN;
    switch ((int)v->class_type) {
    case MAT_C_DOUBLE:
        return ((const double *)v->data)[i];
    case MAT_C_SINGLE:
        return (double)((const float *)v->data)[i];
    case MAT_C_INT8:
        return ((const int8_t *)v->data)[i];
    case MAT_C_UINT8:
        return ((const uint8_t *)v->data)[i];
    case MAT_C_INT16:
        return ((const int16_t *)v->data)[i];
    case MAT_C_UINT16:
        return ((const uint16_t *)v->data)[i];
    case MAT_C_INT32:
        return ((const int32_t *)v->data)[i];
    case MAT_C_UINT32:
        return ((const uint32_t *)v->data)[i];
    default:
        return (double)NAN;
    }
}

/* A field that is one whole number from lo to hi. */
static aosa_status read_whole(const struct reader *r, matvar_t *tubes, const char *name, int lo,
                              int hi, int *number)
{
    const matvar_t *v = field(tubes, name, r->tube);
    const double x = count(v) == 1 ? value(v, 0) : (double)NAN;
    if (!(x >= lo && x <= hi && x == floor(x)))
        return ao_fail(AOSA_ERR_FORMAT,
                       "%s: annot(%zu).tubes(%zu): %s is not a whole number from %d to %d", r->path,
                       r->video + 1, r->tube + 1, name, lo, hi);
    *number = (int)x;
    return AOSA_OK;
}

/* Box i of rows [x y w h], which are stored by columns. */
static aosa_status read_box(const struct reader *r, const matvar_t *boxes, size_t i,
                            struct ao_source_box *box)
{
    const size_t n = boxes->dims[0];
    const double w = value(boxes, i + 2 * n), h = value(boxes, i + 3 * n);
    box->x0 = value(boxes, i);
    box->y0 = value(boxes, i + n);
    box->x1 = box->x0 + w;
    box->y1 = box->y0 + h;
    if (!isfinite(box->x1) || !isfinite(box->y1) || w < 0 || h < 0)
        return fail(r, "a box is not four numbers x, y, w, h with w and h not below 0");
    return AOSA_OK;
}

static aosa_status read_tube(struct reader *r, matvar_t *tubes, struct ao_item *item)
{
    int class = 1, first = 1, last = 1;
    AO_TRY(read_whole(r, tubes, "class", 1, N_CLASSES, &class));
    AO_TRY(read_whole(r, tubes, "sf", 1, MAX_FRAMES, &first));
    AO_TRY(read_whole(r, tubes, "ef", first, MAX_FRAMES, &last));
    const matvar_t *boxes = field(tubes, "boxes", r->tube);
    const size_t n = (size_t)(last - first + 1);
    if (!boxes || boxes->rank != 2 || boxes->dims[0] != n || boxes->dims[1] != 4)
        return ao_fail(AOSA_ERR_FORMAT,
                       "%s: annot(%zu).tubes(%zu): its boxes are not %zu x 4, for frames %d to %d",
                       r->path, r->video + 1, r->tube + 1, n, first, last);
    for (size_t i = 0; i < n; i++) {
        struct ao_source_box box = { .frame = first - 1 + (int64_t)i };
        AO_TRY(read_box(r, boxes, i, &box));
        if (item && ao_box_counts(r->options, item, classes[class - 1]))
            AO_TRY(ao_item_add_box(item, &box));
        else
            r->dataset->boxes_unused++;
    }
    return AOSA_OK;
}

/* Characters of a field as ASCII text; false for anything else. */
static bool read_name(matvar_t *annot, size_t i, char name[NAME_BYTES])
{
    const matvar_t *v = field(annot, "name", i);
    const size_t n = count(v);
    if (n == 0 || n >= NAME_BYTES || v->class_type != MAT_C_CHAR || !v->data ||
        v->nbytes < n * (size_t)v->data_size)
        return false;
    for (size_t k = 0; k < n; k++) {
        const unsigned c = v->data_size == 1   ? ((const uint8_t *)v->data)[k]
                           : v->data_size == 2 ? ((const uint16_t *)v->data)[k]
                                               : 0;
        if (c < ' ' || c > '~')
            return false;
        name[k] = (char)c;
    }
    name[n] = '\0';
    return true;
}

static aosa_status read_video(struct reader *r, matvar_t *annot)
{
    char name[NAME_BYTES];
    struct ao_item *item;
    if (!read_name(annot, r->video, name))
        return ao_fail(AOSA_ERR_FORMAT, "%s: annot(%zu).name is no name of a video", r->path,
                       r->video + 1);
    const aosa_status status = ao_names_find(&r->names, name, &item);
    if (status != AOSA_OK)
        return ao_fail_in(status, "%s: annot(%zu)", r->path, r->video + 1);
    matvar_t *tubes = field(annot, "tubes", r->video);
    const size_t n = count(tubes);
    if (n > 0 && tubes->class_type != MAT_C_STRUCT)
        return ao_fail(AOSA_ERR_FORMAT, "%s: annot(%zu).tubes is no struct", r->path, r->video + 1);
    for (r->tube = 0; r->tube < n; r->tube++)
        AO_TRY(read_tube(r, tubes, item));
    return AOSA_OK;
}

static aosa_status read_annot(struct reader *r)
{
    mat_t *mat = Mat_Open(r->path, MAT_ACC_RDONLY);
    if (!mat)
        return ao_fail(AOSA_ERR_FORMAT, "%s: libmatio cannot open it", r->path);
    matvar_t *annot = Mat_VarRead(mat, "annot");
    aosa_status status = AOSA_OK;
    if (!annot || annot->class_type != MAT_C_STRUCT)
        status = ao_fail(AOSA_ERR_FORMAT, "%s: holds no struct 'annot'", r->path);
    const size_t n = count(annot);
    for (r->video = 0; status == AOSA_OK && r->video < n; r->video++)
        status = read_video(r, annot);
    Mat_VarFree(annot);
    Mat_Close(mat);
    return status;
}

aosa_status ao_read_boxes_mat(const struct ao_dataset_options *options, const char *path,
                              struct ao_dataset *dataset)
{
    struct reader r = { .options = options, .path = path, .dataset = dataset };
    AO_TRY(ao_mat_check(path));
    AO_TRY(ao_names_init(&r.names, dataset));
    const aosa_status status = read_annot(&r);
    ao_names_fini(&r.names);
    return status;
}
