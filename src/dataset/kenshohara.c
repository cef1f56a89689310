/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/file.h"
#include "core/json.h"
#include "dataset/layout.h"

/*
 * The JSON of kenshohara's 3D ResNets (spec C.2): {"labels": [...], "database": {VIDEO: {"subset",
 * "annotations": {"label", "segment"}, perhaps "video_path"}}}. The class is the place in
 * `labels`; a segment is half-open and counts from 1.
 */

#define MAX_BYTES ((size_t)256 << 20)
#define MAX_FRAMES 1000000000

struct list {
    const struct ao_dataset_options *options;
    struct ao_dataset *dataset;
    enum ao_subset subset;
    const char *video; /* that is being read */
    json_t *entry, *annotations;
};

static aosa_status fail(const struct list *list, const char *what)
{
    return ao_fail(AOSA_ERR_FORMAT, "%s: '%.80s': %s", list->options->lists, list->video, what);
}

static aosa_status read_labels(const struct list *list, json_t *labels)
{
    size_t i;
    json_t *label;
    if (!json_is_array(labels))
        return ao_fail(AOSA_ERR_FORMAT, "%s: has no list 'labels'", list->options->lists);
    json_array_foreach(labels, i, label)
    {
        const aosa_status status =
            json_is_string(label) ? ao_dataset_add_label(list->dataset, json_string_value(label))
                                  : ao_fail(AOSA_ERR_FORMAT, "labels[%zu] is no text", i);
        if (status != AOSA_OK)
            return ao_fail_in(status, "%s", list->options->lists);
    }
    return AOSA_OK;
}

/* Frames of the source, 0-based and half-open; all of them where the entry names no segment. */
static aosa_status read_segment(const struct list *list, struct ao_item *item)
{
    json_t *segment = json_object_get(list->annotations, "segment");
    if (!segment)
        return AOSA_OK;
    json_t *first = json_array_get(segment, 0), *end = json_array_get(segment, 1);
    if (json_array_size(segment) != 2 || !json_is_integer(first) || !json_is_integer(end))
        return fail(list, "'segment' is not two numbers");
    item->first = json_integer_value(first) - 1;
    item->end = json_integer_value(end) - 1;
    if (item->first < 0 || item->end < item->first || item->end > MAX_FRAMES)
        return fail(list, "'segment' is not [first frame, counted from 1; first frame after it]");
    return AOSA_OK;
}

/* `video_path` below the root, as written or with the root in front; else CLASS/VIDEO. */
static aosa_status find_path(const struct list *list, const char *label, char **path)
{
    const char *root = list->options->root;
    const char *given = json_string_value(json_object_get(list->entry, "video_path"));
    const size_t n = strlen(root);
    if (given) {
        const bool whole = !strncmp(given, root, n) && given[n] == '/';
        const aosa_status status = ao_path_below(root, whole ? given + n + 1 : given, path);
        return status == AOSA_OK ? status : ao_fail_in(status, "%s", list->options->lists);
    }
    if (!ao_name_is_plain(label) || !ao_name_is_plain(list->video))
        return fail(list, "label and name of a video cannot be those of a folder and a file");
    *path = ao_find_video(root, label, list->video, false);
    return *path ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "dataset: no memory for a path");
}

static aosa_status add_item(const struct list *list, struct ao_item *item)
{
    char where[160];
    snprintf(where, sizeof where, "%.60s '%.80s'", ao_path_base(list->options->lists), list->video);
    item->where = where;
    item->id = ao_path_join(item->label, list->video);
    aosa_status status = item->id ? find_path(list, item->label, &item->path)
                                  : ao_fail(AOSA_ERR_NOMEM, "dataset: no memory for an id");
    if (status == AOSA_OK)
        status = ao_dataset_add(list->dataset, item, NULL);
    ao_free(item->id);
    ao_free(item->path);
    return status;
}

static aosa_status read_entry(struct list *list)
{
    struct ao_dataset *dataset = list->dataset;
    const char *word = json_string_value(json_object_get(list->entry, "subset"));
    enum ao_subset subset;
    struct ao_item item = { .id = NULL };
    if (!word || !ao_subset_parse(word, &subset))
        return fail(list, "'subset' is none of training, validation and testing");
    if (subset != list->subset)
        return AOSA_OK;
    list->annotations = json_object_get(list->entry, "annotations");
    const char *label = json_string_value(json_object_get(list->annotations, "label"));
    if (!label)
        return fail(list, "has no label; a part without labels cannot be scored, choose --subset");
    const size_t class = ao_dataset_find_label(dataset, label);
    if (class == dataset->n_labels)
        return ao_fail(AOSA_ERR_FORMAT, "%s: '%.80s': '%.80s' is none of the %zu labels",
                       list->options->lists, list->video, label, dataset->n_labels);
    item.label = dataset->labels[class];
    AO_TRY(read_segment(list, &item));
    const bool has_frames = item.end > 0 || !json_object_get(list->annotations, "segment");
    return has_frames ? add_item(list, &item) : AOSA_OK;
}

static aosa_status read_json(struct list *list, json_t *root)
{
    json_t *database = json_object_get(root, "database");
    AO_TRY(read_labels(list, json_object_get(root, "labels")));
    if (!json_is_object(database))
        return ao_fail(AOSA_ERR_FORMAT, "%s: has no object 'database'", list->options->lists);
    json_object_foreach(database, list->video, list->entry) AO_TRY(read_entry(list));
    if (list->dataset->n == 0)
        return ao_fail(AOSA_ERR_FORMAT,
                       "%s: none of its %zu videos is of that part, choose another --subset",
                       list->options->lists, json_object_size(database));
    return AOSA_OK;
}

aosa_status ao_layout_kenshohara(const struct ao_dataset_options *options,
                                 struct ao_dataset *dataset)
{
    struct list list = { .options = options, .dataset = dataset };
    json_t *root;
    if (!options->lists)
        return ao_fail(AOSA_ERR_ARGUMENT, "--dataset kenshohara: give --lists FILE.json");
    AO_TRY(ao_subset_choose(options, AO_SUBSET_VAL, &list.subset));
    AO_TRY(ao_json_read_bounded(options->lists, MAX_BYTES, &root));
    const aosa_status status = read_json(&list, root);
    json_decref(root);
    return status;
}
