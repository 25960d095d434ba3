/* load.c: the two files to a struct job.
 * Method: the option tables say nearly everything; what depends on two places at once (names of data sources, time zones that are
 * inherited, what a kind forbids) is checked here. Only the data sources that the job names are read: one file serves many jobs,
 * and the secrets of the others need not be at hand. The job is the first part of a larger struct that remembers what was
 * allocated. */
#include "job/tables_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "job/kafka_properties.h"
#include "job/resolve.h"
#include "job/yaml.h"
#include "util/clock.h"

enum { FLUSH_INTERVAL_WARNING_MS = 5000 };

struct job_memory {
    struct job job;
    struct owned owned;
    char *datasources_path;
};

void job_free(struct job *job)
{
    struct job_memory *memory;

    if (!job)
        return;
    memory = CONTAINER_OF(job, struct job_memory, job);
    tree_free(job->tree);
    tree_free(job->datasources_tree);
    file_set_free(job->files);
    owned_release(&memory->owned);
    free(memory);
}

static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return !slash ? xstrdup(".") : slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

static void node_mistake(struct report *report, const struct tree_node *node, const char *path, const char *text)
{
    report_mistake(report, node->at, node->width, "%s: %s", path, text);
}

/* The settings under a name, or NULL with the mistake told at the place of the name in the job. */
static struct tree_node *datasource_find(struct job *job, const char *kind, const char *path, struct report *report)
{
    const struct tree_node *name = tree_at(job->tree, path, false);
    const struct tree_node *map = tree_get(job->datasources_tree, kind);
    struct tree_node *found;
    const char **names, *nearest;
    char *text;

