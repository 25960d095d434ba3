/* tables_run.c: options of a run: dirty rows, runtime, failover, metrics, log. */
#include "job/tables_internal.h"

static const struct option dirty_kafka_rows[] = {
    {.name = "topic", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, OPTION_FIELD(struct job, dirty.topic),
     .at_offset = offsetof(struct job, dirty.topic_at), .check = topic_check,
     .sentence = "The topic of the dirty rows, which must exist: one message a row, with the row's identity as its key."},
    {.name = "cluster", .type = OPTION_TEXT, OPTION_FIELD(struct job, dirty.kafka.name), .check = name_check,
     .form = "text, by default the source's",
     .sentence = "The name of its Kafka cluster in the file of data sources. Of the cluster's properties those are used that "
                 "every client has, such as those of the log-in."},
    FOREIGN("kafka", "use \"cluster\""),
    FOREIGN("name", "use \"topic\""),
    FOREIGN("brokers", "name the cluster under \"cluster\" and set its brokers in the file of data sources"),
    END,
};

const struct option dirty_rows[] = {
    {.name = "directory", .type = OPTION_TEXT, .flags = OPTION_PATH, .fallback = "dirty",
     OPTION_FIELD(struct job, dirty.directory), .form = "path",
     .sentence = "The folder of the dirty rows, relative to the job file."},
    {.name = "kafka", .type = OPTION_MAP, .rows = dirty_kafka_rows,
     .sentence = "A Kafka topic for the dirty rows instead of a folder; needed when several processes run the job."},
    {.name = "max", .type = OPTION_INTEGER, .flags = OPTION_UNLIMITED, .fallback = "unlimited", .minimum = 0,
     .maximum = INT64_MAX, OPTION_FIELD(struct job, dirty.max),
     .sentence = "How many dirty rows the job may have before it stops; 0 stops it at the first one."},
    {.name = "file_bytes_max", .type = OPTION_SIZE, .fallback = "64MiB", .minimum = 65536, .maximum = GIB(16),
     OPTION_FIELD(struct job, dirty.file_bytes_max), .sentence = "The size at which a new file is begun."},
    {.name = "bytes_max", .type = OPTION_SIZE, .fallback = "1GiB", .minimum = 65536, .maximum = GIB(1024),
     OPTION_FIELD(struct job, dirty.bytes_max),
     .sentence = "The size of all files together at which the job stops; luaduct never removes them."},
    LATER("max_percent", "until then use \"max\""),
    LATER("window", "until then \"max\" counts all rows of a run"),
    FOREIGN("topic", "use kafka: {topic: NAME}"),
    END,
};

static const struct option lua_rows[] = {
    {.name = "memory_max", .type = OPTION_SIZE, .fallback = "64MiB", .minimum = MIB(1), .maximum = GIB(4),
     OPTION_FIELD(struct job, runtime.lua_memory_max), .sentence = "Memory that the Lua of one worker may use."},
    {.name = "instructions_max", .type = OPTION_INTEGER, .fallback = "100000000", .minimum = 10000,
     .maximum = INT64_C(1000000000000), OPTION_FIELD(struct job, runtime.lua_instructions_max),
     .sentence = "Lua instructions that one call of a stage may take."},
    END,
};

