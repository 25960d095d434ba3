/* memory.h: a sink that keeps the blocks it is given, for trying a job out: what is in them is what a real target would get.
 * Ownership: as sink.h says; the sink keeps the blocks and frees them. Threads: the hub's.
 * Bounds: none of its own; what goes in is as large as the sample that it comes from. */
#ifndef LUADUCT_SINK_MEMORY_H
#define LUADUCT_SINK_MEMORY_H

#include "sink/sink.h"

/* Takes the schema (moved out of *schema). */
struct sink *memory_sink_new(struct mc_schema *schema) MUST_USE;

/* The committed blocks of one table partition, in the order in which they came. */
struct memory_partition {
    char *spec; /* "year=2024,month=01"; empty without partitions */
    struct block **blocks;
    size_t count, capacity;
    uint64_t rows;
};

/* In the order in which the partitions were first opened; the sink's until it is freed. */
const struct memory_partition *memory_sink_partitions(const struct sink *sink, size_t *count_out);

#endif
