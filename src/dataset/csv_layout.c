/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "dataset/csv.h"
#include "dataset/layout.h"

/* A list of one's own: columns path and label, and perhaps boxes, a file for each video. */

static aosa_status read_item(const struct ao_dataset_options *options, const struct ao_csv *csv,
                             const int column[3], struct ao_dataset *dataset)
{
    const char *name = csv->fields[column[0]];
    const char *boxes = column[2] < 0 ? "" : csv->fields[column[2]];
    char where[AO_CSV_WHERE], *path = NULL, *box_path = NULL;
    struct ao_item *item;
    ao_csv_where(csv, where);
    aosa_status status = ao_path_below(options->root, name, &path);
    if (status == AOSA_OK)
        status = ao_dataset_add(dataset,
                                &(struct ao_item){
                                    .id = csv->fields[column[0]],
                                    .path = path,
                                    .label = csv->fields[column[1]],
                                    .where = where,
                                },
                                &item);
    if (status == AOSA_OK && *boxes)
        status = ao_path_below(options->root, boxes, &box_path);
    if (status == AOSA_OK && *boxes)
        status = ao_read_boxes(options, box_path, dataset, item);
    ao_free(path);
    ao_free(box_path);
    return status == AOSA_OK ? status : ao_fail_in(status, "%s:%zu", csv->path, csv->line);
}

static aosa_status read_rows(const struct ao_dataset_options *options, struct ao_csv *csv,
                             struct ao_dataset *dataset)
{
    int column[3];
    bool more;
    AO_TRY(ao_csv_require(csv, "path", &column[0]));
    AO_TRY(ao_csv_require(csv, "label", &column[1]));
    column[2] = ao_csv_column(csv, "boxes");
    for (;;) {
        AO_TRY(ao_csv_next(csv, &more));
        if (!more)
            return AOSA_OK;
        AO_TRY(read_item(options, csv, column, dataset));
    }
}

aosa_status ao_layout_csv(const struct ao_dataset_options *options, struct ao_dataset *dataset)
{
    struct ao_csv csv;
    char *path =
        options->lists ? ao_strdup(options->lists) : ao_path_join(options->root, "list.csv");
    if (!path)
        return ao_fail(AOSA_ERR_NOMEM, "dataset: no memory for the list's path");
    aosa_status status = ao_csv_open(&csv, path);
    if (status == AOSA_OK) {
        status = read_rows(options, &csv, dataset);
        ao_csv_close(&csv);
    }
    ao_free(path);
    return status;
}
