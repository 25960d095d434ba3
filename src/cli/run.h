/* run.h: running an opened engine to its end, with progress and signals; shared by `run` and `demo`.
 * Ownership: the engine is borrowed. Threads: the command's main thread, which is the hub's while it runs. */
#ifndef LUADUCT_CLI_RUN_H
#define LUADUCT_CLI_RUN_H

#include "cli/engine.h"

/* Returns the exit status; with reason (SUPERVISOR_REASON_MAX bytes) it may be EXIT_RECOVERABLE, and reason gets why the run
 * failed. reason NULL: nobody will restart it, so that status does not occur. */
int run_engine(struct engine *engine, struct counts *counts_out, char *reason);

#endif
