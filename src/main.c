/* main.c: finds the command and hands over. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "util/str.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", cli_run},         {"reload", cli_reload},   {"check", cli_check}, {"plan", cli_plan},
    {"sample", cli_sample},   {"infer", cli_infer},     {"test", cli_test},   {"preview", cli_preview},
    {"simulate", cli_simulate}, {"columns", cli_columns}, {"epoch", cli_epoch}, {"reset", cli_reset},
    {"dirty", cli_dirty},     {"local", cli_local},     {"demo", cli_demo},   {"help", cli_help},
    {"version", cli_version},
};

int main(int argc, char **argv)
{
    const char *names[COUNT_OF(commands)];
    const char *word = argc > 1 ? argv[1] : "help";
    const char *nearest;

    /* Blocks are large and short-lived, and come and go on several threads. By default glibc raises the size from which it maps
     * memory, and keeps what was freed below it: a job that caught up after its target was away took a third more than
     * runtime.memory_max. With a fixed size it stays below, for 1.5 % more CPU (job columns on replay). */
    mallopt(M_MMAP_THRESHOLD, 512 * 1024);
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        word = "help";
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        word = "version";
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        names[i] = commands[i].name;
        if (strcmp(word, commands[i].name) == 0)
            return commands[i].run(argc > 1 ? argc - 1 : argc, argc > 1 ? argv + 1 : argv);
    }
    nearest = str_nearest(str_of(word), names, COUNT_OF(names));
    fprintf(stderr, "luaduct: \"%s\" is not a command%s%s%s; `luaduct help` lists them\n", word,
            nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    return EXIT_CONFIG;
}
