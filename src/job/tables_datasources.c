/* tables_datasources.c: options of the file of data sources. */
#include <errno.h>
#include <unistd.h>

#include "job/kafka_properties.h"
#include "job/resolve.h"
#include "job/tables_internal.h"

static bool whole_number(struct str text)
{
    size_t i = text.size > 1 && text.data[0] == '-';

    for (; i < text.size; i++)
        if (!is_digit(text.data[i]))
            return false;
    return text.size && text.size < 20;
}

static bool property_check(struct option_reader *reader, const struct tree_entry *entry, const char *name)
{
    const char *refusal = kafka_property_refusal(name);
    const struct tree_node *node = entry->value;
    char excerpt[OPTION_EXCERPT_MAX];

    if (refusal) {
        report_mistake(reader->report, entry->at, (unsigned)entry->key.size, "%s: this property cannot be set here: %s",
                       buffer_text(&reader->path), refusal);
        return false;
    }
    if (node->kind == TREE_SCALAR && !resolve_failed(node) && name_is_secret(entry->key))
        option_secret(node->text);
    if (!option_scalar(reader, node, "a text or a number"))
        return false;
    if (kafka_property_is_number(name) && !whole_number(node->text)) {
        option_mistake(reader, node, "%s is not a whole number", option_excerpt(node, excerpt));
        return false;
    }
    return true;
}

/* A path is relative to the file that it stands in; "probe" is a word of librdkafka's for the system's certificates. */
static char *property_value(struct option_reader *reader, const struct tree_entry *entry, const char *name)
{
    struct str text = entry->value->text;
    char *path;

    if (!kafka_property_is_path(name) || !text.size || str_is(text, "probe"))
        return str_dup(text);
    path = path_join(reader->directory, text);
    if (access(path, R_OK) != 0)
        option_mistake(reader, entry->value, "the file %s cannot be read: %s", path, strerror(errno));
    return path;
}

void properties_read(struct option_reader *reader, const struct option *row, void *base, struct tree_node *node)
{
    struct job_property *properties;
    size_t count = 0;

    if (!node || tree_is_null(node))
        return;
    if (node->kind != TREE_MAP) {
        option_mistake(reader, node, "must be a map of librdkafka properties");
        return;
    }
    properties = owned_keep(reader->owned, xcalloc(node->count + 1, sizeof(*properties)));
    for (size_t i = 0; i < node->count; i++) {
        const struct tree_entry *entry = &node->entries[i];
        char *name = owned_keep(reader->owned, str_dup(entry->key));
        size_t mark = options_path_enter(reader, entry->key, 0);

        if (property_check(reader, entry, name))
            properties[count++] = (struct job_property){name, owned_keep(reader->owned, property_value(reader, entry, name)),
                                                        entry->value->at, entry->value, reader->directory};
        options_path_leave(reader, mark);
    }
    memcpy((char *)base + row->offset, &properties, sizeof(properties));
    memcpy((char *)base + row->count_offset, &count, sizeof(count));
}

static void token_command_read(struct option_reader *reader, const struct option *row, void *base, struct tree_node *node)
{
    char **arguments;

    if (!node || tree_is_null(node))
        return;
    if (node->kind != TREE_LIST || !node->count) {
        option_mistake(reader, node, "must be a list: the program, and then its arguments");
        return;
    }
    arguments = owned_keep(reader->owned, xcalloc(node->count + 1, sizeof(*arguments)));
    for (size_t i = 0; i < node->count; i++) {
        if (!option_scalar(reader, node->items[i], "a text"))
            return;
        arguments[i] = owned_keep(reader->owned, i == 0 && memchr(node->items[0]->text.data, '/', node->items[0]->text.size)
                                                     ? path_join(reader->directory, node->items[0]->text)
                                                     : str_dup(node->items[i]->text));
    }
    memcpy((char *)base + row->offset, &arguments, sizeof(arguments));
}

static const struct option token_options[] = {
    {.name = "file", .type = OPTION_TEXT, .flags = OPTION_PATH | OPTION_READABLE, OPTION_FIELD(struct job_kafka, token.file),
     .at_offset = offsetof(struct job_kafka, token_at), .form = "path",
     .sentence = "A file with the token, relative to this one; it is read again when it changes and before the token expires."},
    {.name = "command", .type = OPTION_CUSTOM, .read = token_command_read, OPTION_FIELD(struct job_kafka, token.command),
     .form = "list of texts", .sentence = "A program and its arguments; it prints a token, within 30 s, and is run again before "
     "that expires."},
    END,
};

