/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/alloc.h"
#include "dataset/csv.h"
#include "dataset/layout.h"

/* An item by the name that files of boxes give it; sorted, so that a row costs log n. */
struct name {
    const char *text;
    size_t length;
    struct ao_item *item;
};

struct reader {
    const struct ao_dataset_options *options;
    struct ao_dataset *dataset;
    struct ao_csv csv;
    int video, class, frame, x, y, w, h; /* columns; video and class may be -1 */
    struct name *names;                  /* [2 n] id and stem of every item */
    size_t n_names;
};

/* "v_X_g01_c01" of "X/v_X_g01_c01.avi". */
static struct name stem_of(const char *text)
{
    const char *slash = strrchr(text, '/');
    const char *base = slash ? slash + 1 : text;
    const char *dot = strrchr(base, '.');
    return (struct name){ base, dot && dot > base ? (size_t)(dot - base) : strlen(base), NULL };
}

static int compare_names(const void *a, const void *b)
{
    const struct name *p = a, *q = b;
    const size_t n = p->length < q->length ? p->length : q->length;
    const int order = memcmp(p->text, q->text, n);
    return order ? order : p->length < q->length ? -1 : p->length > q->length;
}

static aosa_status index_names(struct reader *r)
{
    r->names = ao_alloc(2 * r->dataset->n, sizeof *r->names);
    if (!r->names)
        return ao_fail(AOSA_ERR_NOMEM, "boxes: no memory for %zu names", r->dataset->n);
    for (size_t i = 0; i < r->dataset->n; i++) {
        struct ao_item *item = &r->dataset->items[i];
        struct name stem = stem_of(item->id);
        stem.item = item;
        r->names[r->n_names++] = (struct name){ item->id, strlen(item->id), item };
        if (stem.text != item->id || stem.length != strlen(item->id))
            r->names[r->n_names++] = stem;
    }
    qsort(r->names, r->n_names, sizeof *r->names, compare_names);
    return AOSA_OK;
}

/* Item of that name in *item, or NULL; a stem that two items share is an error. */
static aosa_status look_up(const struct reader *r, struct name key, struct ao_item **item)
{
    const struct name *end = r->names + r->n_names;
    const struct name *found = bsearch(&key, r->names, r->n_names, sizeof key, compare_names);
    *item = found ? found->item : NULL;
    if (!found)
        return AOSA_OK;
    while (found > r->names && !compare_names(found - 1, &key))
        found--;
    for (; found < end && !compare_names(found, &key); found++)
        if (found->item != *item)
            return ao_fail(AOSA_ERR_FORMAT, "%s:%zu: '%.*s' is '%s' or '%s'", r->csv.path,
                           r->csv.line, (int)key.length, key.text, (*item)->id, found->item->id);
    return AOSA_OK;
}

static aosa_status find_item(const struct reader *r, struct ao_item **item)
{
    const char *video = r->csv.fields[r->video];
    AO_TRY(look_up(r, (struct name){ video, strlen(video), NULL }, item));
    return *item ? AOSA_OK : look_up(r, stem_of(video), item);
}

static bool counts(const struct reader *r, const struct ao_item *item)
{
    const char *wanted = r->options->box_class;
    if (r->class < 0 || !strcmp(wanted, "any"))
        return true;
    return !strcasecmp(r->csv.fields[r->class], !strcmp(wanted, "label") ? item->label : wanted);
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
    AO_TRY(ao_csv_require(csv, "frame", &r->frame));
    AO_TRY(ao_csv_require(csv, "x", &r->x));
    AO_TRY(ao_csv_require(csv, "y", &r->y));
    AO_TRY(ao_csv_require(csv, "w", &r->w));
    AO_TRY(ao_csv_require(csv, "h", &r->h));
    return needs_video ? ao_csv_require(csv, "video", &r->video) : AOSA_OK;
}

static aosa_status read_rows(struct reader *r, struct ao_item *only)
{
    bool more;
    AO_TRY(find_columns(r, only == NULL));
    if (!only)
        AO_TRY(index_names(r));
    for (;;) {
        struct ao_source_box box;
        struct ao_item *item = only;
        AO_TRY(ao_csv_next(&r->csv, &more));
        if (!more)
            return AOSA_OK;
        AO_TRY(read_box(r, &box));
        if (!only)
            AO_TRY(find_item(r, &item));
        if (item && counts(r, item))
            AO_TRY(ao_item_add_box(item, &box));
        else
            r->dataset->boxes_unused++;
    }
}

aosa_status ao_read_boxes(const struct ao_dataset_options *options, const char *path,
                          struct ao_dataset *dataset, struct ao_item *only)
{
    struct reader r = { .options = options, .dataset = dataset };
    AO_TRY(ao_csv_open(&r.csv, path));
    const aosa_status status = read_rows(&r, only);
    ao_csv_close(&r.csv);
    ao_free(r.names);
    return status;
}
