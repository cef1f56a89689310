/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/alloc.h"
#include "core/file.h"
#include "dataset/csv.h"
#include "dataset/layout.h"

/*
 * Kinetics (spec C.2): lists with the columns label, youtube_id, time_start, time_end and perhaps
 * split; a clip is CLASS/ID_START_END, with times in seconds of six digits. The order of the
 * labels is that of their first appearance in the training list, not the alphabet's.
 */

struct list {
    const struct ao_dataset_options *options;
    struct ao_dataset *dataset;
    enum ao_subset subset;
    bool checks_subset; /* rows of another part are mistakes */
    struct ao_csv csv;
    int label, youtube, start, end, split; /* columns; split may be -1 */
};

/* --- labels ------------------------------------------------------------------------------------
 */

static aosa_status require_label(struct list *list)
{
    list->label = ao_csv_column(&list->csv, "label");
    if (list->label < 0)
        return ao_fail(AOSA_ERR_FORMAT,
                       "%s: its first line names no column 'label'; a list without labels cannot "
                       "be scored, choose another --subset",
                       list->csv.path);
    return AOSA_OK;
}

static aosa_status read_labels(struct list *list)
{
    bool more;
    AO_TRY(require_label(list));
    for (;;) {
        AO_TRY(ao_csv_next(&list->csv, &more));
        if (!more)
            return AOSA_OK;
        const char *label = list->csv.fields[list->label];
        if (ao_dataset_find_label(list->dataset, label) < list->dataset->n_labels)
            continue;
        const aosa_status status = ao_dataset_add_label(list->dataset, label);
        if (status != AOSA_OK)
            return ao_fail_in(status, "%s:%zu", list->csv.path, list->csv.line);
    }
}

/* --- videos ------------------------------------------------------------------------------------
 */

static aosa_status fail_row(const struct list *list, const char *what, const char *text)
{
    return ao_fail(AOSA_ERR_FORMAT, "%s:%zu: %s '%.80s'", list->csv.path, list->csv.line, what,
                   text);
}

static aosa_status read_seconds(const struct list *list, int column, int *seconds)
{
    double number;
    AO_TRY(ao_csv_number(&list->csv, column, &number));
    if (!(number >= 0 && number <= 999999 && number == (int)number))
        return fail_row(list, "not a whole number of seconds:", list->csv.fields[column]);
    *seconds = (int)number;
    return AOSA_OK;
}

static aosa_status check_row(const struct list *list)
{
    char *const *fields = list->csv.fields;
    const struct ao_dataset *dataset = list->dataset;
    enum ao_subset subset;
    if (!ao_name_is_plain(fields[list->label]))
        return fail_row(list, "a label cannot be", fields[list->label]);
    if (!ao_name_is_plain(fields[list->youtube]))
        return fail_row(list, "a video's id cannot be", fields[list->youtube]);
    if (dataset->n_labels &&
        ao_dataset_find_label(dataset, fields[list->label]) == dataset->n_labels)
        return fail_row(list, "the training list has no label", fields[list->label]);
    if (list->split < 0 || !list->checks_subset)
        return AOSA_OK;
    if (!ao_subset_parse(fields[list->split], &subset) || subset != list->subset)
        return fail_row(list, "is of another part:", fields[list->split]);
    return AOSA_OK;
}

static aosa_status add_row(const struct list *list)
{
    char *const *fields = list->csv.fields;
    char where[AO_CSV_WHERE], name[160];
    int start = 0, end = 0;
    AO_TRY(check_row(list));
    AO_TRY(read_seconds(list, list->start, &start));
    AO_TRY(read_seconds(list, list->end, &end));
    if (snprintf(name, sizeof name, "%s_%06d_%06d", fields[list->youtube], start, end) >=
        (int)sizeof name)
        return fail_row(list, "a video's id cannot be", fields[list->youtube]);
    ao_csv_where(&list->csv, where);
    struct ao_item item = { .label = fields[list->label], .where = where };
    item.id = ao_path_join(item.label, name);
    item.path = ao_find_video(list->options->root, item.label, name, false);
    const aosa_status status = item.id && item.path
                                   ? ao_dataset_add(list->dataset, &item, NULL)
                                   : ao_fail(AOSA_ERR_NOMEM, "dataset: no memory for %s", name);
    ao_free(item.id);
    ao_free(item.path);
    return status;
}

