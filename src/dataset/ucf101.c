/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* strsep */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/alloc.h"
#include "core/file.h"
#include "dataset/layout.h"

/*
 * UCF-101 by its official lists (spec C.2): lines "Class/video.avi" of testlist0N.txt, with the
 * class number behind in trainlist0N.txt, and lines "number Class" of classInd.txt. Folders and
 * files of one class differ in case (HandStandPushups, v_HandStandPushups, v_HandstandPushups),
 * so names are looked for without it where they are not there as written.
 */

/* Calls for every line that is not empty, without its end. */
typedef aosa_status (*line_fn)(void *context, char *line, const char *where);

static aosa_status each_line(const char *folder, const char *name, line_fn fn, void *context)
{
    struct ao_file file;
    char where[64];
    char *path = ao_path_join(folder, name);
    if (!path)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for its path", name);
    aosa_status status = ao_file_open(&file, path);
    ao_free(path);
    if (status != AOSA_OK)
        return status;
    char *text = ao_strndup(file.size ? (const char *)file.bytes : "", file.size);
    ao_file_close(&file);
    if (!text)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for its text", name);
    char *rest = text;
    size_t number = 0;
    for (char *line; status == AOSA_OK && (line = strsep(&rest, "\n"));) {
        snprintf(where, sizeof where, "%s:%zu", name, ++number);
        line[strcspn(line, "\r")] = '\0';
        if (*line)
            status = fn(context, line, where);
    }
    ao_free(text);
    return status;
}

static aosa_status read_class(void *context, char *line, const char *where)
{
    struct ao_dataset *dataset = context;
    char *name = strchr(line, ' ');
    char *end;
    if (!name || strtoul(line, &end, 10) != dataset->n_labels + 1 || end != name || !name[1])
        return ao_fail(AOSA_ERR_FORMAT, "%s: '%.80s' is not '%zu CLASS'", where, line,
                       dataset->n_labels + 1);
    const aosa_status status = ao_dataset_add_label(dataset, name + 1);
    return status == AOSA_OK ? status : ao_fail_in(status, "%s", where);
}

/* Index of a class, whatever its case; n_labels where there is none. */
static size_t find_class(const struct ao_dataset *dataset, const char *name)
{
    size_t i = 0;
    while (i < dataset->n_labels && strcasecmp(dataset->labels[i], name))
        i++;
    return i;
}

struct list {
    const struct ao_dataset_options *options;
    struct ao_dataset *dataset;
};

static aosa_status add_video(const struct list *list, const char *folder, char *file, size_t class,
                             const char *where)
{
    struct ao_dataset *dataset = list->dataset;
    char *label = dataset->labels[class], *dot = strrchr(file, '.');
    char *path = ao_find_video(list->options->root, folder, file, true);
    if (dot)
        *dot = '\0';
    char *id = ao_path_join(label, file);
    const struct ao_item item = { .id = id, .path = path, .label = label, .where = (char *)where };
    const aosa_status status = path && id
                                   ? ao_dataset_add(dataset, &item, NULL)
                                   : ao_fail(AOSA_ERR_NOMEM, "dataset: no memory for %s", file);
    ao_free(path);
    ao_free(id);
    return status;
}

static aosa_status read_video(void *context, char *line, const char *where)
{
    const struct list *list = context;
    char *number = strchr(line, ' '), *file = strchr(line, '/');
    if (number)
        *number++ = '\0';
    if (file)
        *file++ = '\0';
    if (!file || !ao_name_is_plain(line) || !ao_name_is_plain(file))
        return ao_fail(AOSA_ERR_FORMAT, "%s: '%.80s%s%.80s' is not 'CLASS/VIDEO.avi'", where, line,
                       file ? "/" : "", file ? file : "");
    const size_t class = find_class(list->dataset, line);
    if (class == list->dataset->n_labels)
        return ao_fail(AOSA_ERR_FORMAT, "%s: '%.80s' is none of the %zu classes of classInd.txt",
                       where, line, list->dataset->n_labels);
    if (number && strtoul(number, NULL, 10) != class + 1)
        return ao_fail(AOSA_ERR_FORMAT, "%s: class %.20s, but %s is %zu in classInd.txt", where,
                       number, list->dataset->labels[class], class + 1);
    return add_video(list, line, file, class, where);
}

aosa_status ao_layout_ucf101(const struct ao_dataset_options *options, struct ao_dataset *dataset)
{
    struct list list = { options, dataset };
    enum ao_subset subset;
    char name[32];
    if (!options->lists)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--dataset ucf101: give --lists FOLDER, where classInd.txt is");
    AO_TRY(ao_subset_choose(options, AO_SUBSET_TEST, &subset));
    if (subset == AO_SUBSET_VAL)
        return ao_fail(AOSA_ERR_ARGUMENT, "--subset %s: ucf101 has test and train",
                       options->subset);
    snprintf(name, sizeof name, "%slist%02d.txt", subset == AO_SUBSET_TEST ? "test" : "train",
             options->split);
    AO_TRY(each_line(options->lists, "classInd.txt", read_class, dataset));
    return each_line(options->lists, name, read_video, &list);
}