    if (!name || name->kind != TREE_SCALAR || !name->text.size || resolve_failed(name) || !job->datasources_tree)
        return NULL;
    text = str_dup(name->text);
    found = tree_get(map, text);
    free(text);
    if (found && found->kind == TREE_MAP)
        return found;
    if (found) {
        report_mistake(report, found->at, found->width, "%s.%.*s: must be a map of \"key: value\" lines", kind,
                       STR_ARG(name->text));
        return NULL;
    }
    if (!map || map->kind != TREE_MAP || !map->count) {
        report_mistake(report, name->at, name->width, "%s: there is no data source \"%.*s\": %s has no \"%s\" in it", path,
                       STR_ARG(name->text), CONTAINER_OF(job, struct job_memory, job)->datasources_path, kind);
        return NULL;
    }
    names = xcalloc(map->count, sizeof(*names));
    for (size_t i = 0; i < map->count; i++)
        names[i] = map->entries[i].key.data; /* zero-terminated by yaml.c */
    nearest = str_nearest(name->text, names, map->count);
    report_mistake(report, name->at, name->width, "%s: there is no data source \"%.*s\" under \"%s\" in %s%s%s%s", path,
                   STR_ARG(name->text), kind, CONTAINER_OF(job, struct job_memory, job)->datasources_path,
                   nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    free(names);
    return NULL;
}

static void datasource_read(struct option_reader *reader, const struct option *rows, const char *kind, const char *name,
                            void *base, struct tree_node *node)
{
    size_t mark;

    reader->quiet = !node;
    mark = options_path_enter(reader, str_of(kind), 0);
    options_path_enter(reader, str_of(name ? name : ""), 0);
    if (node)
        resolve_tree(node, reader->directory, reader->report);
    options_read(reader, rows, base, node, node ? node->at : (struct location){0}, node ? node->width : 1);
    options_path_leave(reader, mark);
    reader->quiet = false;
}

/* A key that is written down, or credentials that are read. */
static void credentials_check(const struct job_maxcompute *maxcompute, const struct tree_node *node, struct report *report)
{
    static const struct {
        const char *name, *what;
        bool required;
    } keys[] = {{"access_id", "the access key's ID", true}, {"access_key", "the access key's secret", true},
                {"security_token", "", false}};
    const struct tree_node *credentials = tree_get(node, "credentials");

    for (size_t i = 0; node && i < COUNT_OF(keys); i++) {
        const struct tree_node *key = tree_get(node, keys[i].name);

        if (credentials && key)
            report_mistake(report, key->at, key->width, "maxcompute.%s.%s: credentials are set as well; leave one of them out",
                           maxcompute->name, keys[i].name);
        else if (!credentials && !key && keys[i].required)
            report_mistake(report, node->at, node->width, "maxcompute.%s: \"%s\" is missing: %s; or set credentials",
                           maxcompute->name, keys[i].name, keys[i].what);
    }
    if (credentials && credentials->kind == TREE_MAP && !tree_get(credentials, "file") == !tree_get(credentials, "command"))
        report_mistake(report, credentials->at, credentials->width,
                       "maxcompute.%s.credentials: say one of \"file\" and \"command\"", maxcompute->name);
}

/* The cluster of the dirty rows' topic: the source's own, read already, or another one. */
static void dirty_cluster_read(struct job *job, struct option_reader *reader, struct owned *owned)
{
    if (!job->dirty.topic || !job->dirty.topic[0]) { /* a required text that is missing reads as "" */
        job->dirty.topic = NULL;
        return;
    }
    if (!job->dirty.kafka.name && job->source.kafka.name)
        job->dirty.kafka.name = owned_keep(owned, xstrdup(job->source.kafka.name));
    if (job->dirty.kafka.name && job->source.kafka.name && strcmp(job->dirty.kafka.name, job->source.kafka.name) == 0)
        job->dirty.kafka = job->source.kafka;
    else
        datasource_read(reader, kafka_options, "kafka", job->dirty.kafka.name, &job->dirty.kafka,
                        datasource_find(job, "kafka", "dirty.kafka.cluster", reader->report));
}

static void datasources_read(struct job *job, struct option_reader *reader)
{
    struct { struct tree_node *unused; } none = {NULL};
    struct tree_node *maxcompute;

    if (job->datasources_tree)
        options_read(reader, datasources_options, &none, job->datasources_tree, job->datasources_tree->at,
                     job->datasources_tree->width);
    datasource_read(reader, kafka_options, "kafka", job->source.kafka.name, &job->source.kafka,
                    datasource_find(job, "kafka", "source.kafka", reader->report));
    maxcompute = datasource_find(job, "maxcompute", "target.maxcompute", reader->report);
    datasource_read(reader, maxcompute_options, "maxcompute", job->target.maxcompute.name, &job->target.maxcompute, maxcompute);
    credentials_check(&job->target.maxcompute, maxcompute, reader->report);
}

static void start_ms_read(struct job *job, const char *path, enum start_kind kind, int64_t *ms_out, struct report *report)
{
    const struct tree_node *node = tree_at(job->tree, path, false);
    struct error error = {0};
    char excerpt[OPTION_EXCERPT_MAX];

    if ((kind != START_TIME && kind != START_AGO) || !node || node->kind != TREE_SCALAR)
        return;
    if (kind == START_TIME ? !start_time_parse(node->text, job->time_zone, ms_out, &error)
                           : !start_ago_parse(node->text, ms_out, &error))
        report_mistake(report, node->at, node->width, "%s: %s %s", path, option_excerpt(node, excerpt), error.text);
}

static void starts_check(struct job *job, struct report *report)
{
    const struct tree_node *start = tree_at(job->tree, "source.start", false);
    bool map = start && start->kind == TREE_MAP;

    start_ms_read(job, map ? "source.start.at" : "source.start", job->source.start, &job->source.start_ms, report);
    if (map && tree_get(start, "otherwise"))
        start_ms_read(job, "source.start.otherwise", job->source.otherwise, &job->source.otherwise_ms, report);
    else
        job->source.otherwise_ms = job->source.start_ms;
}

/* A script's own options may hold a key for something; only its name tells. */
static void free_secrets_tell(const struct tree_node *node)
{
    for (size_t i = 0; node && i < node->count; i++) {
        const struct tree_node *value = node->kind == TREE_LIST ? node->items[i] : node->entries[i].value;

        if (node->kind == TREE_MAP && value->kind == TREE_SCALAR && value->written.data && name_is_secret(node->entries[i].key) &&
            !resolve_failed(value))
            option_secret(value->text);
        free_secrets_tell(value);
    }
}

static void stages_check(const struct job *job, struct report *report)
{
    for (size_t i = 0; i < job->stage_count; i++) {
        const struct job_stage *stage = &job->stages[i];

        if (strcmp(stage->kind, "lua") == 0)
            free_secrets_tell(stage->options);
        if (strcmp(stage->kind, "lua") == 0 && stage->when_error == WHEN_ERROR_NULL)
            report_mistake(report, stage->at, stage->width, "stages[%zu].when_error: null has no meaning for a stage of kind "
                           "lua, for it is not known which value to set; use dirty, drop or stop", i + 1);
    }
}

static char *unit_format(const struct tree_node *unit)
{
    static const char *const formats[] = {"yyyy", "MM", "dd", "HH", "mm"};
    int index = unit->kind == TREE_SCALAR ? choice_index("year|month|day|hour|minute", unit->text) : -1;

    return index < 0 ? NULL : xstrdup(formats[index]);
}

static void time_partition_check(struct job *job, struct job_partition *partition, const struct tree_node *map, size_t number,
                                 struct owned *owned, struct report *report)
{
    const struct tree_node *unit = tree_get(map, "unit"), *format = tree_get(map, "format");
    const char *zone = job->time_zone;

