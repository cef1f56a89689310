/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AOSA_TESTS_DATASET_FIXTURE_H
#define AOSA_TESTS_DATASET_FIXTURE_H

/* A folder of lists, boxes and videos for one test, and a dataset that is read from it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "dataset/dataset.h"
#include "support/folder.h"

static struct ao_dataset_options options;
static struct ao_dataset *dataset;

/* Makes folders on the way. */
static inline void write_bytes(const char *name, const void *bytes, size_t size)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder_path(), name);
    for (char *p = path + strlen(folder_path()) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(path, 0777);
        *p = '/';
    }
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static inline void write_file(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

static void set(const char *name, const char *value)
{
    const struct ao_option *row = ao_options_find(ao_dataset_option_table, name);
    assert_non_null(row);
    assert_int_equal(ao_option_set(row, &options, value), AOSA_OK);
}

static inline void set_path(const char *name, const char *file)
{
    set(name, in_folder(file));
}

static int set_up(void **state)
{
    if (folder_make(state))
        return -1;
    assert_int_equal(ao_options_init(ao_dataset_option_table, &options), AOSA_OK);
    set("root", folder_path());
    return 0;
}

static int tear_down(void **state)
{
    ao_dataset_close(&dataset);
    ao_options_fini(ao_dataset_option_table, &options);
    return folder_remove(state);
}

static inline void open_dataset(void)
{
    ao_dataset_close(&dataset);
    if (ao_dataset_open(&options, &dataset) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
}

static inline void refuse(aosa_status want, const char *words)
{
    ao_dataset_close(&dataset);
    assert_int_equal(ao_dataset_open(&options, &dataset), want);
    if (!strstr(aosa_error_message(), words))
        fail_msg("'%s' is not in '%s'", words, aosa_error_message());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
