/* service_error.c: one pass over the tags with a depth counter; no tree is built, for the answers are small and one or two
 * elements of them are wanted. DOCTYPE is refused: the service sends none,
 * and entities of its own are the way to hostile documents. */
#include "maxcompute/service_error.h"

#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

enum { XML_DEPTH_MAX = 64 };

/* --- XML --- */

enum xml_token_kind { TOKEN_TEXT, TOKEN_CDATA, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_EMPTY, TOKEN_OTHER, TOKEN_END, TOKEN_BROKEN };

struct xml_token {
    enum xml_token_kind kind;
    struct str text;       /* text, CDATA content, or the element's name */
    struct str attributes; /* of open and empty tags */
    size_t start;          /* offset of its first byte */
};

/* Where `what` begins at or after offset; SIZE_MAX when it does not. */
static size_t text_find(struct str text, size_t offset, struct str what)
{
    const char *at = offset <= text.size ? memmem(text.data + offset, text.size - offset, what.data, what.size) : NULL;

    return at ? (size_t)(at - text.data) : SIZE_MAX;
}

static bool starts_at(struct str text, size_t offset, struct str start)
{
    return str_starts_with(str_make(text.data + offset, text.size - offset), start);
}

static void tag_read(struct str inside, struct xml_token *token)
{
    size_t name = 0;

    if (inside.size && inside.data[0] == '/') {
        token->kind = TOKEN_CLOSE;
        token->text = str_trim(str_make(inside.data + 1, inside.size - 1));
        if (token->text.size == 0)
            token->kind = TOKEN_BROKEN;
        return;
    }
    token->kind = TOKEN_OPEN;
    if (inside.size && inside.data[inside.size - 1] == '/') {
        token->kind = TOKEN_EMPTY;
        inside.size--;
    }
    while (name < inside.size && !memchr(" \t\r\n", inside.data[name], 4))
        name++;
    token->text = str_make(inside.data, name);
    token->attributes = str_trim(str_make(inside.data + name, inside.size - name));
    if (name == 0)
        token->kind = TOKEN_BROKEN;
}

/* The end of a tag, with '>' inside quoted attribute values passed over. */
static size_t tag_end(struct str xml, size_t offset)
{
    char quote = 0;

    for (; offset < xml.size; offset++) {
        char c = xml.data[offset];

        if (quote)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '>')
            return offset;
    }
    return SIZE_MAX;
}

/* Reads the token at *offset and moves behind it. */
static struct xml_token token_next(struct str xml, size_t *offset)
{
    static const struct {
        struct str start, end;
        enum xml_token_kind kind;
    } sections[] = {{STR("<![CDATA["), STR("]]>"), TOKEN_CDATA},
                    {STR("<!--"), STR("-->"), TOKEN_OTHER},
                    {STR("<?"), STR("?>"), TOKEN_OTHER}};
    struct xml_token token = {.kind = TOKEN_BROKEN, .start = *offset};
    size_t end;

    if (*offset >= xml.size) {
        token.kind = TOKEN_END;
        return token;
    }
    if (xml.data[*offset] != '<') {
        end = text_find(xml, *offset, STR("<"));
        end = end == SIZE_MAX ? xml.size : end;
        token.kind = TOKEN_TEXT;
        token.text = str_make(xml.data + *offset, end - *offset);
        *offset = end;
        return token;
    }
    for (size_t i = 0; i < COUNT_OF(sections); i++) {
        size_t begin = *offset + sections[i].start.size;

        if (!starts_at(xml, *offset, sections[i].start))
            continue;
        end = text_find(xml, begin, sections[i].end);
        if (end == SIZE_MAX)
            return token;
        token.kind = sections[i].kind;
        token.text = str_make(xml.data + begin, end - begin);
        *offset = end + sections[i].end.size;
        return token;
    }
    if (starts_at(xml, *offset, STR("<!")))
        return token;
    end = tag_end(xml, *offset + 1);
    if (end == SIZE_MAX)
        return token;
    tag_read(str_make(xml.data + *offset + 1, end - *offset - 1), &token);
    *offset = end + 1;
    return token;
}

/* The part of the path at depth, counted from 0. */
static bool path_part(const char *path, size_t depth, struct str *part)
{
    struct str rest = str_of(path);

    for (size_t i = 0; i <= depth; i++) {
        if (!rest.data)
            return false;
        str_cut(rest, '/', part, &rest);
    }
    return true;
}

enum xml_result xml_find(struct str document, const char *path, struct str *inner, struct str *attributes)
{
    struct str names[XML_DEPTH_MAX];
    struct str part;
    size_t offset = 0, depth = 0, matched = 0, parts = 0, start = 0;
    bool inside = false, done = false, any = false;