    if (unit && format)
        report_mistake(report, format->at, format->width,
                       "target.partition[%zu].format: unit is set as well; leave one of them out", number);
    else if (!unit && !format)
        report_mistake(report, map->at, map->width, "target.partition[%zu]: \"unit\" or \"format\" is missing: which part of the "
                       "time it holds, such as unit: day or format: yyyyMMdd", number);
    if (unit && !format)
        partition->format = owned_keep(owned, unit_format(unit));
    if (!partition->format)
        partition->format = owned_keep(owned, xstrdup(""));
    if (!partition->from)
        partition->from = owned_keep(owned, xstrdup(batch_builtin_names[BUILTIN_TIMESTAMP]));
    if (!partition->zone && zone)
        partition->zone = owned_keep(owned, xstrdup(zone));
    if (!partition->zone && !tree_get(map, "zone"))
        report_mistake(report, map->at, map->width, "target.partition[%zu]: \"zone\" is missing: the time zone of the calendar, "
                       "such as Asia/Shanghai; it can also be set once as time_zone of the job or of the data source", number);
    if (!partition->zone)
        partition->zone = owned_keep(owned, xstrdup(""));
}

static void partitions_check(struct job *job, struct owned *owned, struct report *report)
{
    const struct tree_node *list = tree_at(job->tree, "target.partition", false);
    size_t stored = 0;

    for (size_t i = 0; list && list->kind == TREE_LIST && i < list->count && stored < job->target.partition_count; i++) {
        struct tree_node *map = list->items[i], *name = tree_get(map, "name");
        const struct tree_node *kind = tree_get(map, "kind");
        struct job_partition *partition;

        if (map->kind != TREE_MAP)
            continue;
        partition = &job->target.partitions[stored++];
        for (size_t j = 0; name && j < job->target.column_count; j++)
            if (str_equal_ignore_case(name->text, str_of(job->target.columns[j].name)) && name->text.size)
                report_mistake(report, name->at, name->width, "target.partition[%zu].name: \"%.*s\" is the name of a column as "
                               "well, on line %u; a partition column is not listed under columns", i + 1, STR_ARG(name->text),
                               job->target.columns[j].at.line);
        if (!kind || kind->kind != TREE_SCALAR)
            continue;
        if (str_is(kind->text, "time"))
            time_partition_check(job, partition, map, i + 1, owned, report);
        else if (str_is(kind->text, "field") && !partition->from)
            report_mistake(report, map->at, map->width,
                           "target.partition[%zu]: \"from\" is missing: the field that holds the value", i + 1);
        if (str_is(kind->text, "field") && !partition->from)
            partition->from = owned_keep(owned, xstrdup(""));
    }
}

static bool is_time(const struct job_partition *partition)
{
    return partition->kind == PARTITION_TIME && partition->format; /* no format: its kind was not understood */
}

/* Whether a partition column has that part of the time; what a field or a script gives is not known. */
static bool has_part(const struct job *job, const char *pattern)
{
    for (size_t i = 0; i < job->target.partition_count; i++)
        if (!is_time(&job->target.partitions[i]) || strstr(job->target.partitions[i].format, pattern))
            return true;
    return false;
}

/* A day without its month is the same one twelve times a year. */
static void calendar_check(const struct job *job, struct report *report)
{
    static const struct {
        const char *pattern, *unit, *whole; /* from the year on */
    } parts[] = {{"yyyy", "year", "yyyy"},
                 {"MM", "month", "yyyyMM"},
                 {"dd", "day", "yyyyMMdd"},
                 {"HH", "hour", "yyyyMMddHH"},
                 {"mm", "minute", "yyyyMMddHHmm"}};

    for (size_t i = 0; i < job->target.partition_count; i++) {
        const struct job_partition *partition = &job->target.partitions[i];

        for (size_t part = 1; is_time(partition) && part < COUNT_OF(parts); part++)
            if (strstr(partition->format, parts[part].pattern) && !has_part(job, parts[part - 1].pattern))
                report_warning(report, partition->at, partition->width,
                               "target.partition[%zu]: the same %s of every %s goes to the same partition; add a column of unit: "
                               "%s, or use format: %s",
                               i + 1, parts[part].unit, parts[part - 1].unit, parts[part - 1].unit, parts[part].whole);
    }
}

/* The cluster's properties, and then the job's own, which win because they are set later. */
static void properties_join(struct job *job, struct owned *owned, struct report *report)
{
    size_t cluster = job->source.kafka.property_count, own = job->source.property_count;
    struct job_property *all = owned_keep(owned, xcalloc(cluster + own + 1, sizeof(*all)));

    if (cluster)
        memcpy(all, job->source.kafka.properties, cluster * sizeof(*all));
    if (own)
        memcpy(all + cluster, job->source.properties, own * sizeof(*all));
    job->source.properties = all;
    job->source.property_count = cluster + own;
    for (size_t i = 0; i < cluster + own; i++)
        if (kafka_property_is_fetch_size(all[i].name) && strtoll(all[i].value, NULL, 10) > job->runtime.memory_max / 2)
            report_mistake(report, all[i].at, (unsigned)size_max(strlen(all[i].value), 1),
                           "%s: %s bytes is more than half of runtime.memory_max; lower it, or raise the ceiling", all[i].name,
                           all[i].value);
}

/* How the log-in is written; librdkafka itself would take much of this, and fail later with another story. */
static void login_check(const struct job_kafka *cluster, const struct job_property *properties, size_t count,
                        struct report *report)
{
    const struct job_property *protocol = NULL, *mechanism = NULL;
    const struct job_token *token = &cluster->token;
    bool oidc = false, bearer;

