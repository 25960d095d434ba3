/* store.c: hands over to the kind of store that the job asks for. */
#include "dirty/store.h"

struct dirty_options dirty_options_of(const struct job *job)
{
    return (struct dirty_options){
        .directory = job->dirty.directory,
        .file_bytes_max = job->dirty.file_bytes_max,
        .bytes_max = job->dirty.bytes_max,
        .topic = job->dirty.topic,
        .cluster = &job->dirty.kafka,
        .job = job->name,
    };
}

char *dirty_options_place(const struct dirty_options *options)
{
    if (options->topic)
        return xasprintf("the topic %s of cluster %s", options->topic, options->cluster->name ? options->cluster->name : "");
    return xasprintf("the folder %s", options->directory);
}

bool dirty_store_open(struct dirty_store **store_out, const struct dirty_options *options, struct error *error)
{
    return options->topic ? dirty_kafka_open(store_out, options, error) : dirty_files_open(store_out, options, error);
}

void dirty_store_close(struct dirty_store *store)
{
    if (store)
        store->ops->close(store);
}

void dirty_set_limits(struct dirty_store *store, int64_t file_bytes_max, int64_t bytes_max)
{
    store->file_bytes_max = file_bytes_max;
    store->bytes_max = bytes_max;
}

bool dirty_append(struct dirty_store *store, struct str lines, int64_t wall_ms, struct error *error)
{
    return !lines.size || store->ops->append(store, lines, wall_ms, error);
}

bool dirty_sync(struct dirty_store *store, struct error *error)
{
    return store->ops->sync(store, error);
}

bool dirty_durable(struct dirty_store *store, bool *durable_out, struct error *error)
{
    return store->ops->durable(store, durable_out, error);
}

int64_t dirty_backlog(struct dirty_store *store)
{
    return store->ops->backlog(store);
}

int64_t dirty_bytes(const struct dirty_store *store)
{
    return store->bytes;
}

bool dirty_is_shared(const struct dirty_store *store)
{
    return store->ops->shared;
}

const char *dirty_place(const struct dirty_store *store)
{
    return store->place;
}
