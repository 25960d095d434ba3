/* control.c: the control plane, with projects, tables, partitions and SQL instances (protocol section 7). Of the one
 * document that comes in, it needs a task's name and query. */
#include "local/server.h"
#include "maxcompute/sign.h"
#include "util/xml.h"

#include <stdio.h>
#include <stdlib.h>

enum { LIST_ITEMS_MAX = 1000 };

static void xml_element(struct buffer *xml, const char *name, const char *text)
{
    buffer_print(xml, "<%s>", name);
    xml_escape(xml, str_of(text));
    buffer_print(xml, "</%s>", name);
}

static void xml_date(struct buffer *xml, const char *name, int64_t ms)
{
    buffer_print(xml, "<%s>", name);
    sign_date(xml, ms);
    buffer_print(xml, "</%s>", name);
}

static struct buffer *xml_begin(struct answer *answer)
{
    answer->status = 200;
    answer->content_type = "application/xml";
    buffer_append_str(&answer->body, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
    return &answer->body;
}

/* --- the document of a new instance --- */

static bool read_job(const struct request *request, struct buffer *task, struct buffer *query)
{
    struct str body = buffer_str(&request->body), inner;

    if (xml_find(body, "Instance/Job/Tasks/SQL/Query", &inner, NULL) != XML_FOUND || !xml_text(inner, query))
        return false;
    return xml_find(body, "Instance/Job/Tasks/SQL/Name", &inner, NULL) != XML_FOUND || xml_text(inner, task);
}

/* --- calls --- */

static bool is_path(const struct request *request, size_t count, const char *collection)
{
    return request->segment_count == count && str_is(request->segments[0], "projects") &&
           (count < 3 || str_is(request->segments[2], collection));
}

static enum fault_call statement_call(const struct request *request)
{
    struct buffer task, query;
    struct ddl_statement statement = {.kind = DDL_END};
    struct error error;
    size_t position = 0;
    enum fault_call call = CALL_ANY;