    for (size_t i = 0; i < count; i++) {
        const struct job_property *property = &properties[i];

        if (strcmp(property->name, "security.protocol") == 0)
            protocol = property;
        if (strcmp(property->name, "sasl.mechanism") == 0 || strcmp(property->name, "sasl.mechanisms") == 0)
            mechanism = property;
        if (strcmp(property->name, "sasl.oauthbearer.method") == 0)
            oidc = strcasecmp(property->value, "oidc") == 0;
    }
    bearer = mechanism && strcmp(mechanism->value, "OAUTHBEARER") == 0;
    if (protocol && strncasecmp(protocol->value, "sasl_", 5) == 0 && !mechanism)
        report_warning(report, protocol->at, (unsigned)strlen(protocol->value),
                       "security.protocol: the log-in is by Kerberos (GSSAPI), because sasl.mechanism is not set; "
                       "others are PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER");
    if (mechanism && (!protocol || strncasecmp(protocol->value, "sasl_", 5) != 0))
        report_warning(report, mechanism->at, (unsigned)size_max(strlen(mechanism->value), 1),
                       "sasl.mechanism has no effect, because security.protocol is not sasl_ssl (or sasl_plaintext)");
    if (bearer && !oidc && !token->file && !token->command)
        report_mistake(report, mechanism->at, (unsigned)strlen(mechanism->value), "sasl.mechanism: OAUTHBEARER needs tokens: set "
                       "oauth_token of the cluster, or sasl.oauthbearer.method: oidc");
    if (cluster->token_at.line && (!bearer || oidc))
        report_mistake(report, cluster->token_at, 1, "oauth_token: is used with sasl.mechanism: OAUTHBEARER, without "
                       "sasl.oauthbearer.method: oidc; correct one of them");
    else if (cluster->token_at.line && !token->file == !token->command)
        report_mistake(report, cluster->token_at, 1, "oauth_token: needs either \"file\" or \"command\"");
}

static void dirty_check(struct job *job, struct report *report)
{
    static const char *const of_files[] = {"dirty.directory", "dirty.file_bytes_max", "dirty.bytes_max"};
    const struct tree_node *node;
    bool same = job->dirty.topic && job->dirty.kafka.name && job->source.kafka.name &&
                strcmp(job->dirty.kafka.name, job->source.kafka.name) == 0;

    for (size_t i = 0; job->dirty.topic && i < COUNT_OF(of_files); i++) {
        node = tree_at(job->tree, of_files[i], false);
        if (node)
            node_mistake(report, node, of_files[i],
                         "belongs to a folder of dirty rows, but dirty.kafka is set as well; leave one of them out");
    }
    /* A log-in that the job adds for its source is a log-in to this cluster. */
    if (same) {
        job->dirty.kafka.properties = job->source.properties;
        job->dirty.kafka.property_count = job->source.property_count;
    }
    if (same && job->source.topic && strcmp(job->dirty.topic, job->source.topic) == 0)
        report_mistake(report, job->dirty.topic_at, (unsigned)strlen(job->dirty.topic),
                       "dirty.kafka.topic: is the topic that the job reads, so its dirty rows would come back; name another one");
    node = tree_at(job->tree, "dirty.bytes_max", false);
    if (node && !job->dirty.topic && job->dirty.bytes_max < job->dirty.file_bytes_max)
        node_mistake(report, node, "dirty.bytes_max",
                     "all files together cannot be smaller than one file (dirty.file_bytes_max)");
}

static void runtime_check(const struct job *job, struct report *report)
{
    const struct tree_node *node = tree_at(job->tree, "runtime.flush_interval", false);

    if (node && job->runtime.flush_interval_ms < FLUSH_INTERVAL_WARNING_MS)
        report_warning(report, node->at, node->width, "runtime.flush_interval: below 5s each flush needs its own upload session, "
                       "of which the service grants 500 a table in 5 minutes");
    node = tree_at(job->tree, "source.prefetch", false);
    if (node && job->source.prefetch > job->runtime.memory_max / 4)
        node_mistake(report, node, "source.prefetch",
                     "may take a quarter of runtime.memory_max at most; lower it, or raise memory_max");
    node = tree_at(job->tree, "runtime.flush_bytes", false);
    if (job->runtime.flush_bytes > job->runtime.memory_max / 4) {
        if (!node)
            node = tree_at(job->tree, "runtime.memory_max", false);
        if (node)
            node_mistake(report, node, "runtime.flush_bytes",
                         "one block may take a quarter of memory_max at most; lower it, or raise memory_max");
    }
}

/* Without the ends, what stages need must be there all the same. */
static void unresolved_tell(const struct tree_node *node, const char *directory, struct report *report)
{
    struct error error = {0};
    struct buffer text;

    if (node && node->kind == TREE_SCALAR && resolve_failed(node)) {
        buffer_init(&text, 0);
        if (!resolve_text(node->written, directory, &text, &error))
            report_mistake(report, node->at, node->width, "%s", error.text);
        buffer_release(&text);
    }
    for (size_t i = 0; node && i < node->count; i++)
        unresolved_tell(node->kind == TREE_LIST ? node->items[i] : node->entries[i].value, directory, report);
}

/* ends: where mistakes go that have to do with what the job is connected to. */
static bool load(struct job **job_out, const char *path, const char *datasources_path, struct report *ends, struct report *report)
{
    struct job_memory *memory = xcalloc(1, sizeof(*memory));
    struct option_reader reader = {.report = report, .owned = &memory->owned};
    unsigned mistakes = report_mistakes(report);
    const struct tree_node *named;
    struct job *job = &memory->job;
    char *datasources_directory;

    *job_out = NULL;
    buffer_init(&reader.path, 0);
    job->files = file_set_new();
    job->path = owned_keep(&memory->owned, xstrdup(path));
    job->directory = owned_keep(&memory->owned, directory_of(path));
    file_stamp_get(job->path, &job->stamp);
    if (!yaml_read(&job->tree, job->path, report) && !job->tree) {
        job_free(job);
        return false;
    }
    job->execute_time_ms = clock_wall_ms();
    resolve_tree(job->tree, job->directory, ends);
    if (ends != report)
        unresolved_tell(tree_get(job->tree, "stages"), job->directory, report);
    reader.directory = job->directory;
    options_read(&reader, job_options, job, job->tree, job->tree->at, job->tree->width);

    named = tree_get(job->tree, "datasources");
    if (datasources_path)
        memory->datasources_path = xstrdup(datasources_path);
    else
        memory->datasources_path = path_join(job->directory, named && named->kind == TREE_SCALAR && named->text.size
                                                                 ? named->text : STR("datasources.yaml"));
    owned_keep(&memory->owned, memory->datasources_path);
    datasources_directory = owned_keep(&memory->owned, directory_of(memory->datasources_path));
    if (named && !datasources_path && named->kind == TREE_SCALAR && access(memory->datasources_path, R_OK) != 0)
        report_mistake(ends, named->at, named->width, "datasources: the file %s cannot be read: %s", memory->datasources_path,
                       strerror(errno));
    else if (!yaml_read(&job->datasources_tree, memory->datasources_path, ends))
        assert(report_mistakes(ends) > 0);
    reader.directory = datasources_directory;
    reader.report = ends;
    datasources_read(job, &reader);
    dirty_cluster_read(job, &reader, &memory->owned);

    if (!job->source.group)
        job->source.group = owned_keep(&memory->owned, xasprintf("luaduct-%s", job->name));
    if (!job->time_zone && job->target.maxcompute.time_zone)
        job->time_zone = owned_keep(&memory->owned, xstrdup(job->target.maxcompute.time_zone));
    starts_check(job, report);
    stages_check(job, report);
    partitions_check(job, &memory->owned, report);
    calendar_check(job, report);
    properties_join(job, &memory->owned, ends);
    login_check(&job->source.kafka, job->source.properties, job->source.property_count, ends);
    dirty_check(job, report);
    if (job->dirty.topic && job->dirty.kafka.properties != job->source.properties)
        login_check(&job->dirty.kafka, job->dirty.kafka.properties, job->dirty.kafka.property_count, ends);
    runtime_check(job, report);

    buffer_release(&reader.path);
    *job_out = job;
    return report_mistakes(report) == mistakes;
}

bool job_load(struct job **job_out, const char *path, const char *datasources_path, struct report *report)
{
    return load(job_out, path, datasources_path, report, report);
}

bool job_load_offline(struct job **job_out, const char *path, const char *datasources_path, struct report *report)
{
    struct report *ends = report_new();
    bool ok = load(job_out, path, datasources_path, ends, report);

    report_free(ends);
    return ok;
}

/* --- a part of a job alone --- */

static const struct option *row_named(const struct option *rows, const char *name)
{
    while (strcmp(rows->name, name) != 0)
        rows++;
    return rows;
}

static struct tree_node *map_of(const char *key, struct tree_node *value)
{
    struct tree_node *map = xcalloc(1, sizeof(*map));

