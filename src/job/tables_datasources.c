/* tables_datasources.c: options of the file of data sources. */
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
            properties[count++] = (struct job_property){name, owned_keep(reader->owned, str_dup(entry->value->text)),
                                                        entry->value->at};
        options_path_leave(reader, mark);
    }
    memcpy((char *)base + row->offset, &properties, sizeof(properties));
    memcpy((char *)base + row->count_offset, &count, sizeof(count));
}

const struct option kafka_options[] = {
    {.name = "brokers", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, OPTION_FIELD(struct job_kafka, brokers),
     .check = brokers_check, .form = "host:port, with commas between several",
     .sentence = "Brokers to begin with; the others are found through them."},
    {.name = "properties", .type = OPTION_CUSTOM, .read = properties_read, OPTION_FIELD(struct job_kafka, properties),
     .count_offset = offsetof(struct job_kafka, property_count), .form = "map of librdkafka properties",
     .sentence = "Properties of librdkafka, such as security.protocol and sasl.password."},
    FOREIGN("bootstrap.servers", "use \"brokers\""),
    FOREIGN("bootstrap_servers", "use \"brokers\""),
    FOREIGN("bootstrapServers", "use \"brokers\""),
    FOREIGN("metadata.broker.list", "use \"brokers\""),
    FOREIGN("servers", "use \"brokers\""),
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
    {.name = "access_id", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, OPTION_FIELD(struct job_maxcompute, access_id),
     .sentence = "The access key's ID."},
    {.name = "access_key", .type = OPTION_TEXT, .flags = OPTION_REQUIRED | OPTION_SECRET,
     OPTION_FIELD(struct job_maxcompute, access_key),
     .sentence = "The access key's secret; write it as ${env:NAME} or ${file:PATH}."},
    {.name = "region", .type = OPTION_TEXT, OPTION_FIELD(struct job_maxcompute, region), .check = project_check,
     .sentence = "The region; with it requests are signed by version 4."},
    {.name = "quota", .type = OPTION_TEXT, OPTION_FIELD(struct job_maxcompute, quota), .check = project_check,
     .form = "text, by default the shared one", .sentence = "The Tunnel resource group."},
    {.name = "time_zone", .type = OPTION_TEXT, OPTION_FIELD(struct job_maxcompute, time_zone), .check = zone_check,
     .form = "time zone", .sentence = "The project's time zone, for jobs that name none."},
    {.name = "ca_file", .type = OPTION_TEXT, .flags = OPTION_PATH | OPTION_READABLE, OPTION_FIELD(struct job_maxcompute, ca_file),
     .form = "path", .sentence = "Certificates to trust instead of the system's, relative to this file."},
    {.name = "proxy", .type = OPTION_TEXT, .flags = OPTION_SECRET, OPTION_FIELD(struct job_maxcompute, proxy),
     .check = proxy_check, .form = "address", .sentence = "A proxy for all requests."},
    FOREIGN("accessId", "use \"access_id\""),
    FOREIGN("accessKey", "use \"access_key\""),
    FOREIGN("access_key_id", "use \"access_id\""),
    FOREIGN("access_key_secret", "use \"access_key\""),
    FOREIGN("accessKeyId", "use \"access_id\""),
    FOREIGN("accessKeySecret", "use \"access_key\""),
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
