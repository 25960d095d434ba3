/* null.h: a sink that acknowledges and forgets; for benches and tests of the pipeline. Its schema is given.
 * Ownership: as sink.h says; `free` of its functions frees it. Threads: the hub's. */
#ifndef LUADUCT_SINK_NULL_H
#define LUADUCT_SINK_NULL_H

#include "sink/sink.h"

/* Takes the schema (moved out of *schema). */
struct sink *null_sink_new(struct mc_schema *schema) MUST_USE;

#endif