    map->kind = TREE_MAP;
    map->at = value->at;
    map->width = 1;
    map->count = 1;
    map->entries = xcalloc(1, sizeof(*map->entries));
    map->entries[0] = (struct tree_entry){str_make(xstrdup(key), strlen(key)), value->at, value};
    return map;
}

static void entry_add(struct tree_node *map, const char *key, struct tree_node *value)
{
    map->entries = xrealloc(map->entries, (map->count + 1) * sizeof(*map->entries));
    map->entries[map->count++] = (struct tree_entry){str_make(xstrdup(key), strlen(key)), value->at, value};
}

bool job_of_parts(struct job **job_out, const char *path, struct tree_node *stages, struct tree_node *partition, const char *zone,
                  struct report *report)
{
    static const char *const groups[] = {"source", "target", "dirty", "runtime", "failover", "metrics", "log"};
    struct job_memory *memory = xcalloc(1, sizeof(*memory));
    struct option_reader reader = {.report = report, .owned = &memory->owned, .quiet = true};
    unsigned mistakes = report_mistakes(report);
    struct job *job = &memory->job;

    buffer_init(&reader.path, 0);
    job->files = file_set_new();
    job->execute_time_ms = clock_wall_ms();
    job->path = owned_keep(&memory->owned, xstrdup(path));
    job->directory = owned_keep(&memory->owned, directory_of(path));
    job->name = owned_keep(&memory->owned, xstrdup("test"));
    job->time_zone = zone ? owned_keep(&memory->owned, xstrdup(zone)) : NULL;
    if (stages)
        job->tree = map_of("stages", stages);
    if (partition && job->tree)
        entry_add(job->tree, "target", map_of("partition", partition));
    else if (partition)
        job->tree = map_of("target", map_of("partition", partition));
    if (job->tree)
        resolve_tree(job->tree, job->directory, report);
    reader.directory = job->directory;
    for (size_t i = 0; i < COUNT_OF(groups); i++)
        option_read(&reader, row_named(job_options, groups[i]), job, NULL);
    reader.quiet = false;
    if (stages)
        option_read(&reader, row_named(job_options, "stages"), job, stages);
    if (partition) {
        option_read(&reader, row_named(target_rows, "partition"), job, partition);
        partitions_check(job, &memory->owned, report);
    }
    stages_check(job, report);
    buffer_release(&reader.path);
    *job_out = job;
    return report_mistakes(report) == mistakes;
}
