/* commands.c: the commands by their names. */
#include <string.h>

#include "cli/cli.h"
#include "util/str.h"

static const struct cli_command commands[] = {
    {"run", cli_run},         {"reload", cli_reload},   {"check", cli_check}, {"plan", cli_plan},
    {"sample", cli_sample},   {"infer", cli_infer},     {"test", cli_test},   {"preview", cli_preview},
    {"simulate", cli_simulate}, {"columns", cli_columns}, {"epoch", cli_epoch}, {"reset", cli_reset},
    {"dirty", cli_dirty},     {"local", cli_local},     {"demo", cli_demo},   {"help", cli_help},
    {"version", cli_version},
};

const struct cli_command *cli_command_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

const char *cli_command_nearest(const char *word)
{
    const char *names[COUNT_OF(commands)];

    for (size_t i = 0; i < COUNT_OF(commands); i++)
        names[i] = commands[i].name;
    return str_nearest(str_of(word), names, COUNT_OF(commands));
}
