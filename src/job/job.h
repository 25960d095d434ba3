/* job.h: one job, as its YAML files describe it, checked and with defaults filled in.
 * Made by job_load from the job file and the file of data sources; every value comes from the option tables (options.h), which
 * are also what `luaduct help config` and config/reference.md are made from.
 * Ownership: job_free frees all. Threads: one until it is loaded and automatic_set, any after that, read-only. Times are
 * milliseconds, sizes bytes.
 * Errors: mistakes of a person go to the report, all of them at once. */
#ifndef LUADUCT_JOB_JOB_H
#define LUADUCT_JOB_JOB_H

#include "batch/batch.h"
#include "job/report.h"
#include "job/start.h"
#include "util/file.h"
#include "util/file_set.h"
#include "util/tree.h"

enum delivery { DELIVERY_AT_LEAST_ONCE, DELIVERY_EXACTLY_ONCE };
enum create_table { CREATE_NEVER, CREATE_IF_MISSING };
enum partition_kind { PARTITION_TIME, PARTITION_FIELD, PARTITION_LUA };
enum job_compression { JOB_COMPRESSION_DEFLATE, JOB_COMPRESSION_ZSTD, JOB_COMPRESSION_NONE };

struct job_property { /* a librdkafka property, checked against the list of those the agent controls itself */
    char *name;
    char *value; /* secrets resolved; a path is made openable from the working directory */
    struct location at;
    const struct tree_node *node; /* what is written, for reading it anew (kafka/login.h); NULL: not from a file */
    const char *directory;        /* that paths in it are relative to */
};

/* Where tokens for OAUTHBEARER come from; one of them is set, or none. */
struct job_token {
    char *file;     /* openable from the working directory */
    char **command; /* a program and its arguments, ends with NULL */
};

/* A Kafka cluster of the data sources file. */
struct job_kafka {
    char *name;
    char *brokers;
    struct job_property *properties;
    size_t property_count;
    struct job_token token;
    struct location token_at;
};

/* Where a key comes from that is not written down: one of file and command. */
struct job_credentials {
    char *file;            /* NULL */
    struct location file_at;
    char **command;        /* ends with NULL; NULL: none */
    int64_t timeout_ms;    /* of the command */
    int64_t interval_ms;   /* of a command whose credentials have no known end */
};

/* A MaxCompute project of the data sources file. */
struct job_maxcompute {
    char *name;
    char *endpoint;
    char *tunnel_endpoint; /* NULL: discovered */
    char *project;
    char *schema;          /* NULL */
    char *access_id;       /* NULL with credentials */
    char *access_key;      /* the same */
    char *security_token;  /* NULL */
    struct job_credentials credentials;
    char *region;          /* NULL: V1 signatures */
    char *quota;           /* NULL */
    char *time_zone;       /* NULL */
    char *ca_file;         /* NULL */
    struct location ca_file_at;
    char *proxy;           /* NULL */
};

enum decode_rule { DECODE_DIRTY, DECODE_DROP, DECODE_STOP };

struct job_decode_column {
    char *name;
    char *type;            /* a pipeline type's text */
};

struct job_decode {        /* source.decode; a kind looks at its own options alone */
    char *kind;            /* "raw", "text", "json_lines", "csv" */
    enum decode_rule when_error;
    char *charset;         /* NULL: none named */
    bool key;              /* text: the key as well */
    unsigned rows_max;     /* of one record */
    struct str delimiter, quote, escape, null; /* csv; empty: none. null is absent when nothing stands for NULL */
    bool header, trim;
    struct job_decode_column *columns;
    size_t column_count;
};

struct job_stage {
    char *name;
    char *kind;            /* "json", "mask", "lua" (replace, filter, assign follow) */
    char *file;            /* lua: path relative to the job file's folder, made openable from the working directory */
    enum when_error when_error;
    struct tree_node *options; /* the stage's own map; lua: the `options:` map; may be NULL; borrowed from the tree */
    struct location at;    /* of the stage's first character */
    unsigned width;
};

struct job_column { /* target.columns */
    char *name;
    char *type;            /* a MaxCompute type's text */
    char *from;            /* NULL: the field of the same name */
    char *comment;         /* NULL */
    bool not_null;
    struct location at;
    struct location from_at;
};

struct job_mapping {       /* target.mapping: column: field */
    char *column;
    char *field;
    struct location at, field_at;
    unsigned width, field_width;
};

struct job_partition {
    char *name;            /* the partition column */
    enum partition_kind kind;
    char *from;            /* time, field: the field; time without one: __timestamp__ */
    char *format;          /* time: a pattern of yyyy MM dd HH mm and other characters; `unit: year` .. are their patterns */
    char *zone;            /* time: the zone's name (own, or the data source's); never missing after loading */
    char *file;            /* lua */
    struct tree_node *options;
    struct location at;
    unsigned width;
};

