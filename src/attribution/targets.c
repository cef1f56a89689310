/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/targets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/labels.h"

void ao_top_classes(const float *outputs, int classes, int k, int *top)
{
    int n = 0;
    for (int c = 0; c < classes; c++) {
        if (n == k && !(outputs[c] > outputs[top[n - 1]]))
            continue;
        int at = n < k ? n++ : n - 1;
        for (; at > 0 && outputs[c] > outputs[top[at - 1]]; at--)
            top[at] = top[at - 1];
        top[at] = c;
    }
}

const char *ao_target_name(const struct aosa_model *model, struct ao_target target, char *text,
                           size_t bytes)
{
    ao_model_label(model, target.a, text, bytes);
    const size_t used = strlen(text);
    if (target.b >= 0 && used + 1 < bytes) {
        text[used] = '-';
        ao_model_label(model, target.b, text + used + 1, bytes - used - 1);
    }
    return text;
}

static aosa_status add(struct ao_target *targets, int *n, struct ao_target target)
{
    if (*n == AO_MAX_TARGETS)
        return ao_fail(AOSA_ERR_ARGUMENT, "--target: more than %d targets", AO_MAX_TARGETS);
    targets[(*n)++] = target;
    return AOSA_OK;
}

/* "topK" with K a number; 0 if the word is something else. */
static long parse_top(const char *word)
{
    if (strncmp(word, "top", 3) || word[3] < '0' || word[3] > '9')
        return 0;
    char *end;
    const long k = strtol(word + 3, &end, 10);
    return *end ? 0 : k;
}

static aosa_status add_top(const struct aosa_model *model, long k, const float *outputs,
                           struct ao_target *targets, int *n)
{
    int top[AO_MAX_TARGETS] = { 0 };
    if (k < 1 || k > AO_MAX_TARGETS || k > model->classes)
        return ao_fail(AOSA_ERR_ARGUMENT, "--target: top%ld, top1 to top%d are possible here", k,
                       model->classes < AO_MAX_TARGETS ? model->classes : AO_MAX_TARGETS);
    if (outputs)
        ao_top_classes(outputs, model->classes, (int)k, top);
    for (int i = 0; i < k; i++)
        AO_TRY(add(targets, n, (struct ao_target){ .a = top[i], .b = -1 }));
    return AOSA_OK;
}

/* Tries every '-' as the place where A ends and B begins. */
static bool parse_contrast(const struct aosa_model *model, const char *word,
                           struct ao_target *target)
{
    char a[512];
    for (const char *dash = strchr(word, '-'); dash; dash = strchr(dash + 1, '-')) {
        const size_t length = (size_t)(dash - word);
        if (length == 0 || length >= sizeof a || !dash[1])
            continue;
        memcpy(a, word, length);
        a[length] = '\0';
        if (ao_model_find_class(model, a, &target->a) == AOSA_OK &&
            ao_model_find_class(model, dash + 1, &target->b) == AOSA_OK)
            return true;
    }
    return false;
}

static aosa_status add_word(const struct aosa_model *model, const char *word, const float *outputs,
                            struct ao_target *targets, int *n)
{
    struct ao_target target = { .a = ao_labels_find(model->labels, model->n_labels, word),
                                .b = -1 };
    if (target.a >= 0)
        return add(targets, n, target);
    const long k = parse_top(word);
    if (k || !strcmp(word, "top0"))
        return add_top(model, k, outputs, targets, n);
    if (word[0] != '-' && parse_contrast(model, word, &target)) {
        if (target.a == target.b)
            return ao_fail(AOSA_ERR_ARGUMENT, "--target '%s': a contrast needs two classes", word);
        return add(targets, n, target);
    }
    AO_TRY(ao_model_find_class(model, word, &target.a));
    target.b = -1;
    return add(targets, n, target);
}

aosa_status ao_targets_resolve(const struct aosa_model *model, const char *text,
                               const float *outputs, struct ao_target *targets, int *n)
{
    char copy[4096];
    *n = 0;
    if (!text || strlen(text) >= sizeof copy)
        return ao_fail(AOSA_ERR_ARGUMENT, "--target: give a class, such as 21, a label or top1");
    if (ao_labels_find(model->labels, model->n_labels, text) >= 0)
        return add_word(model, text, outputs, targets, n);
    snprintf(copy, sizeof copy, "%s", text);
    char *rest = copy;
    for (char *word; (word = strtok_r(rest, ",", &rest));)
        AO_TRY(add_word(model, word, outputs, targets, n));
    if (*n == 0)
        return ao_fail(AOSA_ERR_ARGUMENT, "--target '%s' names no class", text);
    return AOSA_OK;
}
