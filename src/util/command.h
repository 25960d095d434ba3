/* command.h: a program run as a child process for what it prints, without ever waiting for it.
 * The program gets no input, no descriptor of ours but its two outputs, an empty signal mask and a process group of its own, so
 * that it ends with all it started. It is not given to a shell. Ownership: command_free ends what still runs. Threads: one owner.
 * Bounds: an output limit and a time limit, in milliseconds of the caller's clock. Errors: FATAL when it cannot be started or
 * prints too much, RETRY when it fails or takes too long; the text names the program, never its arguments, which may hold
 * secrets. */
#ifndef LUADUCT_UTIL_COMMAND_H
#define LUADUCT_UTIL_COMMAND_H

#include "util/buffer.h"
#include "util/error.h"

struct command;

enum command_state { COMMAND_RUNS, COMMAND_DONE, COMMAND_FAILED };

/* How soon to look again at one that runs. */
enum { COMMAND_LOOK_MS = 20 };

/* arguments ends with NULL; the first is the program, looked for in PATH when it has no slash. */
bool command_start(struct command **command_out, char *const *arguments, int64_t time_limit_ms, int64_t now_ms,
                   struct error *error) MUST_USE;
/* Takes what it printed and looks whether it has ended. DONE: with status 0, and all its output is there. */
enum command_state command_step(struct command *command, int64_t now_ms, struct error *error);
struct str command_output(const struct command *command);
void command_free(struct command *command);

#endif