    while (path_part(path, parts, &part))
        parts++;
    if (str_starts_with(document, STR("\xEF\xBB\xBF")))
        offset = 3;
    for (;;) {
        struct xml_token token = token_next(document, &offset);

        if (token.kind == TOKEN_BROKEN)
            return XML_BROKEN;
        if (token.kind == TOKEN_END)
            return depth || !any ? XML_BROKEN : done ? XML_FOUND : XML_ABSENT;
        if ((token.kind == TOKEN_TEXT && depth == 0 && str_trim(token.text).size) || (token.kind == TOKEN_CDATA && depth == 0))
            return XML_BROKEN;
        if (token.kind == TOKEN_OPEN || token.kind == TOKEN_EMPTY) {
            bool fits = !done && !inside && matched == depth && path_part(path, depth, &part) && str_equal(part, token.text);

            any = true;
            if (fits && depth + 1 == parts) {
                start = offset;
                if (attributes)
                    *attributes = token.attributes;
                *inner = str_make(document.data + offset, 0);
                done = token.kind == TOKEN_EMPTY;
                inside = !done;
            }
            if (token.kind == TOKEN_EMPTY)
                continue;
            if (depth == XML_DEPTH_MAX)
                return XML_BROKEN;
            matched += fits;
            names[depth++] = token.text;
        } else if (token.kind == TOKEN_CLOSE) {
            if (depth == 0 || !str_equal(names[depth - 1], token.text))
                return XML_BROKEN;
            depth--;
            if (inside && depth + 1 == parts) {
                *inner = str_make(document.data + start, token.start - start);
                inside = false;
                done = true;
            }
            matched = size_min(matched, depth);
        }
    }
}

static void character_append(struct buffer *text, uint32_t c)
{
    char bytes[4];
    size_t size = 0;

    if (c < 0x80) {
        bytes[size++] = (char)c;
    } else if (c < 0x800) {
        bytes[size++] = (char)(0xC0 | c >> 6);
        bytes[size++] = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        bytes[size++] = (char)(0xE0 | c >> 12);
        bytes[size++] = (char)(0x80 | (c >> 6 & 63));
        bytes[size++] = (char)(0x80 | (c & 63));
    } else {
        bytes[size++] = (char)(0xF0 | c >> 18);
        bytes[size++] = (char)(0x80 | (c >> 12 & 63));
        bytes[size++] = (char)(0x80 | (c >> 6 & 63));
        bytes[size++] = (char)(0x80 | (c & 63));
    }
    buffer_append(text, bytes, size);
}

/* name is what stands between '&' and ';'. */
static bool reference_append(struct str name, struct buffer *text)
{
    static const struct {
        const char *name;
        char c;
    } named[] = {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
    uint32_t value = 0;
    bool hex;

    for (size_t i = 0; i < COUNT_OF(named); i++) {
        if (str_is(name, named[i].name)) {
            buffer_append_char(text, named[i].c);
            return true;
        }
    }
    if (name.size < 2 || name.data[0] != '#')
        return false;
    hex = name.data[1] == 'x';
    if (hex && name.size < 3)
        return false;
    for (size_t i = hex ? 2 : 1; i < name.size; i++) {
        char c = name.data[i];
        unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 : 16;

        if (digit >= (hex ? 16u : 10u))
            return false;
        value = value * (hex ? 16 : 10) + digit;
        if (value > 0x10FFFF)
            return false;
    }
    if (value == 0 || (value >= 0xD800 && value <= 0xDFFF))
        return false;
    character_append(text, value);
    return true;
}

static bool references_decode(struct str part, struct buffer *text)
{
    struct str plain, rest;

    while (str_cut(part, '&', &plain, &rest)) {
        struct str name;

        buffer_append_str(text, plain);
        if (!str_cut(rest, ';', &name, &part) || !reference_append(name, text))
            return false;
    }
    buffer_append_str(text, plain);
    return true;
}

bool xml_text(struct str inner, struct buffer *text)
{
    size_t offset = 0;

    for (;;) {
        struct xml_token token = token_next(inner, &offset);

        if (token.kind == TOKEN_END)
            return !text->failed;
        if (token.kind == TOKEN_BROKEN)
            return false;
        if (token.kind == TOKEN_CDATA)
            buffer_append_str(text, token.text);
        else if (token.kind == TOKEN_TEXT && !references_decode(token.text, text))
            return false;
    }
}

void xml_escape(struct buffer *xml, struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        switch (text.data[i]) {
        case '<': buffer_append_str(xml, STR("&lt;")); break;
        case '>': buffer_append_str(xml, STR("&gt;")); break;
        case '&': buffer_append_str(xml, STR("&amp;")); break;
        default: buffer_append_char(xml, text.data[i]);
        }
    }
}

/* --- errors --- */

void service_text_copy(char *field, size_t field_size, struct str text)
{
    size_t used = 0, i = 0;

    text = str_trim(text);
    while (i < text.size) {
        unsigned char c = (unsigned char)text.data[i];
        size_t size = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
        bool whole = size <= text.size - i && str_is_utf8(str_make(text.data + i, size));

        if (used + (whole ? size : 1) >= field_size)
            break;
        if (!whole || c == 0x7F) {
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
