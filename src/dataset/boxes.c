/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "dataset/csv.h"
#include "dataset/layout.h"
#include "dataset/names.h"

struct reader {
    const struct ao_dataset_options *options;
    struct ao_dataset *dataset;
    struct ao_csv csv;
    int video, class, frame, x, y, w, h; /* columns; video and class may be -1 */
    struct ao_names names;
};

bool ao_box_counts(const struct ao_dataset_options *options, const struct ao_item *item,
                   const char *class)
{
    const char *wanted = options->box_class;
    if (!class || !strcmp(wanted, "any"))
        return true;
    return !strcasecmp(class, !strcmp(wanted, "label") ? item->label : wanted);
}

/* The item of the row that was read last; NULL: none. */
static aosa_status find_item(const struct reader *r, struct ao_item **item)
{
    const aosa_status status = ao_names_find(&r->names, r->csv.fields[r->video], item);
    return status == AOSA_OK ? status : ao_fail_in(status, "%s:%zu", r->csv.path, r->csv.line);
}

static aosa_status read_box(const struct reader *r, struct ao_source_box *box)
{
    double frame, w, h;
    const int first = r->options->first_frame;
    AO_TRY(ao_csv_number(&r->csv, r->frame, &frame));
    AO_TRY(ao_csv_number(&r->csv, r->x, &box->x0));
    AO_TRY(ao_csv_number(&r->csv, r->y, &box->y0));
    AO_TRY(ao_csv_number(&r->csv, r->w, &w));
    AO_TRY(ao_csv_number(&r->csv, r->h, &h));
    if (frame < first || frame > 1e9 || frame != (double)(int64_t)frame)
        return ao_fail(AOSA_ERR_FORMAT,
                       "%s:%zu: frame %s, where frames are numbered from %d (--first-frame)",
                       r->csv.path, r->csv.line, r->csv.fields[r->frame], first);
    if (w < 0 || h < 0)
        return ao_fail(AOSA_ERR_FORMAT, "%s:%zu: a box of %g x %g", r->csv.path, r->csv.line, w, h);
    box->frame = (int64_t)frame - first;
    box->x1 = box->x0 + w;
    box->y1 = box->y0 + h;
    return AOSA_OK;
}

static aosa_status find_columns(struct reader *r, bool needs_video)
{
    const struct ao_csv *csv = &r->csv;
    r->video = ao_csv_column(csv, "video");
    r->class = ao_csv_column(csv, "class");
    if (r->class < 0)
        r->class = ao_csv_column(csv, "label");
    AO_TRY(ao_csv_require(csv, "frame", &r->frame));
    AO_TRY(ao_csv_require(csv, "x", &r->x));
    AO_TRY(ao_csv_require(csv, "y", &r->y));
    AO_TRY(ao_csv_require(csv, "w", &r->w));
    AO_TRY(ao_csv_require(csv, "h", &r->h));
    return needs_video ? ao_csv_require(csv, "video", &r->video) : AOSA_OK;
}

static aosa_status take_box(const struct reader *r, struct ao_item *item)
{
    struct ao_source_box box;
    const char *class = r->class < 0 ? NULL : r->csv.fields[r->class];
    AO_TRY(read_box(r, &box));
    if (item && ao_box_counts(r->options, item, class))
        return ao_item_add_box(item, &box);
    r->dataset->boxes_unused++;
    return AOSA_OK;
}

static aosa_status read_rows(struct reader *r, struct ao_item *only)
{
    bool more;
    AO_TRY(find_columns(r, only == NULL));
    if (!only)
        AO_TRY(ao_names_init(&r->names, r->dataset));
    for (;;) {
        struct ao_item *item = only;
        AO_TRY(ao_csv_next(&r->csv, &more));
        if (!more)
            return AOSA_OK;
        if (!only)
            AO_TRY(find_item(r, &item));
        AO_TRY(take_box(r, item));
    }
}

static bool is_of_matlab(const char *path)
{
    const size_t n = strlen(path);
    return n > 4 && !strcasecmp(path + n - 4, ".mat");
}

aosa_status ao_read_boxes(const struct ao_dataset_options *options, const char *path,
                          struct ao_dataset *dataset, struct ao_item *only)
{
    struct reader r = { .options = options, .dataset = dataset };
    if (!only && is_of_matlab(path))
        return ao_read_boxes_mat(options, path, dataset);
    AO_TRY(ao_csv_open(&r.csv, path));
    const aosa_status status = read_rows(&r, only);
    ao_csv_close(&r.csv);
    ao_names_fini(&r.names);
    return status;
}