    buffer_init(&task, 0);
    buffer_init(&query, 0);
    if (read_job(request, &task, &query)) {
        while (ddl_parse(&statement, buffer_str(&query), &position, &error) && statement.kind == DDL_SET)
            ddl_statement_release(&statement);
        switch (statement.kind) {
        case DDL_CREATE_TABLE:
            call = CALL_CREATE_TABLE;
            break;
        case DDL_DROP_TABLE:
            call = CALL_DROP_TABLE;
            break;
        case DDL_ADD_PARTITION:
            call = CALL_ADD_PARTITION;
            break;
        case DDL_DROP_PARTITION:
            call = CALL_DROP_PARTITION;
            break;
        case DDL_ADD_COLUMNS:
            call = CALL_ADD_COLUMNS;
            break;
        default:
            break;
        }
        ddl_statement_release(&statement);
    }
    buffer_release(&task);
    buffer_release(&query);
    return call;
}

enum fault_call control_call(const struct request *request)
{
    if (is_path(request, 3, "tunnel"))
        return CALL_DISCOVERY;
    if (is_path(request, 2, NULL))
        return CALL_PROJECT;
    if (is_path(request, 4, "tables"))
        return request_has(request, "partitions") || request_has(request, "partition") ? CALL_PARTITIONS : CALL_TABLE;
    if (is_path(request, 4, "instances"))
        return CALL_INSTANCE;
    if (is_path(request, 3, "instances") && request_is(request, "POST"))
        return statement_call(request);
    return CALL_ANY;
}

static void answer_project(struct request *request, struct answer *answer, int64_t created_ms)
{
    struct buffer *xml = xml_begin(answer);
    char *name = str_dup(request->segments[1]);

    buffer_print(xml, "<Project>");
    xml_element(xml, "Name", name);
    buffer_print(xml, "<Type>managed</Type><Comment></Comment><State>AVAILABLE</State><Owner>local</Owner><Properties><Property>"
                      "<Name>odps.schema.model.enabled</Name><Value>false</Value></Property></Properties></Project>");
    answer_header(answer, "x-odps-owner", "local");
    answer_date_header(answer, "x-odps-creation-time", created_ms);
    answer_date_header(answer, "Last-Modified", created_ms);
    free(name);
}

static void print_columns(struct buffer *json, const struct ddl_columns *columns, const struct mc_column *types, bool data)
{
    for (size_t i = 0; i < columns->count; i++) {
        const struct ddl_column *column = &columns->items[i];
        struct buffer type;

        buffer_init(&type, 0);
        mc_type_print(&types[i].type, &type);
        for (size_t j = 0; j < type.size; j++)
            if (type.data[j] >= 'A' && type.data[j] <= 'Z')
                type.data[j] = (char)(type.data[j] + 'a' - 'A');
        buffer_print(json, "%s{\"name\":", i ? "," : "");
        buffer_append_json(json, str_of(column->name));
        buffer_print(json, ",\"type\":");
        buffer_append_json(json, buffer_str(&type));
        buffer_print(json, ",\"comment\":");
        buffer_append_json(json, str_of(column->comment ? column->comment : ""));
        if (data) {
            buffer_print(json, ",\"label\":\"\",\"isNullable\":%s,\"hasDefaultValue\":%s", column->not_null ? "false" : "true",
                         column->default_value ? "true" : "false");
            if (column->default_value) {
                buffer_print(json, ",\"defaultValue\":");
                buffer_append_json(json, str_of(column->default_value));
            }
        }
        buffer_print(json, "}");
        buffer_release(&type);
    }
}

static void print_table(struct buffer *xml, const struct store_table *table, bool with_schema, bool extended)
{
    struct buffer json;
    char id[32];

    snprintf(id, sizeof(id), "%lld", (long long)table->id);
    buffer_print(xml, "<Table>");
    xml_element(xml, "Name", table->name);
    xml_element(xml, "TableId", id);
    xml_element(xml, "Project", table->project);
    xml_element(xml, "SchemaName", table->schema_name[0] ? table->schema_name : "default");
    xml_element(xml, "Owner", "local");
    if (with_schema) {
        buffer_init(&json, 0);
        buffer_print(&json, "{\"columns\":[");
        print_columns(&json, &table->columns, table->schema.columns, true);
        buffer_print(&json, "],\"partitionKeys\":[");
        print_columns(&json, &table->partitions, table->schema.partitions, false);
        buffer_print(&json, "],\"tableName\":");
        buffer_append_json(&json, str_of(table->name));
        buffer_print(&json, ",\"comment\":");
        buffer_append_json(&json, str_of(table->comment));
        buffer_print(
            &json,
            ",\"owner\":\"local\",\"createTime\":%lld,\"lastDDLTime\":%lld,\"lastModifiedTime\":%lld,\"isVirtualView\":false,"
            "\"isMaterializedView\":false,\"isExternal\":false,\"lifecycle\":%d,\"size\":0,\"recordNum\":%lld,\"tableLabel\":"
            "\"0\"",
            (long long)(table->created_ms / 1000), (long long)(table->ddl_ms / 1000), (long long)(table->modified_ms / 1000),
            table->lifecycle_days ? table->lifecycle_days : -1, (long long)table->record_count);
        if (extended)
            buffer_print(&json, ",\"IsArchived\":false,\"PhysicalSize\":0,\"FileNum\":0,\"Reserved\":"
                         "\"{\\\"Transactional\\\":\\\"false\\\",\\\"schema_version\\\":\\\"1\\\"}\"");
        buffer_print(&json, "}");
        buffer_print(xml, "<Schema format=\"Json\">");
        xml_append_cdata(xml, buffer_str(&json));
        buffer_print(xml, "</Schema>");
        buffer_release(&json);
    }
    xml_element(xml, "Comment", table->comment);
    xml_date(xml, "CreationTime", table->created_ms);
    xml_date(xml, "LastModifiedTime", table->modified_ms);
    buffer_print(xml, "<Type>MANAGED_TABLE</Type></Table>");
}

/* Pages by position: the marker is the number of items already given. */
static size_t page(const struct request *request, size_t count, size_t *first_out)
{
    char *marker = str_dup(request_get(request, "marker")), *limit = str_dup(request_get(request, "maxitems"));
    size_t first = (size_t)strtoul(marker, NULL, 10), most = (size_t)strtoul(limit, NULL, 10);

    free(marker);
    free(limit);
    if (most == 0 || most > LIST_ITEMS_MAX)
        most = LIST_ITEMS_MAX;
    *first_out = size_min(first, count);
    return size_min(count - *first_out, most);
}

static void print_page(struct buffer *xml, size_t first, size_t items, size_t count)
{
    if (first + items < count)
        buffer_print(xml, "<Marker>%zu</Marker>", first + items);
    else
        buffer_print(xml, "<Marker/>");
    buffer_print(xml, "<MaxItems>%d</MaxItems>", LIST_ITEMS_MAX);
}

static struct str schema_of(const struct request *request)
{
    struct str name = request_get(request, "curr_schema");

