/* starts.h: where a job begins to read, for people: what the job says, and what that is in the topic as it is now.
 * Ownership: the engine is borrowed. Threads: the command's main thread. */
#ifndef LUADUCT_CLI_STARTS_H
#define LUADUCT_CLI_STARTS_H

#include "cli/engine.h"

/* One line, from the job alone. */
void starts_print(const struct engine *engine, struct buffer *text);
/* Asks the brokers for the group's positions and the log's bounds, and prints where each partition would begin. False: they do
 * not answer, or the job's offsets are not there. Blocks. */
bool starts_ask(const struct engine *engine, struct buffer *text, struct error *error) MUST_USE;

#endif
