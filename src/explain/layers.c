/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/layers.h"

#include <stdio.h>

#include "attribution/layer.h"
#include "core/alloc.h"

json_t *ao_layers_json(const struct aosa_model *model)
{
    struct ao_layer *layers, initial;
    int n;
    if (ao_layers(model, &layers, &n) != AOSA_OK)
        return NULL;
    if (n == 0 || ao_layer_find(model, NULL, &initial) != AOSA_OK)
        initial.index = -1;
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        const struct ao_layer *layer = &layers[i];
        json_array_append_new(
            list, json_pack("{s:i, s:o, s:o, s:s, s:[I, I, I, I], s:b, s:b}", "index", i, "node",
                            ao_json_text(layer->node), "value", ao_json_text(layer->name),
                            "operator", layer->type, "shape", (json_int_t)layer->C,
                            (json_int_t)layer->t, (json_int_t)layer->h, (json_int_t)layer->w,
                            "whole", (int)layer->whole, "default", (int)(i == initial.index)));
    }
    ao_free(layers);
    return list;
}

void ao_layers_page(struct ao_page *page, const json_t *layers)
{
    size_t i;
    json_t *layer;
    ao_page_add(page, "  index  [C,t,h,w]           operator          node\n");
    json_array_foreach(layers, i, layer)
    {
        json_int_t n[4] = { 0 };
        char shape[96];
        const char *node = "", *type = "";
        int index = 0, whole = 0, initial = 0;
        json_unpack(layer, "{s:i, s:s, s:s, s:[I, I, I, I], s:b, s:b}", "index", &index, "node",
                    &node, "operator", &type, "shape", &n[0], &n[1], &n[2], &n[3], "whole", &whole,
                    "default", &initial);
        snprintf(shape, sizeof shape, "[%lld,%lld,%lld,%lld]", (long long)n[0], (long long)n[1],
                 (long long)n[2], (long long)n[3]);
        ao_page_add(page, "%c %5d  %-19s  %-16s  %s%s\n", initial ? '*' : ' ', index, shape, type,
                    node, whole ? "" : "  (in a branch)");
    }
    ao_page_add(page, "* is the layer without --layer\n");
}