const struct option kafka_options[] = {
    {.name = "brokers", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, OPTION_FIELD(struct job_kafka, brokers),
     .check = brokers_check, .form = "host:port, with commas between several",
     .sentence = "Brokers to begin with; the others are found through them."},
    {.name = "properties", .type = OPTION_CUSTOM, .read = properties_read, OPTION_FIELD(struct job_kafka, properties),
     .count_offset = offsetof(struct job_kafka, property_count), .form = "map of librdkafka properties",
     .sentence = "Properties of librdkafka, such as security.protocol, sasl.password and ssl.ca.location. Paths are relative to "
     "this file. What comes from ${file:PATH}, and certificates and keys, are read again when the files change."},
    {.name = "oauth_token", .type = OPTION_MAP, .rows = token_options, .at_offset = offsetof(struct job_kafka, token_at),
     .sentence = "For sasl.mechanism OAUTHBEARER: signed tokens (JWT), whose claim \"exp\" says how long they live. "
     "sasl.oauthbearer.method: oidc fetches them without this."},
    FOREIGN("bootstrap.servers", "use \"brokers\""),
    FOREIGN("bootstrap_servers", "use \"brokers\""),
    FOREIGN("bootstrapServers", "use \"brokers\""),
    FOREIGN("metadata.broker.list", "use \"brokers\""),
    FOREIGN("servers", "use \"brokers\""),
    END,
};

/* A program with a slash in it is relative to the file, as other paths are; one without is looked for in PATH. */
static char *program_path(const char *directory, struct str program)
{
    if (!memchr(program.data, '/', program.size))
        return str_dup(program);
    if (str_starts_with(program, STR("./")) && strcmp(directory, ".") != 0)
        program = str_make(program.data + 2, program.size - 2);
    return path_join(directory, program);
}

static void command_read(struct option_reader *reader, const struct option *row, void *base, struct tree_node *node)
{
    char **words;
    size_t count = 0;

    if (!node)
        return;
    if (node->kind != TREE_LIST || !node->count) {
        option_mistake(reader, node, "must be a list: [program, argument]; it is not given to a shell");
        return;
    }
    words = owned_keep(reader->owned, xcalloc(node->count + 1, sizeof(*words)));
    for (size_t i = 0; i < node->count; i++) {
        const struct tree_node *item = node->items[i];
        size_t mark = options_path_enter(reader, STR_NONE, i + 1);

        if (option_scalar(reader, item, "a text")) {
            if (item->written.data && !resolve_failed(item))
                option_secret(item->text);
            words[count++] = i == 0 ? program_path(reader->directory, item->text) : str_dup(item->text);
            owned_keep(reader->owned, words[count - 1]);
        }
        options_path_leave(reader, mark);
    }
    if (count == node->count)
        memcpy((char *)base + row->offset, &words, sizeof(words));
}

static const struct option credentials_rows[] = { /* base: struct job_maxcompute */
    {.name = "file", .type = OPTION_TEXT, .flags = OPTION_PATH | OPTION_READABLE,
     OPTION_FIELD(struct job_maxcompute, credentials.file), .at_offset = offsetof(struct job_maxcompute, credentials.file_at),
     .form = "path",
     .sentence = "A file of JSON: {\"AccessKeyId\": .., \"AccessKeySecret\": .., \"SecurityToken\": .., \"Expiration\": "
                 "\"2024-01-31T08:00:00Z\"}, the last two optional; relative to this file, and read again when it changes."},
    {.name = "command", .type = OPTION_CUSTOM, .read = command_read, OPTION_FIELD(struct job_maxcompute, credentials.command),
     .form = "list: [program, argument]",
     .sentence = "A program that prints such JSON, or what programs for External profiles of the cloud's command line print; it "
                 "runs again before the Expiration, and when the service refuses the credentials."},
    {.name = "timeout", .type = OPTION_DURATION, .fallback = "30s", .minimum = SECONDS(1), .maximum = SECONDS(300),
     OPTION_FIELD(struct job_maxcompute, credentials.timeout_ms), .sentence = "How long the command may take."},
    {.name = "interval", .type = OPTION_DURATION, .fallback = "10m", .minimum = SECONDS(1), .maximum = SECONDS(86400),
     OPTION_FIELD(struct job_maxcompute, credentials.interval_ms),
     .sentence = "How often the command runs when it tells no Expiration."},
    END,
};