struct job {
    char *path;
    struct file_stamp stamp; /* of the job file when it was read */
    char *directory;       /* the job file's folder, "." at least */
    char *name;
    struct tree_node *tree; /* the job file, for late checks */
    struct tree_node *datasources_tree;
    struct file_set *files; /* the Lua files, each read when it is first asked for: all chains of this job run the same text */

    struct {
        struct job_kafka kafka;
        char *topic;
        struct location topic_at;
        char *group;
        unsigned fields;   /* a bit per enum batch_builtin */
        int64_t prefetch;  /* bytes fetched ahead; 0: what memory_max has for it */
        enum start_kind start;
        int64_t start_ms;  /* START_TIME: since 1970; START_AGO: before the start of the process */
        /* START_EARLIEST, _LATEST, _TIME or _AGO: where a job begins that never ran. With START_OFFSETS: where partitions begin
         * that are not named; START_COMMITTED: that is a mistake. */
        enum start_kind otherwise;
        int64_t otherwise_ms;
        struct start_offset *offsets; /* START_OFFSETS */
        size_t offset_count;
        enum { ON_GAP_FAIL, ON_GAP_EARLIEST, ON_GAP_LATEST } on_gap;
        struct job_decode decode;
        struct job_property *properties; /* the cluster's and then the job's own */
        size_t property_count;
    } source;

    struct job_stage *stages;
    size_t stage_count;
    int64_t execute_time_ms; /* when the file was read for this run: ${execute_time} */
    char *time_zone;       /* zone of local date-times in stages: job's `time_zone`, else the MaxCompute source's; NULL: none */

    struct {
        struct job_maxcompute maxcompute;
        char *table;
        struct location table_at;
        enum create_table create;
        struct job_column *columns;
        size_t column_count;
        struct job_mapping *mapping;
        size_t mapping_count;
        struct job_partition *partitions;
        size_t partition_count;
        unsigned partitions_open_max;
        struct location partitions_open_max_at; /* line 0: not written */
        int quota_share;   /* percent; -1: unlimited */
        char *comment;     /* NULL */
        int lifecycle_days;
        char *quota;       /* overrides the data source's; NULL */
        bool empty_as_null;
    } target;

    enum delivery delivery;

    struct {
        char *directory;   /* openable from the working directory */
        char *topic;       /* dirty rows go to this topic instead; NULL: to files */
        struct location topic_at;
        struct job_kafka kafka; /* its cluster; filled only with a topic. Properties: what the source has, where it is the same */
        int64_t max;       /* -1: unlimited; 0: the first one stops the job */
        int64_t file_bytes_max;
        int64_t bytes_max; /* of all files together; at it the job stops */
    } dirty;

    struct {
        bool automatic;    /* what the job does not write is derived (pipeline/automatic.h) */
        unsigned workers;
        unsigned batch_rows;
        int64_t flush_interval_ms;
        int64_t flush_bytes;   /* raw bytes of one block */
        int64_t memory_max;
        unsigned uploads_in_flight;
        enum job_compression compression;
        int64_t lua_memory_max;
        int64_t lua_instructions_max;
    } runtime;

    struct {
        unsigned max;      /* restarts of a job that failed and may heal, within the window */
        int64_t window_ms;
    } failover;

    struct {
        char *listen;      /* "127.0.0.1:9464", NULL: off */
    } metrics;
    struct {
        int level;         /* enum log_level */
        char *file;        /* NULL: standard error */
    } log;
    struct {
        bool watch;        /* a change of the job file or a Lua file is taken while the job runs */
        int64_t probation_ms; /* how long the code before it is kept at hand */
    } reload;
};

/* Reads and checks both files. All mistakes go to report; false when there was one. datasources_path NULL: the job's
 * `datasources:` key, else datasources.yaml beside the job file. Secrets found are told to log_secret. job_out is set even then
 * when enough was readable. */
bool job_load(struct job **job_out, const char *path, const char *datasources_path, struct report *report) MUST_USE;
/* The same for trying a job out without its ends: what is wrong with the file of data sources, or with secrets in it, is not
 * told, and the file need not be there. Of it only the time zone matters then. */
bool job_load_offline(struct job **job_out, const char *path, const char *datasources_path, struct report *report) MUST_USE;
/* A job of stages and partition rules alone, for trying them out; stages (a list of maps) and partition (the same) are as a job
 * file has them, either may be NULL; they are moved into the job. path is of the file that they are from; zone may be NULL. */
bool job_of_parts(struct job **job_out, const char *path, struct tree_node *stages, struct tree_node *partition, const char *zone,
                  struct report *report) MUST_USE;
void job_free(struct job *job);
/* The option tables as text: for the terminal, and as Markdown (config/reference.md). */
void job_print_reference(struct buffer *text, bool markdown);

#endif
