/* main.c: finds the command and hands over. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

int main(int argc, char **argv)
{
    const struct cli_command *command;
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
    command = cli_command_find(word);
    if (command)
        return command->run(argc > 1 ? argc - 1 : argc, argc > 1 ? argv + 1 : argv);
    nearest = cli_command_nearest(word);
    fprintf(stderr, "luaduct: \"%s\" is not a command%s%s%s `luaduct help` lists them\n", word,
            nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : ";");
    return EXIT_CONFIG;
}
