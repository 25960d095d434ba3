/* service_error.c */
#include "maxcompute/service_error.h"

#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

#include "util/xml.h"

void service_text_copy(char *field, size_t field_size, struct str text)
{
    size_t used = 0, i = 0;

    text = str_trim(text);
    while (i < text.size) {
        unsigned char c = (unsigned char)text.data[i];
        size_t size = str_character_size(str_make(text.data + i, text.size - i));

        if (used + (size ? size : 1) >= field_size)
            break;
        if (!size || c == 0x7F) {
            field[used++] = '?';
            i++;
            continue;
        }
        if (c < 0x20)
            field[used++] = ' ';
        else
            memcpy(field + used, text.data + i, size), used += size;
        i += size;
    }
    field[used] = '\0';
}

static struct str json_text(yyjson_val *object, const char *name)
{
    yyjson_val *value = yyjson_obj_get(object, name);

    return yyjson_is_str(value) ? str_make(yyjson_get_str(value), yyjson_get_len(value)) : STR_NONE;
}

static bool error_parse_json(struct service_error *error, struct str body)
{
    yyjson_doc *document = yyjson_read(body.data, body.size, 0);
    yyjson_val *root = yyjson_doc_get_root(document);
    yyjson_val *hold = yyjson_obj_get(root, "HoldClientMillis");
    struct str code = json_text(root, "Code");
    bool fits = code.data != NULL;

    if (fits) {
        service_text_copy(error->code, sizeof(error->code), code);
        service_text_copy(error->message, sizeof(error->message), json_text(root, "Message"));
        service_text_copy(error->request_id, sizeof(error->request_id), json_text(root, "RequestId"));
        if (yyjson_is_uint(hold)) {
            uint64_t value = yyjson_get_uint(hold);

            error->hold_ms = value < 86400000 ? (int64_t)value : 86400000;
        } else if (yyjson_is_str(hold)) {
            char *end = NULL;
            long long value = strtoll(yyjson_get_str(hold), &end, 10);

            if (end != yyjson_get_str(hold) && *end == '\0' && value >= 0)
                error->hold_ms = value < 86400000 ? value : 86400000;
        }
    }
    yyjson_doc_free(document);
    return fits;
}

static bool error_xml_field(struct str body, const char *path, char *field, size_t field_size)
{
    struct buffer text;
    struct str inner;
    bool found = false;

    buffer_init(&text, 1 << 20);
    if (xml_find(body, path, &inner, NULL) == XML_FOUND && xml_text(inner, &text)) {
        service_text_copy(field, field_size, buffer_str(&text));
        found = true;
    }
    buffer_release(&text);
    return found;
}

void service_error_parse(struct service_error *error_out, struct str body)
{
    memset(error_out, 0, sizeof(*error_out));
    error_out->hold_ms = -1;
    body = str_trim(body);
    if (body.size == 0)
        return;
    if (body.data[0] == '{' && error_parse_json(error_out, body))
        return;
    if (body.data[0] == '<' && error_xml_field(body, "Error/Code", error_out->code, sizeof(error_out->code))) {
        (void)error_xml_field(body, "Error/Message", error_out->message, sizeof(error_out->message));
        (void)error_xml_field(body, "Error/RequestId", error_out->request_id, sizeof(error_out->request_id));
        return;
    }
    /* Some proxy's page, or half an answer: its beginning is the best hint there is. */
    service_text_copy(error_out->message, 200, body);
}
