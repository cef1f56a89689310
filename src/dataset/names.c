/* SPDX-License-Identifier: Apache-2.0 */
#include "dataset/names.h"

#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"

struct ao_name {
    const char *text;
    size_t length;
    struct ao_item *item;
};

/* "v_X_g01_c01" of "X/v_X_g01_c01.avi". */
static struct ao_name stem_of(const char *text)
{
    const char *slash = strrchr(text, '/');
    const char *base = slash ? slash + 1 : text;
    const char *dot = strrchr(base, '.');
    return (struct ao_name){ base, dot && dot > base ? (size_t)(dot - base) : strlen(base), NULL };
}

static int compare_names(const void *a, const void *b)
{
    const struct ao_name *p = a, *q = b;
    const size_t n = p->length < q->length ? p->length : q->length;
    const int order = memcmp(p->text, q->text, n);
    return order ? order : p->length < q->length ? -1 : p->length > q->length;
}

aosa_status ao_names_init(struct ao_names *names, const struct ao_dataset *dataset)
{
    *names = (struct ao_names){ 0 };
    names->names = ao_alloc(dataset->n, 2 * sizeof *names->names);
    if (!names->names)
        return ao_fail(AOSA_ERR_NOMEM, "boxes: no memory for %zu names", dataset->n);
    for (size_t i = 0; i < dataset->n; i++) {
        struct ao_item *item = &dataset->items[i];
        struct ao_name stem = stem_of(item->id);
        stem.item = item;
        names->names[names->n++] = (struct ao_name){ item->id, strlen(item->id), item };
        if (stem.text != item->id || stem.length != strlen(item->id))
            names->names[names->n++] = stem;
    }
    qsort(names->names, names->n, sizeof *names->names, compare_names);
    return AOSA_OK;
}

void ao_names_fini(struct ao_names *names)
{
    ao_free(names->names);
    *names = (struct ao_names){ 0 };
}

static aosa_status look_up(const struct ao_names *names, struct ao_name key, struct ao_item **item)
{
    const struct ao_name *end = names->names + names->n;
    const struct ao_name *found = bsearch(&key, names->names, names->n, sizeof key, compare_names);
    *item = found ? found->item : NULL;
    if (!found)
        return AOSA_OK;
    while (found > names->names && !compare_names(found - 1, &key))
        found--;
    for (; found < end && !compare_names(found, &key); found++)
        if (found->item != *item)
            return ao_fail(AOSA_ERR_FORMAT, "'%.*s' is '%s' or '%s'",
                           (int)(key.length < 200 ? key.length : 200), key.text, (*item)->id,
                           found->item->id);
    return AOSA_OK;
}

aosa_status ao_names_find(const struct ao_names *names, const char *name, struct ao_item **item)
{
    AO_TRY(look_up(names, (struct ao_name){ name, strlen(name), NULL }, item));
    return *item ? AOSA_OK : look_up(names, stem_of(name), item);
}