const struct option maxcompute_options[] = {
    {.name = "endpoint", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, OPTION_FIELD(struct job_maxcompute, endpoint),
     .check = url_check, .form = "address", .sentence = "The service's address, which ends in /api."},
    {.name = "tunnel_endpoint", .type = OPTION_TEXT, OPTION_FIELD(struct job_maxcompute, tunnel_endpoint), .check = url_check,
     .form = "address, by default what the service answers", .sentence = "The address of the Tunnel service."},
    {.name = "project", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, OPTION_FIELD(struct job_maxcompute, project),
     .check = project_check, .sentence = "The project."},
    {.name = "schema", .type = OPTION_TEXT, OPTION_FIELD(struct job_maxcompute, schema), .check = project_check,
     .sentence = "The schema, in a project that has schemas."},
    {.name = "access_id", .type = OPTION_TEXT, OPTION_FIELD(struct job_maxcompute, access_id), .form = "text, required without "
     "credentials", .sentence = "The access key's ID."},
    {.name = "access_key", .type = OPTION_TEXT, .flags = OPTION_SECRET, OPTION_FIELD(struct job_maxcompute, access_key),
     .form = "text, required without credentials",
     .sentence = "The access key's secret; write it as ${env:NAME} or ${file:PATH}."},
    {.name = "security_token", .type = OPTION_TEXT, .flags = OPTION_SECRET, OPTION_FIELD(struct job_maxcompute, security_token),
     .sentence = "The token of a temporary (STS) access key, written in the same way; where tokens change while a job runs, use "
                 "credentials."},
    {.name = "credentials", .type = OPTION_MAP, .rows = credentials_rows,
     .sentence = "Where the access key comes from, instead of access_id and access_key; it is renewed while the job runs."},
    {.name = "region", .type = OPTION_TEXT, OPTION_FIELD(struct job_maxcompute, region), .check = project_check,
     .sentence = "The region; with it requests are signed by version 4."},
    {.name = "quota", .type = OPTION_TEXT, OPTION_FIELD(struct job_maxcompute, quota), .check = project_check,
     .form = "text, by default the shared one", .sentence = "The Tunnel resource group."},
    {.name = "time_zone", .type = OPTION_TEXT, OPTION_FIELD(struct job_maxcompute, time_zone), .check = zone_check,
     .form = "time zone", .sentence = "The project's time zone, for jobs that name none."},
    {.name = "ca_file", .type = OPTION_TEXT, .flags = OPTION_PATH | OPTION_READABLE, OPTION_FIELD(struct job_maxcompute, ca_file),
     .at_offset = offsetof(struct job_maxcompute, ca_file_at), .form = "path",
     .sentence = "Certificates (PEM) to trust instead of the system's, relative to this file; read again when it changes."},
    {.name = "proxy", .type = OPTION_TEXT, .flags = OPTION_SECRET, OPTION_FIELD(struct job_maxcompute, proxy),
     .check = proxy_check, .form = "address",
     .sentence = "A proxy for all requests, such as http://USER:PASSWORD@HOST:PORT; by default what https_proxy and the like in "
                 "the environment say."},
    FOREIGN("accessId", "use \"access_id\""),
    FOREIGN("accessKey", "use \"access_key\""),
    FOREIGN("access_key_id", "use \"access_id\""),
    FOREIGN("access_key_secret", "use \"access_key\""),
    FOREIGN("accessKeyId", "use \"access_id\""),
    FOREIGN("accessKeySecret", "use \"access_key\""),
    FOREIGN("sts_token", "use \"security_token\""),
    FOREIGN("securityToken", "use \"security_token\""),
    FOREIGN("token", "use \"security_token\""),
    FOREIGN("odps_endpoint", "use \"endpoint\""),
    FOREIGN("tunnelEndpoint", "use \"tunnel_endpoint\""),
    FOREIGN("secret", "use \"access_key\""),
    END,
};

const struct option datasources_options[] = {
    {.name = "kafka", .type = OPTION_FREE, .rows = kafka_options, .form = "map of NAME: settings", .sentence = "Kafka clusters."},
    {.name = "maxcompute", .type = OPTION_FREE, .rows = maxcompute_options, .form = "map of NAME: settings",
     .sentence = "MaxCompute projects."},
    FOREIGN("odps", "use \"maxcompute\""),
    FOREIGN("clusters", "use \"kafka\""),
    END,
};
