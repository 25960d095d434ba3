/* table.c: a table as the control plane describes it (protocol section 7.3): JSON inside XML. */
#include <yyjson.h>

#include "maxcompute/schema.h"
#include "maxcompute/service_error.h"
#include "util/xml.h"

enum { TABLE_JSON_MAX = 16 * 1024 * 1024 };

/* Decoded text is never longer than it was, so below the limit only memory can have been short. That must not pass for a broken
 * answer, which ends a job for good, nor for a table without an id. */
static bool text_take(struct str inner, struct buffer *text)
{
    bool ok = xml_text(inner, text);

    if (text->failed && inner.size < TABLE_JSON_MAX)
        stop_out_of_memory("the description of a table");
    return ok;
}

bool mc_table_parse(struct mc_schema *schema_out, struct str body, struct error *error)
{
    yyjson_doc *document = NULL;
    yyjson_read_err fault;
    struct buffer json;
    struct str inner;
    bool ok = false;

    buffer_init(&json, TABLE_JSON_MAX);
    switch (xml_find(body, "Table/Schema", &inner, NULL)) {
    case XML_FOUND:
        break;
    case XML_ABSENT:
        error_set(error, ERROR_FATAL, "the service's description of the table has no schema");
        goto out;
    case XML_BROKEN:
        error_set(error, ERROR_FATAL, "the service's description of the table is broken XML (%zu bytes)", body.size);
        goto out;
    }
    if (!text_take(inner, &json)) {
        error_set(error, ERROR_FATAL, "the service's description of the table is broken XML (%zu bytes)", body.size);
        goto out;
    }
    document = yyjson_read_opts(json.data, json.size, 0, NULL, &fault);
    if (!document && fault.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        stop_out_of_memory("the description of a table");
    if (!document) {
        error_set(error, ERROR_FATAL, "the service's description of the table holds broken JSON (%zu bytes)", json.size);
        goto out;
    }
    if (yyjson_is_true(yyjson_obj_get(yyjson_doc_get_root(document), "isVirtualView")) ||
        yyjson_is_true(yyjson_obj_get(yyjson_doc_get_root(document), "isMaterializedView"))) {
        error_set(error, ERROR_FATAL, "it is a view, and views take no rows; name a table");
        goto out;
    }
    ok = mc_schema_parse(schema_out, buffer_str(&json), error);
    if (!ok && error->kind != ERROR_CONFIG)
        error->kind = ERROR_FATAL;
out:
    yyjson_doc_free(document);
    buffer_release(&json);
    return ok;
}

void mc_table_id(struct str body, char *id, size_t id_size)
{
    struct buffer text;
    struct str inner;

    buffer_init(&text, TABLE_JSON_MAX);
    id[0] = '\0';
    if (xml_find(body, "Table/TableId", &inner, NULL) == XML_FOUND && text_take(inner, &text))
        service_text_copy(id, id_size, str_trim(buffer_str(&text)));
    buffer_release(&text);
}
