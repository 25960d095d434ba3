/* xml.c: one pass over the tags with a depth counter; no tree is built, for the documents are small and one or two elements are
 * wanted. DOCTYPE is refused: nobody here sends one, and entities of its own are the way to hostile documents. */
#include "util/xml.h"

enum { XML_DEPTH_MAX = 64 };

/* --- reading --- */

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

/* --- writing --- */

/* What XML 1.0 has no way to say. size: of the character, 0 where there is none. */
static bool is_forbidden(const char *at, size_t size)
{
    if (size == 3)
        return memcmp(at, "\uFFFE", 3) == 0 || memcmp(at, "\uFFFF", 3) == 0;
    return size == 0 || (unsigned char)*at < 0x20;
}

void xml_escape(struct buffer *xml, struct str text)
{
    while (text.size) {
        size_t size = str_character_size(text), step = size ? size : 1;

        switch (text.data[0]) {
        case '<': buffer_append_str(xml, STR("&lt;")); break;
        case '>': buffer_append_str(xml, STR("&gt;")); break;
        case '&': buffer_append_str(xml, STR("&amp;")); break;
        case '"': buffer_append_str(xml, STR("&quot;")); break;
        case '\t': case '\n': case '\r': buffer_print(xml, "&#%d;", text.data[0]); break;
        default: buffer_append_str(xml, is_forbidden(text.data, size) ? STR("\uFFFD") : str_make(text.data, step));
        }
        text = str_make(text.data + step, text.size - step);
    }
}

void xml_append_cdata(struct buffer *xml, struct str text)
{
    static const struct str end = STR("]]>");
    const char *at;

    buffer_append_str(xml, STR("<![CDATA["));
    while ((at = text.size ? memmem(text.data, text.size, end.data, end.size) : NULL)) {
        size_t size = (size_t)(at - text.data) + 2;

        buffer_append(xml, text.data, size);
        buffer_append_str(xml, STR("]]><![CDATA["));
        text = str_make(text.data + size, text.size - size);
    }
    buffer_append_str(xml, text);
    buffer_append_str(xml, STR("]]>"));
}