    return str_equal_ignore_case(name, STR("default")) ? STR("") : name;
}

static void answer_tables(struct request *request, struct answer *answer)
{
    size_t count, kept = 0, first;
    struct store_table *tables = store_tables(request->store, request->segments[1], schema_of(request), &count);
    struct str prefix = request_get(request, "name");
    struct buffer *xml = xml_begin(answer);

    for (size_t i = 0; i < count; i++) {
        if (str_starts_with(str_of(tables[i].name), prefix)) {
            struct store_table swap = tables[kept];

            tables[kept++] = tables[i];
            tables[i] = swap;
        }
    }
    size_t items = page(request, kept, &first);

    buffer_print(xml, "<Tables>");
    print_page(xml, first, items, kept);
    for (size_t i = first; i < first + items; i++)
        print_table(xml, &tables[i], request_has(request, "extended"), false);
    buffer_print(xml, "</Tables>");
    for (size_t i = 0; i < count; i++)
        store_table_release(&tables[i]);
    free(tables);
}

/* "a=1,b=2" as attributes. */
static void print_spec(struct buffer *xml, const char *spec)
{
    struct str part, rest = str_of(spec), name, value;

    while (rest.data && rest.size > 0) {
        str_cut(rest, ',', &part, &rest);
        str_cut(part, '=', &name, &value);
        buffer_print(xml, "<Column Name=\"");
        xml_escape(xml, name);
        buffer_print(xml, "\" Value=\"");
        xml_escape(xml, value);
        buffer_print(xml, "\"/>");
    }
}

/* Whether every part of the filter ("dt='1'") is one of the spec's. */
static bool spec_matches(const char *spec, struct str filter)
{
    struct str part, name, value;

    while (filter.data && filter.size > 0) {
        struct str own, rest = str_of(spec);
        struct buffer wanted;
        bool found = false;

        str_cut(filter, ',', &part, &filter);
        str_cut(part, '=', &name, &value);
        name = str_trim(name);
        value = str_trim(value);
        if (value.size >= 2 && (value.data[0] == '\'' || value.data[0] == '"'))
            value = str_make(value.data + 1, value.size - 2);
        buffer_init(&wanted, 0);
        buffer_print(&wanted, "%.*s=%.*s", STR_ARG(name), STR_ARG(value));
        while (rest.data && rest.size > 0 && !found) {
            str_cut(rest, ',', &own, &rest);
            found = str_equal(own, buffer_str(&wanted));
        }
        buffer_release(&wanted);
        if (!found)
            return false;
    }
    return true;
}

static void answer_partitions(struct request *request, struct answer *answer, const struct store_table *table)
{
    size_t count = 0, kept = 0, first;
    struct store_partition *partitions = NULL;
    struct buffer *xml = xml_begin(answer);

    if (table->partitions.count > 0)
        partitions = store_partitions(request->store, table->id, &count);
    for (size_t i = 0; i < count; i++) {
        if (spec_matches(partitions[i].spec, request_get(request, "partition"))) {
            struct store_partition swap = partitions[kept];

            partitions[kept++] = partitions[i];
            partitions[i] = swap;
        }
    }
    if (request_has(request, "reverse")) {
        for (size_t i = 0; i < kept / 2; i++) {
            struct store_partition swap = partitions[i];

            partitions[i] = partitions[kept - 1 - i];
            partitions[kept - 1 - i] = swap;
        }
    }
    size_t items = page(request, kept, &first);

    buffer_print(xml, "<Partitions>");
    print_page(xml, first, items, kept);
    for (size_t i = first; i < first + items; i++) {
        buffer_print(xml, "<Partition>");
        if (request_has(request, "name"))
            xml_element(xml, "Name", partitions[i].spec);
        else
            print_spec(xml, partitions[i].spec);
        buffer_print(xml,
                     "<CreationTime>%lld</CreationTime><LastDDLTime>%lld</LastDDLTime><LastModifiedTime>%lld</LastModifiedTime>"
                     "<PartitionSize>0</PartitionSize><PartitionRecordNum>%lld</PartitionRecordNum></Partition>",
                     (long long)(partitions[i].created_ms / 1000), (long long)(partitions[i].created_ms / 1000),
                     (long long)(partitions[i].modified_ms / 1000), (long long)partitions[i].record_count);
    }
    buffer_print(xml, "</Partitions>");
    store_partitions_free(partitions, count);
}

static bool answer_partition(struct request *request, struct answer *answer, const struct store_table *table,
                             struct refusal *refusal)
{
    struct store_partition partition;
    struct buffer spec, *xml;
    bool ok;

