/* store.h: what store.c, files.c, kafka.c, memory.c and read.c share; nobody outside of this folder includes it.
 * A kind of store is a static struct of functions; an instance is a larger struct that begins with struct dirty_store.
 * Ownership: `close` frees the instance; store.c frees nothing of it. Threads: the hub's. Errors: as dirty.h has them. */
#ifndef LUADUCT_DIRTY_STORE_H
#define LUADUCT_DIRTY_STORE_H

#include "dirty/dirty.h"

enum { DIRTY_CLOSE_MS = 5000 };

/* As the functions of dirty.h; append is never called without a line. */
struct dirty_ops {
    const char *name;
    bool shared;
    bool (*append)(struct dirty_store *store, struct str lines, int64_t wall_ms, struct error *error);
    bool (*sync)(struct dirty_store *store, struct error *error);
    bool (*durable)(struct dirty_store *store, bool *durable_out, struct error *error);
    int64_t (*backlog)(struct dirty_store *store);
    void (*close)(struct dirty_store *store);
};

struct dirty_store {
    const struct dirty_ops *ops;
    int64_t bytes;
    int64_t file_bytes_max, bytes_max; /* of files; 0: none */
    char *place;
};

bool dirty_files_open(struct dirty_store **store_out, const struct dirty_options *options, struct error *error) MUST_USE;
bool dirty_kafka_open(struct dirty_store **store_out, const struct dirty_options *options, struct error *error) MUST_USE;
/* Whether a file of that name is one of ours. */
bool dirty_file_name(const char *name);

#endif
