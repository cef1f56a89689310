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
                "testlist01.txt"),
    AO_OPT_INT(ao_dataset_options, split, "split", "1", 1, 3, "N", "ucf101: which lists"),
    AO_OPT_TEXT(ao_dataset_options, subset, "subset", NULL, "test|train",
                "ucf101: which part of the split; test unless told"),
    AO_OPT_TEXT(ao_dataset_options, boxes, "boxes", NULL, "FILE",
                "where the objects are: columns video,frame,x,y,w,h and perhaps class"),
    AO_OPT_TEXT(ao_dataset_options, box_class, "box-class", "label", "label|any|WORD",
                "boxes that count where they have a class: that of the video's label, all, or "
                "those of one class"),
    AO_OPT_INT(ao_dataset_options, first_frame, "first-frame", "1", 0, 1, "NUMBER",
               "number of a video's first frame in the files of boxes"),
    AO_OPT_INT(ao_dataset_options, limit, "limit", "0", 0, INT_MAX, "N",
               "take only N videos, evenly spread over the list; 0 for all"),
    AO_OPT_END,
};

/* --- building --------------------------------------------------------------------------------- */

aosa_status ao_dataset_add(struct ao_dataset *dataset, const char *id, const char *path,
                           const char *label, struct ao_item **item)
{
    void *items = dataset->items;
    if (!ao_grow(&items, &dataset->capacity, dataset->n, sizeof *dataset->items))
        return ao_fail(AOSA_ERR_NOMEM, "dataset: no memory for item %zu", dataset->n);
    dataset->items = items;
    struct ao_item *added = &dataset->items[dataset->n++];
    *added = (struct ao_item){
        .id = ao_strdup(id),
        .path = ao_strdup(path),
        .label = ao_strdup(label),
    };
    if (!added->id || !added->path || !added->label)
        return ao_fail(AOSA_ERR_NOMEM, "dataset: no memory for item %zu", dataset->n - 1);
    if (item)
        *item = added;
    return AOSA_OK;
}

aosa_status ao_dataset_add_label(struct ao_dataset *dataset, const char *label)
{
    void *labels = dataset->labels;
    if (!ao_grow(&labels, &dataset->labels_capacity, dataset->n_labels, sizeof *dataset->labels))
        return ao_fail(AOSA_ERR_NOMEM, "dataset: no memory for label %zu", dataset->n_labels);
    dataset->labels = labels;
    dataset->labels[dataset->n_labels] = ao_strdup(label);
    if (!dataset->labels[dataset->n_labels++])
        return ao_fail(AOSA_ERR_NOMEM, "dataset: no memory for label %zu", dataset->n_labels - 1);
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

char *ao_path_join(const char *folder, const char *name)
{
    const size_t n = strlen(folder) + strlen(name) + 2;
    char *path = ao_alloc(n, 1);
    if (path)
        snprintf(path, n, "%s/%s", folder, name);
    return path;
}

aosa_status ao_path_below(const char *folder, const char *name, char **path)
{
    bool climbs = name[0] == '/' || name[0] == '\0';
    for (const char *p = name; *p; p += *p == '/') {
        const size_t n = strcspn(p, "/");
        climbs = climbs || (n == 2 && p[0] == '.' && p[1] == '.');
        p += n;
    }
    if (climbs)
        return ao_fail(AOSA_ERR_FORMAT, "'%.200s' is not a path below %s", name, folder);
    *path = ao_path_join(folder, name);
    return *path ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "%s: no memory for its path", name);
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
            return ao_fail(AOSA_ERR_FORMAT, "the dataset's list names '%s' twice",
                           dataset->items[i].id);
    return AOSA_OK;
}

static void free_item(struct ao_item *item)
{
    ao_free(item->id);
    ao_free(item->path);
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
    ao_free(d);
    *dataset = NULL;
}
