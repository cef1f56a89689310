/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli.h"

enum { TEXT_COLUMN = 30, WIDTH = 100 };

/* Words with spaces between, from the text's column on, broken at the page's width. */
static void print_wrapped(const char *text, int column)
{
    int at = column;
    while (*text) {
        const int n = (int)strcspn(text, " ");
        if (at > column && at + 1 + n > WIDTH) {
            printf("\n%*s", column, "");
            at = column;
        }
        printf("%s%.*s", at > column ? " " : "", n, text);
        at += n + (at > column);
        text += n + (text[n] == ' ');
    }
    printf("\n");
}

static void print_row(char letter, const char *name, const char *value, const char *help)
{
    char left[128];
    char dash[8] = "    ";
    if (letter)
        snprintf(dash, sizeof dash, "-%c, ", letter);
    snprintf(left, sizeof left, "  %s--%s%s%s", dash, name, value ? " " : "", value ? value : "");
    const bool fits = strlen(left) < TEXT_COLUMN;
    printf("%-*s%s%*s", TEXT_COLUMN, left, fits ? "" : "\n", fits ? 0 : TEXT_COLUMN, "");
    print_wrapped(help, TEXT_COLUMN);
}

/* How many methods of a family there are, and how many of them use an option. */
static void count_users(const char *family, const struct aosa_option_info *option, int *all,
                        int *users)
{
    struct aosa_method_info method;
    *all = *users = 0;
    for (size_t i = 0; aosa_method_at(i, &method); i++) {
        if (strcmp(method.family, family))
            continue;
        ++*all;
        *users += aosa_method_uses(i, option);
    }
}

/* " (cam family, first_order)": who uses an option, unless all do. */
static void add_users(const struct aosa_option_info *option, char *text, size_t bytes)
{
    struct aosa_method_info method;
    char family[32] = "";
    const char *separator = " (";
    int all = 0, users = 0;
    for (size_t i = 0; aosa_method_at(i, &method); i++) {
        const size_t used = strlen(text);
        const bool first = strcmp(family, method.family) != 0;
        snprintf(family, sizeof family, "%s", method.family);
        count_users(family, option, &all, &users);
        const bool whole = users == all;
        if (!aosa_method_uses(i, option) || (whole && !first))
            continue;
        snprintf(text + used, bytes - used, "%s%s%s", separator, whole ? family : method.name,
                 whole && all > 1 ? " family" : "");
        separator = ", ";
    }
    const size_t used = strlen(text);
    snprintf(text + used, bytes - used, "%s", *separator == ',' ? ")" : "");
}

static void print_option(const struct aosa_option_info *option)
{
    char help[1024];
    const char *initial = option->initial && option->value ? option->initial : "";
    const bool few = option->choices && strlen(option->choices) < 72;
    snprintf(help, sizeof help, "%s", option->help);
    if (!strcmp(option->group, "method") || !strcmp(option->name, "fill"))
        add_users(option, help, sizeof help);
    const size_t used = strlen(help);
    snprintf(help + used, sizeof help - used, "%s%s%s", *initial ? " [" : "", initial,
             *initial ? "]" : "");
    print_row(option->letter, option->name, few ? option->choices : option->value, help);
}

/* Methods of every family, for commands that explain. */
static void print_methods(void)
{
    struct aosa_method_info method;
    char names[1024] = "";
    printf("\nmethods (aosa list methods tells more)\n");
    for (size_t i = 0; aosa_method_at(i, &method);) {
        char family[32];
        snprintf(family, sizeof family, "%s", method.family);
        names[0] = '\0';
        for (; aosa_method_at(i, &method) && !strcmp(family, method.family); i++) {
            const size_t used = strlen(names);
            snprintf(names + used, sizeof names - used, "%s%s", used ? " " : "", method.name);
        }
        printf("  %-*s", TEXT_COLUMN - 2, family);
        print_wrapped(names, TEXT_COLUMN);
    }
}

static void help_command(const struct cli_command *command)
{
    struct aosa_option_info info;
    char group[64] = "";
    printf("usage: aosa %s [options] %s\n\n%s\n\n", command->name, command->usage,
           command->summary);
    for (const struct cli_option *own = cli_own_options; own->name; own++)
        print_row(own->letter, own->name, own->value, own->help);
    for (size_t i = 0; aosa_option_at(i, &info); i++) {
        if (!strstr(command->groups, info.group))
            continue;
        if (strcmp(group, info.group)) {
            snprintf(group, sizeof group, "%s", info.group);
            printf("\n%s\n", !strcmp(group, "method") ? "method, those in brackets" : group);
        }
        print_option(&info);
    }
    if (strstr(command->groups, "method"))
        print_methods();
}

void cli_help(const struct cli_command *command)
{
    if (command) {
        help_command(command);
        return;
    }
    printf("usage: aosa COMMAND [options]\n\nSee what a video classifier looks at.\n\n");
    for (const struct cli_command *c = cli_commands; c->name; c++)
        printf("  %-12s%s\n", c->name, c->summary);
    printf("\naosa COMMAND --help lists a command's options; aosa --version tells the version.\n");
}
