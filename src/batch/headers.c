/* headers.c */
#include "batch/headers.h"

void headers_append(struct buffer *text, struct str name, struct str value)
{
    buffer_append_str(text, text->size ? STR(",[") : STR("[["));
    buffer_append_json(text, name);
    buffer_append_char(text, ',');
    if (!value.data) {
        buffer_append_str(text, STR("null"));
    } else if (str_is_utf8(value)) {
        buffer_append_json(text, value);
    } else {
        buffer_append_char(text, '"');
        buffer_append_base64(text, value);
        buffer_append_char(text, '"');
    }
    buffer_append_char(text, ']');
}

void headers_end(struct buffer *text)
{
    if (text->size)
        buffer_append_char(text, ']');
}
