/* SPDX-License-Identifier: Apache-2.0 */
#include "dataset/dataset.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "core/file.h"
#include "dataset/layout.h"

static const struct ao_layout layouts[] = {
#define LAYOUT(name, options, summary) { #name, options, summary, ao_layout_##name },
#include "dataset/datasets.def"
#undef LAYOUT
};

static const char layout_words[] =
#define LAYOUT(name, ...) "|" #name
#include "dataset/datasets.def"
#undef LAYOUT
    ;

const struct ao_option ao_dataset_option_table[] = {
    AO_OPT_CHOICE(ao_dataset_options, layout, "dataset", "csv", layout_words + 1,
                  "how the dataset is laid out"),
    AO_OPT_TEXT(ao_dataset_options, root, "root", NULL, "FOLDER", "folder of the videos"),
    AO_OPT_TEXT(ao_dataset_options, lists, "lists", NULL, "PATH",
                "csv: the list, instead of ROOT/list.csv; ucf101: folder of classInd.txt and "
                "testlist01.txt; kenshohara: the JSON file; kinetics: folder of train.csv and "
                "val.csv, or one list"),
    AO_OPT_INT(ao_dataset_options, split, "split", "1", 1, 3, "N", "ucf101: which lists"),
    AO_OPT_TEXT(ao_dataset_options, subset, "subset", NULL, "train|val|test",
                "which part; unless told test for ucf101, val for kenshohara and kinetics"),
    AO_OPT_TEXT(ao_dataset_options, boxes, "boxes", NULL, "FILE",
                "where the objects are: columns video,frame,x,y,w,h and perhaps class, or "
                "finalAnnots.mat of UCF101-24"),
    AO_OPT_TEXT(ao_dataset_options, box_class, "box-class", "label", "label|any|WORD",
                "boxes that count where they have a class: that of the video's label, all, or "
                "those of one class"),
    AO_OPT_INT(ao_dataset_options, first_frame, "first-frame", "1", 0, 1, "NUMBER",
               "number of a video's first frame in tables of boxes"),
    AO_OPT_INT(ao_dataset_options, limit, "limit", "0", 0, INT_MAX, "N",
               "take only N videos, evenly spread over the list; 0 for all"),
    AO_OPT_END,
};

/* --- building --------------------------------------------------------------------------------- */

aosa_status ao_dataset_add(struct ao_dataset *dataset, const struct ao_item *item,
                           struct ao_item **added)
{
    void *items = dataset->items;
    if (!ao_grow(&items, &dataset->capacity, dataset->n, sizeof *dataset->items))
        return ao_fail(AOSA_ERR_NOMEM, "dataset: no memory for item %zu", dataset->n);
    dataset->items = items;
    struct ao_item *copy = &dataset->items[dataset->n++];
    *copy = (struct ao_item){
        .id = ao_strdup(item->id),
        .path = ao_strdup(item->path),
        .label = ao_strdup(item->label),
        .where = ao_strdup(item->where),
        .first = item->first,
        .end = item->end,
    };
    if (!copy->id || !copy->path || !copy->label || !copy->where)
        return ao_fail(AOSA_ERR_NOMEM, "dataset: no memory for item %zu", dataset->n - 1);
    if (added)
        *added = copy;
    return AOSA_OK;
}

aosa_status ao_item_add_box(struct ao_item *item, const struct ao_source_box *box)
{
    void *boxes = item->boxes;
    if (!ao_grow(&boxes, &item->boxes_capacity, item->n_boxes, sizeof *item->boxes))
        return ao_fail(AOSA_ERR_NOMEM, "dataset: no memory for box %zu", item->n_boxes);
    item->boxes = boxes;
    item->boxes[item->n_boxes++] = *box;
    return AOSA_OK;
}

/* --- opening ---------------------------------------------------------------------------------- */

/* An option that the layout does not read is a mistake. */
static aosa_status check_options(const struct ao_dataset_options *options)
{
    const struct ao_layout *layout = &layouts[options->layout];
    if (!options->root)
        return ao_fail(AOSA_ERR_ARGUMENT, "--dataset %s: give --root FOLDER, where the videos are",
                       layout->name);
    if (!ao_path_is_folder(options->root))
        return ao_fail(AOSA_ERR_INPUT, "--root %s: is not a folder", options->root);
    if (options->subset && !strstr(layout->options, "subset"))
        return ao_fail(AOSA_ERR_ARGUMENT, "--subset: a dataset of layout %s has none",
                       layout->name);
    return AOSA_OK;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(((const struct ao_item *)a)->id, ((const struct ao_item *)b)->id);
}