static aosa_status read_videos(struct list *list)
{
    bool more;
    AO_TRY(require_label(list));
    AO_TRY(ao_csv_require(&list->csv, "youtube_id", &list->youtube));
    AO_TRY(ao_csv_require(&list->csv, "time_start", &list->start));
    AO_TRY(ao_csv_require(&list->csv, "time_end", &list->end));
    list->split = ao_csv_column(&list->csv, "split");
    for (;;) {
        AO_TRY(ao_csv_next(&list->csv, &more));
        if (!more)
            return AOSA_OK;
        AO_TRY(add_row(list));
    }
}

/* --- lists -------------------------------------------------------------------------------------
 */

/* "val.csv", "validate.csv", "kinetics-700_val.csv": whether a file is the list of a part. */
static bool is_list_of(const char *name, enum ao_subset subset)
{
    char word[16];
    enum ao_subset its;
    const size_t n = strlen(name);
    if (n <= 4 || strcasecmp(name + n - 4, ".csv"))
        return false;
    size_t first = n - 4;
    while (first > 0 && name[first - 1] != '_' && name[first - 1] != '-')
        first--;
    if (n - 4 - first >= sizeof word)
        return false;
    snprintf(word, sizeof word, "%.*s", (int)(n - 4 - first), name + first);
    return ao_subset_parse(word, &its) && its == subset;
}

static aosa_status find_list(const char *folder, enum ao_subset subset, char **path)
{
    static const char *const names[] = { "train.csv", "val.csv", "test.csv" };
    struct dirent *entry;
    DIR *entries = opendir(folder);
    int n = 0;
    *path = NULL;
    while (entries && (entry = readdir(entries)))
        if (is_list_of(entry->d_name, subset) && n++ == 0)
            *path = ao_path_join(folder, entry->d_name);
    if (entries)
        closedir(entries);
    if (n == 1 && *path)
        return AOSA_OK;
    ao_free(*path);
    return n == 1 ? ao_fail(AOSA_ERR_NOMEM, "dataset: no memory for a list's path")
                  : ao_fail(AOSA_ERR_INPUT, "--lists %s: holds %d files such as %s, not one",
                            folder, n, names[subset]);
}

static aosa_status read_file(struct list *list, const char *path,
                             aosa_status (*read)(struct list *list))
{
    AO_TRY(ao_csv_open(&list->csv, path));
    const aosa_status status = read(list);
    ao_csv_close(&list->csv);
    return status;
}

static aosa_status read_part(struct list *list, enum ao_subset subset,
                             aosa_status (*read)(struct list *list))
{
    char *path;
    AO_TRY(find_list(list->options->lists, subset, &path));
    const aosa_status status = read_file(list, path, read);
    ao_free(path);
    return status;
}

aosa_status ao_layout_kinetics(const struct ao_dataset_options *options, struct ao_dataset *dataset)
{
    struct list list = { .options = options, .dataset = dataset };
    if (!options->lists)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--dataset kinetics: give --lists FOLDER, where train.csv and val.csv are");
    AO_TRY(ao_subset_choose(options, AO_SUBSET_VAL, &list.subset));
    const bool is_folder = ao_path_is_folder(options->lists);
    list.checks_subset = is_folder || options->subset;
    if (!is_folder) /* without a training list the classes are the model's own labels */
        return read_file(&list, options->lists, read_videos);
    AO_TRY(read_part(&list, AO_SUBSET_TRAIN, read_labels));
    return read_part(&list, list.subset, read_videos);
}
