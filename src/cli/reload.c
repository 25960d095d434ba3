/* reload.c: `luaduct reload JOB`: asks the processes that run the job here for a look at its files, and says what came of it. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/job_socket.h"
#include "cli/cli.h"
#include "cli/terminal.h"
#include "cli/word.h"

enum { ANSWER_MS = 120 * 1000 }; /* trying new code has its own bounds, which are shorter */

struct answers {
    bool refused, silent;
};

static void answered(void *arg, pid_t process, struct str text)
{
    struct answers *answers = arg;
    bool refused = text.data && text.data[0] != '+' && text.data[0] != '=';
    struct buffer clean;

    if (!text.data) {
        answers->silent = true;
        fprintf(stderr, "process %d: no answer; its log says whether new code is stuck in it\n", (int)process);
        return;
    }
    answers->refused |= refused;
    buffer_init(&clean, 0);
    terminal_clean(str_make(text.data + 1, text.size - 1), true, &clean); /* an error of Lua may quote a record */
    fprintf(refused ? stderr : stdout, "process %d: %s%s\n", (int)process,
            refused ? "refused, the code before goes on until a restart: " : "", buffer_text(&clean));
    buffer_release(&clean);
}

static const char usage[] =
    "usage: luaduct reload JOB.yaml [--force]\n"
    "  --force  also when more of the newest rows would become dirty than with the code that runs now\n"
    "The processes that run the job on this machine, as the same user, look at its files at once. New code is checked, and run\n"
    "beside the old on copies of the newest records; then it takes over between two batches, or is refused with the reason.\n"
    "The path that the job was started with finds it also when a link in it points to another folder by now (current ->\n"
    "releases/13); a job that was started by a relative path from within such a folder stays in the folder of its start.\n"
    "A restart takes the files as they are: mend or undo what was refused or taken back.\n"
    "Taken are the stages, their Lua files, time_zone, the limits of dirty, log.level and reload; when another key has\n"
    "changed, nothing is.\n"
    "Exit status: 0 the new code runs (or there is none), 1 it was refused, or no process runs the job, 2 a mistake.\n";

int cli_reload(int argc, char **argv)
{
    struct answers answers = {0};
    const char *job = NULL;
    bool force = false;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return EXIT_OK;
        }
        if (strcmp(argv[i], "--force") == 0) {
            force = true;
        } else if (argv[i][0] != '-' && !job) {
            job = argv[i];
        } else {
            return word_refuse("reload", argv + i, usage);
        }
    }
    if (!job) {
        fprintf(stderr, "luaduct reload: which job?\n%s", usage);
        return EXIT_CONFIG;
    }
    if (access(job, F_OK) != 0) {
        fprintf(stderr, "luaduct reload: there is no file %s\n", job);
        return EXIT_CONFIG;
    }
    if (!job_socket_ask(job, force ? "reload --force" : "reload", ANSWER_MS, answered, &answers)) {
        fprintf(stderr,
                "luaduct reload: no process of this user runs %s here, or it is still connecting; `luaduct run` starts "
                "it\n",
                job);
        return EXIT_FAILED;
    }
    return answers.refused || answers.silent ? EXIT_FAILED : EXIT_OK;
}