static aosa_status sort(struct ao_dataset *dataset)
{
    if (dataset->n == 0)
        return ao_fail(AOSA_ERR_FORMAT, "the dataset's list names no video");
    qsort(dataset->items, dataset->n, sizeof *dataset->items, compare_ids);
    for (size_t i = 1; i < dataset->n; i++)
        if (!strcmp(dataset->items[i - 1].id, dataset->items[i].id))
            return ao_fail(AOSA_ERR_FORMAT, "the dataset's list names '%s' twice (%s and %s)",
                           dataset->items[i].id, dataset->items[i - 1].where,
                           dataset->items[i].where);
    return AOSA_OK;
}

static void free_item(struct ao_item *item)
{
    ao_free(item->id);
    if (item->clip > 0) /* the rest is clip 0's */
        return;
    ao_free(item->path);
    ao_free(item->where);
    ao_free(item->label);
    ao_free(item->boxes);
}

/* Keeps items floor(i n / limit), i = 0 .. limit - 1. */
static void keep_some(struct ao_dataset *dataset, size_t limit)
{
    if (limit == 0 || limit >= dataset->n)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < dataset->n; i++) {
        if (kept < limit && i == kept * dataset->n / limit)
            dataset->items[kept++] = dataset->items[i];
        else
            free_item(&dataset->items[i]);
    }
    dataset->n = kept;
}

static aosa_status read(const struct ao_dataset_options *options, struct ao_dataset *dataset)
{
    AO_TRY(check_options(options));
    AO_TRY(layouts[options->layout].read(options, dataset));
    AO_TRY(sort(dataset));
    keep_some(dataset, (size_t)options->limit);
    return options->boxes ? ao_read_boxes(options, options->boxes, dataset, NULL) : AOSA_OK;
}

aosa_status ao_dataset_open(const struct ao_dataset_options *options, struct ao_dataset **dataset)
{
    struct ao_dataset *opened = ao_alloc(1, sizeof *opened);
    if (!opened)
        return ao_fail(AOSA_ERR_NOMEM, "dataset: no memory");
    const aosa_status status = read(options, opened);
    if (status != AOSA_OK) {
        ao_dataset_close(&opened);
        return status;
    }
    *dataset = opened;
    return AOSA_OK;
}

void ao_dataset_close(struct ao_dataset **dataset)
{
    struct ao_dataset *d = *dataset;
    if (!d)
        return;
    for (size_t i = 0; i < d->n; i++)
        free_item(&d->items[i]);
    for (size_t i = 0; i < d->n_labels; i++)
        ao_free(d->labels[i]);
    ao_free(d->items);
    ao_free(d->labels);
    ao_free(d->sorted);
    ao_free(d);
    *dataset = NULL;
}

/* --- clips -------------------------------------------------------------------------------------
 */

static char *clip_id(const char *video, int clip)
{
    const size_t n = strlen(video) + sizeof "#2147483647";
    char *id = ao_alloc(n, 1);
    if (id)
        snprintf(id, n, "%s#%d", video, clip);
    return id;
}

/* Item i of `items` is clip i % clips of video i / clips; false without memory. */
static bool make_clips(const struct ao_dataset *dataset, size_t clips, struct ao_item *items)
{
    for (size_t i = 0; i < dataset->n * clips; i++) {
        items[i] = dataset->items[i / clips];
        items[i].clip = (int)(i % clips);
        items[i].id = clip_id(dataset->items[i / clips].id, items[i].clip);
        if (!items[i].id)
            return false;
    }
    return true;
}

aosa_status ao_dataset_take_clips(struct ao_dataset *dataset, int clips)
{
    size_t n;
    if (clips == 1)
        return AOSA_OK;
    struct ao_item *items =
        ao_size_mul(dataset->n, (size_t)clips, &n) ? ao_alloc(n, sizeof *items) : NULL;
    if (!items || !make_clips(dataset, (size_t)clips, items)) {
        for (size_t i = 0; items && i < n; i++)
            ao_free(items[i].id);
        ao_free(items);
        return ao_fail(AOSA_ERR_NOMEM, "dataset: no memory for %d clips of %zu videos", clips,
                       dataset->n);
    }
    for (size_t i = 0; i < dataset->n; i++)
        ao_free(dataset->items[i].id);
    ao_free(dataset->items);
    dataset->items = items;
    dataset->n = dataset->capacity = n;
    return AOSA_OK;
}
