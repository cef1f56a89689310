/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "aosa/explain.h"
#include "explain/settings.h"

const struct ao_method *ao_settings_method(const aosa_settings *settings)
{
    int n;
    return ao_methods(&n) + settings->explain.method;
}

bool ao_method_uses(const struct ao_method *method, const char *group, const char *option)
{
    const bool masks = method->needs & AO_NEEDS_MASKS;
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