const struct option runtime_rows[] = {
    {.name = "auto", .type = OPTION_BOOLEAN, .fallback = "false", OPTION_FIELD(struct job, runtime.automatic),
     .sentence = "Whether workers, memory_max, uploads_in_flight, flush_bytes and flush_interval are derived from the machine "
                 "and the number of Kafka partitions, where the job does not write them. `luaduct check` prints the values."},
    {.name = "workers", .type = OPTION_INTEGER, .fallback = "1", .minimum = 0, .maximum = 64,
     OPTION_FIELD(struct job, runtime.workers), .sentence = "Threads that run the stages; 0 runs them in the main thread."},
    {.name = "batch_rows", .type = OPTION_INTEGER, .fallback = "1024", .minimum = 1, .maximum = BATCH_ROWS_MAX,
     OPTION_FIELD(struct job, runtime.batch_rows), .sentence = "Records of a batch at most."},
    {.name = "flush_interval", .type = OPTION_DURATION, .fallback = "60s", .minimum = 100, .maximum = SECONDS(1000),
     OPTION_FIELD(struct job, runtime.flush_interval_ms),
     .sentence = "How long rows gather before they are committed to the table. Below 5s the service may run out of upload "
                 "sessions."},
    {.name = "flush_bytes", .type = OPTION_SIZE, .fallback = "16MiB", .minimum = KIB(64), .maximum = MIB(256),
     OPTION_FIELD(struct job, runtime.flush_bytes), .sentence = "Bytes of one block before compression."},
    {.name = "memory_max", .type = OPTION_SIZE, .fallback = "256MiB", .minimum = MIB(64), .maximum = GIB(1024),
     OPTION_FIELD(struct job, runtime.memory_max), .sentence = "The memory ceiling of the job; at it the source pauses."},
    {.name = "uploads_in_flight", .type = OPTION_INTEGER, .fallback = "4", .minimum = 1, .maximum = 64,
     OPTION_FIELD(struct job, runtime.uploads_in_flight), .sentence = "Blocks that are sent at once."},
    {.name = "compression", .type = OPTION_CHOICE, .choices = "deflate|zstd|none", .fallback = "deflate",
     OPTION_FIELD(struct job, runtime.compression),
     .sentence = "How blocks are compressed on their way: deflate, which the service takes everywhere; zstd, as fast and some "
                 "5 % smaller, where it takes that; or not at all."},
    {.name = "lua", .type = OPTION_MAP, .rows = lua_rows, .sentence = "Limits of scripts."},
    FOREIGN("flushInterval", "use \"flush_interval\""),
    FOREIGN("flush_interval_ms", "use \"flush_interval\", with the unit in the value, such as 60s"),
    FOREIGN("flush_ms", "use \"flush_interval\", with the unit in the value, such as 60s"),
    FOREIGN("batchSize", "use \"batch_rows\""),
    FOREIGN("batch_size", "use \"batch_rows\""),
    FOREIGN("parallelism", "use \"workers\""),
    FOREIGN("concurrency", "use \"workers\""),
    FOREIGN("threads", "use \"workers\""),
    FOREIGN("tasks.max", "use \"workers\""),
    FOREIGN("memory", "use \"memory_max\""),
    FOREIGN("failover", "it belongs to the top level of the job"),
    END,
};

const struct option failover_rows[] = {
    {.name = "max", .type = OPTION_INTEGER, .fallback = "3", .minimum = 0, .maximum = 100, OPTION_FIELD(struct job, failover.max),
     .sentence = "Restarts within the window; one more failure ends the job. 0 never restarts it."},
    {.name = "window", .type = OPTION_DURATION, .fallback = "30m", .minimum = SECONDS(60), .maximum = SECONDS(86400),
     OPTION_FIELD(struct job, failover.window_ms), .sentence = "The time in which restarts are counted."},
    END,
};

const struct option metrics_rows[] = {
    {.name = "listen", .type = OPTION_TEXT, OPTION_FIELD(struct job, metrics.listen), .check = listen_check,
     .form = "host:port, by default off",
     .sentence = "Where metrics are served to Prometheus, at /metrics, and at /healthz whether the process answers; on the "
                 "loopback interface only. Each process on a machine needs a port of its own."},
    END,
};

const struct option log_rows[] = {
    {.name = "level", .type = OPTION_CHOICE, .choices = "trace|debug|info|warn|error", .fallback = "info",
     OPTION_FIELD(struct job, log.level), .sentence = "The least important lines that are written."},
    {.name = "file", .type = OPTION_TEXT, .flags = OPTION_PATH, OPTION_FIELD(struct job, log.file),
     .form = "path, by default standard error", .sentence = "The file that lines are appended to, relative to the job file."},
    END,
};

const struct option reload_rows[] = {
    {.name = "watch", .type = OPTION_BOOLEAN, .fallback = "true", OPTION_FIELD(struct job, reload.watch),
     .sentence = "Whether a change of the job file or of its Lua files is taken as soon as it has settled; `luaduct reload` and "
                 "the signal HUP work in any case. New code is checked and run beside the old on copies of the newest records "
                 "first; what breaks is refused, and the old code goes on."},
    {.name = "probation", .type = OPTION_DURATION, .fallback = "60s", .minimum = 0, .maximum = SECONDS(86400),
     OPTION_FIELD(struct job, reload.probation_ms),
     .sentence = "How long the code that ran before is kept at hand: when the new one raises a Lua error within that time where "
                 "the old one does not, the job goes back to it, and the batch is run again. Each worker has the Lua of both for "
                 "so long, and until 100 batches have been run."},
    END,
};
