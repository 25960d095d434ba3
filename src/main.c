/* main.c: finds the command and hands over. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "util/machine.h"

int main(int argc, char **argv)
{
    const struct cli_command *command;
    const char *word = argc > 1 ? argv[1] : "help";
    const char *nearest;
    struct machine machine;

    /* Blocks are large and short-lived, and come and go on several threads. By default glibc raises the size from which it maps
     * memory, and keeps what was freed below it: a job that caught up after its target was away took a third more than
     * runtime.memory_max. With a fixed size it stays below, for 1.5 % more CPU (job columns on replay). */
    mallopt(M_MMAP_THRESHOLD, 512 * 1024);
    /* With it comes 128 KiB as what a heap may keep free at its end, and the records of one fetch are some MiB: their pages went
     * back to the kernel and came anew, cleared, with each. */
    mallopt(M_TRIM_THRESHOLD, 4 * 1024 * 1024);
    /* What one thread allocates another one frees, so a heap for each thread holds room that no other can use. Two threads that
     * run share one without being in each other's way. */
    machine_read(&machine, "");
    mallopt(M_ARENA_MAX, (int)size_max(machine.cores / 2, 1));
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
