/* run.h: running an opened engine to its end, with progress and signals; shared by `run` and `demo`. */
#ifndef LUADUCT_CLI_RUN_H
#define LUADUCT_CLI_RUN_H

#include "cli/engine.h"

/* Returns the exit status. */
int run_engine(struct engine *engine, struct counts *counts_out);

#endif