    buffer_init(&spec, 0);
    ok = store_spec(table, request_get(request, "partition"), &spec, refusal) &&
         store_partition_load(request->store, table->id, buffer_text(&spec), &partition, refusal);
    buffer_release(&spec);
    if (!ok)
        return false;
    xml = xml_begin(answer);
    buffer_print(xml, "<Partition><Schema><![CDATA[{\"createTime\":%lld,\"lastDDLTime\":%lld,\"lastModifiedTime\":%lld,"
                 "\"partitionSize\":0,\"partitionRecordNum\":%lld}]]></Schema></Partition>",
                 (long long)(partition.created_ms / 1000), (long long)(partition.created_ms / 1000),
                 (long long)(partition.modified_ms / 1000), (long long)partition.record_count);
    free(partition.spec);
    return true;
}

static bool answer_table(struct request *request, struct answer *answer, struct refusal *refusal)
{
    struct store_table table;
    bool ok = true;

    if (!store_table_load(request->store, request->segments[1], schema_of(request), request->segments[3], &table, refusal))
        return false;
    if (request_has(request, "partitions")) {
        answer_partitions(request, answer, &table);
    } else if (request_has(request, "partition")) {
        ok = answer_partition(request, answer, &table, refusal);
    } else {
        print_table(xml_begin(answer), &table, true, request_has(request, "extended"));
        answer_header(answer, "x-odps-owner", "local");
    }
    store_table_release(&table);
    return ok;
}

/* The statements run here and now; the instance only keeps the outcome, which the caller polls for. */
static bool run_query(struct request *request, struct str query, struct buffer *result)
{
    struct ddl_statement statement;
    struct error error;
    struct refusal refusal;
    struct str project = request->segments[1];
    size_t position = 0;

    do {
        bool ok;

        if (!ddl_parse(&statement, query, &position, &error)) {
            buffer_print(result, "%s", error.text);
            return false;
        }
        ok = store_execute(request->store, &statement, project, schema_of(request), request->now_ms, &refusal);
        if (statement.kind == DDL_END)
            return true;
        ddl_statement_release(&statement);
        if (!ok) {
            buffer_print(result, "%s", refusal.text);
            return false;
        }
    } while (true);
}

static bool answer_submit(struct request *request, struct answer *answer, struct refusal *refusal)
{
    struct store_instance instance = {.start_ms = request->now_ms};
    struct buffer task, query, result;
    bool ok = false;

    buffer_init(&task, 0);
    buffer_init(&query, 0);
    buffer_init(&result, 0);
    if (!read_job(request, &task, &query)) {
        refuse(refusal, 400, "InvalidArgument",
               "the body is no <Instance> with an SQL task and its <Query>; the local endpoint runs no others");
        goto out;
    }
    instance.failed = !run_query(request, buffer_str(&query), &result);
    store_session_id(instance.id, request->now_ms);
    instance.project = str_dup(request->segments[1]);
    instance.task = xstrdup(buffer_text(&task));
    instance.result = xstrdup(buffer_text(&result));
    ok = store_instance_add(request->store, &instance, refusal);
    answer->status = 201;
    answer_header(answer, "Location", "%s://%s/api/projects/%s/instances/%s", request->scheme, request->host, instance.project,
                  instance.id);
out:
    store_instance_release(&instance);
    buffer_release(&task);
    buffer_release(&query);
    buffer_release(&result);
    return ok;
}

static void print_tasks(struct buffer *xml, const struct store_instance *instance, bool with_result)
{
    buffer_print(xml, "<Tasks><Task Type=\"SQL\">");
    xml_element(xml, "Name", instance->task);
    if (with_result) {
        buffer_print(xml, "<Result Transform=\"Base64\" Format=\"text\"><![CDATA[");
        buffer_append_base64(xml, str_of(instance->result));
        buffer_print(xml, "]]></Result>");
    } else {
        xml_element(xml, "Status", instance->failed ? "Failed" : "Success");
    }
    buffer_print(xml, "</Task></Tasks>");
}

static bool answer_instance(struct request *request, struct answer *answer, struct refusal *refusal)
{
    struct store_instance instance;
    struct buffer *xml;

    if (!store_instance_load(request->store, request->segments[1], request->segments[3], &instance, refusal))
        return false;
    xml = xml_begin(answer);
    buffer_print(xml, "<Instance>");
    if (!request_has(request, "result"))
        xml_element(xml, "Status", "Terminated");
    if (request_has(request, "result") || request_has(request, "taskstatus"))
        print_tasks(xml, &instance, request_has(request, "result"));
    buffer_print(xml, "</Instance>");
    answer_header(answer, "x-odps-owner", "local");
    answer_date_header(answer, "x-odps-start-time", instance.start_ms);
    answer_date_header(answer, "x-odps-end-time", instance.start_ms);
    store_instance_release(&instance);
    return true;
}

static void answer_instances(struct request *request, struct answer *answer)
{
    size_t count;
    struct store_instance *instances = store_instances(request->store, request->segments[1], &count);
    struct buffer *xml = xml_begin(answer);

    buffer_print(xml, "<Instances><Marker/><MaxItems>%d</MaxItems>", LIST_ITEMS_MAX);
    for (size_t i = 0; i < count; i++) {
        buffer_print(xml, "<Instance>");
        xml_element(xml, "Name", instances[i].id);
        xml_element(xml, "Owner", "local");
        xml_date(xml, "StartTime", instances[i].start_ms);
        xml_date(xml, "EndTime", instances[i].start_ms);
        buffer_print(xml, "<Status>Terminated</Status></Instance>");
        store_instance_release(&instances[i]);
    }
    buffer_print(xml, "</Instances>");
    free(instances);
}

void control_answer(struct request *request, struct answer *answer)
{
    struct refusal refusal;
    bool ok = true, get = request_is(request, "GET");
    int64_t created_ms;

    if (request->segment_count < 2 || !str_is(request->segments[0], "projects")) {
        ok = refuse(&refusal, 404, "NoSuchObject", "the local endpoint does not offer this path");
    } else if (!store_has_project(request->store, request->segments[1], &created_ms)) {
        ok = refuse(&refusal, 404, "NoSuchProject", "ODPS-0420111: Project not found - '%.*s'.", STR_ARG(request->segments[1]));
    } else if (get && is_path(request, 2, NULL)) {
        answer_project(request, answer, created_ms);
    } else if (get && is_path(request, 3, "tunnel")) {
        answer->status = 200;
        answer->content_type = "text/plain";
        buffer_append_str(&answer->body, str_of(request->host));
    } else if (get && is_path(request, 3, "tables")) {
        answer_tables(request, answer);
    } else if (get && is_path(request, 4, "tables")) {
        ok = answer_table(request, answer, &refusal);
    } else if (request_is(request, "POST") && is_path(request, 3, "instances")) {
        ok = answer_submit(request, answer, &refusal);
    } else if (get && is_path(request, 3, "instances")) {
        answer_instances(request, answer);
    } else if ((get || request_is(request, "PUT")) && is_path(request, 4, "instances")) {
        ok = answer_instance(request, answer, &refusal); /* stopping one that has ended changes nothing */
    } else {
        ok = refuse(&refusal, get ? 404 : 405, get ? "NoSuchObject" : "MethodNotAllowed",
                    "the local endpoint does not offer this call");
    }
    if (!ok)
        answer_refusal(request, answer, &refusal);
}
