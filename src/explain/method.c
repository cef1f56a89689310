/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "aosa/explain.h"
#include "core/alloc.h"
#include "explain/settings.h"

const struct ao_method *ao_settings_method(const aosa_settings *settings)
{
    int n;
    return ao_methods(&n) + settings->explain.method;
}

/* Options of what is done with explanations, which no method sees. */
static bool is_of_dataset(const char *group)
{
    return !strcmp(group, "dataset") || !strcmp(group, "metrics") || !strcmp(group, "evaluation");
}

bool ao_method_uses(const struct ao_method *method, const char *group, const char *option)
{
    const bool masks = method->needs & AO_NEEDS_MASKS;
    if (is_of_dataset(group))
        return false;
    if (!strcmp(group, "method") || !strcmp(option, "fill"))
        return ao_method_reads(method, option);
    if (!strcmp(group, "masks"))
        return masks || ao_method_reads(method, option);
    if (!strcmp(group, "flow"))
        return masks || (method->needs & AO_NEEDS_FLOW);
    return true;
}

bool aosa_method_at(size_t index, struct aosa_method_info *info)
{
    int n;
    const struct ao_method *methods = ao_methods(&n);
    if (index >= (size_t)n)
        return false;
    *info = (struct aosa_method_info){
        .name = methods[index].name,
        .family = methods[index].family,
        .summary = methods[index].summary,
        .source = methods[index].source,
        .mask = methods[index].mask,
    };
    return true;
}

bool aosa_method_uses(size_t index, const struct aosa_option_info *option)
{
    int n;
    const struct ao_method *methods = ao_methods(&n);
    return index < (size_t)n && ao_method_uses(&methods[index], option->group, option->name);
}

/* "gradcam gradcam_pp ...": the methods that use an option. */
static const char *users_of(const struct aosa_option_info *option, char *text, size_t bytes)
{
    int n;
    size_t used = 0;
    const struct ao_method *methods = ao_methods(&n);
    text[0] = '\0';
    for (int i = 0; i < n && used < bytes; i++)
        if (ao_method_uses(&methods[i], option->group, option->name))
            used += (size_t)snprintf(text + used, bytes - used, " %s", methods[i].name);
    return text;
}

aosa_status ao_settings_check_method(const aosa_settings *settings)
{
    const struct ao_method *method = ao_settings_method(settings);
    struct aosa_option_info option;
    char users[800];
    for (size_t i = 0; aosa_option_at(i, &option); i++)
        if (settings->given[i] && !ao_method_uses(method, option.group, option.name))
            return ao_fail(AOSA_ERR_ARGUMENT, "--%s: method %s does not use it, these do:%s",
                           option.name, method->name, users_of(&option, users, sizeof users));
    return AOSA_OK;
}

/* Whether a comma list names a method itself, or its family in the plural: "gradients". */
static bool list_names(const char *list, const struct ao_method *method)
{
    const size_t family = strlen(method->family);
    for (const char *p = list; *p;) {
        const size_t n = strcspn(p, ",");
        if ((strlen(method->name) == n && !strncmp(method->name, p, n)) ||
            (family + 1 == n && !strncmp(method->family, p, family) && p[family] == 's'))
            return true;
        p += n + (p[n] == ',');
    }
    return false;
}

static aosa_status check_list(const char *list)
{
    int n;
    const struct ao_method *methods = ao_methods(&n);
    for (const char *p = list; *p;) {
        const size_t length = strcspn(p, ",");
        char word[64];
        bool known = false;
        snprintf(word, sizeof word, "%.*s", (int)(length < 63 ? length : 63), p);
        for (int i = 0; i < n && !known; i++)
            known = list_names(word, &methods[i]);
        if (!known)
            return ao_fail(AOSA_ERR_ARGUMENT,
                           "--methods: '%s' is neither a method nor occlusions, perturbations, "
                           "gradients, cams or controls, see aosa list methods",
                           word);
        p += length + (p[length] == ',');
    }
    return AOSA_OK;
}

/* An option that none of the methods uses is a mistake; one that some do not use is left out there.
 */
static aosa_status check_options(const aosa_settings *settings, const struct ao_method **methods,
                                 int n, bool dataset)
{
    struct aosa_option_info option;
    for (size_t i = 0; settings && aosa_option_at(i, &option); i++) {
        bool used = !settings->given[i] || (dataset && is_of_dataset(option.group));
        for (int m = 0; m < n && !used; m++)
            used = ao_method_uses(methods[m], option.group, option.name);
        if (!used)
            return ao_fail(AOSA_ERR_ARGUMENT, "--%s: none of the %d methods uses it", option.name,
                           n);
        if (settings->given[i] && !strcmp(option.name, "method"))
            return ao_fail(AOSA_ERR_ARGUMENT, "--method: name what is compared in --methods");
    }
    return AOSA_OK;
}

aosa_status ao_settings_choose_methods(const aosa_settings *settings, const char *list,
                                       bool dataset, const struct ao_method ***chosen, int *n)
{
    int n_methods;
    const struct ao_method *methods = ao_methods(&n_methods);
    if (list)
        AO_TRY(check_list(list));
    const struct ao_method **rows = ao_alloc((size_t)n_methods, sizeof *rows);
    if (!rows)
        return ao_fail(AOSA_ERR_NOMEM, "--methods: no memory for %d", n_methods);
    *n = 0;
    for (int i = 0; i < n_methods; i++)
        if (!list || list_names(list, &methods[i]))
            rows[(*n)++] = &methods[i];
    const aosa_status status = *n ? check_options(settings, rows, *n, dataset)
                                  : ao_fail(AOSA_ERR_ARGUMENT, "--methods: '%s' names none", list);
    if (status != AOSA_OK) {
        ao_free(rows);
        return status;
    }
    *chosen = rows;
    return AOSA_OK;
}
