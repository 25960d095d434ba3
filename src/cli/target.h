/* target.h: the table as the service has it, for commands that ask without writing.
 * Ownership: the engine is borrowed, a schema is the caller's to release. Threads: the command's main thread; it blocks, at most
 * ENGINE_ASK_MS. Errors: what the service answers, "target: " before it. */
#ifndef LUADUCT_CLI_TARGET_H
#define LUADUCT_CLI_TARGET_H

#include "cli/engine.h"

/* One GET, after engine_connect. *there false: it does not exist, and the job makes it; where it does not make it, that is the
 * error. */
bool target_ask(struct engine *engine, struct mc_schema *schema_out, bool *there_out, struct error *error) MUST_USE;

#endif
