/* lexer.c: one token at a time. Bytes of 0x80 and above are letters, so names may be Chinese. */
#include "expression/internal.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static char char_at(struct str text, size_t at)
{
    return at < text.size ? text.data[at] : 0;
}

static bool fail(struct expression_mistakes *mistakes, size_t at, size_t width, const char *format, ...) PRINTF_LIKE(4, 5);

static bool fail(struct expression_mistakes *mistakes, size_t at, size_t width, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    mistakes_add_list(mistakes, at, width, format, arguments);
    va_end(arguments);
    return false;
}

/* Between two of the quote at token->at. */
static bool read_quoted(struct str text, struct token *token, struct expression_mistakes *mistakes)
{
    char quote = text.data[token->at];
    size_t at = token->at + 1;

    for (;; at++) {
        if (at >= text.size)
            return fail(mistakes, token->at, 1,
                        quote == '\'' ? "the text that begins here has no closing '"
                                      : "the name that begins here has no closing quote");
        if (text.data[at] != quote)
            continue;
        if (char_at(text, at + 1) != quote)
            break;
        token->doubled = true;
        at++;
    }
    token->kind = quote == '\'' ? TOKEN_TEXT : TOKEN_QUOTED;
    token->text = str_make(text.data + token->at + 1, at - token->at - 1);
    token->width = at + 1 - token->at;
    return true;
}

/* Digits, a point and digits, an exponent; what follows must not look like more of it. */
static bool read_number(struct str text, struct token *token, struct expression_mistakes *mistakes)
{
    size_t at = token->at;

    while (is_digit(char_at(text, at)))
        at++;
    if (char_at(text, at) == '.') {
        at++;
        if (!is_digit(char_at(text, at)))
            return fail(mistakes, token->at, at - token->at, "digits are wanted after the point");
        while (is_digit(char_at(text, at)))
            at++;
    }
    if (char_at(text, at) == 'e' || char_at(text, at) == 'E') {
        at++;
        if (char_at(text, at) == '+' || char_at(text, at) == '-')
            at++;
        if (!is_digit(char_at(text, at)))
            return fail(mistakes, token->at, at - token->at, "digits are wanted in the exponent");
        while (is_digit(char_at(text, at)))
            at++;
    }
    if (is_letter(char_at(text, at)) || char_at(text, at) == '.') {
        while (is_letter(char_at(text, at)) || is_digit(char_at(text, at)) || char_at(text, at) == '.')
            at++;
        return fail(mistakes, token->at, at - token->at,
                    "this is no number; a name that begins with a digit stands between double quotes");
    }
    token->kind = TOKEN_NUMBER;
    token->text = str_make(text.data + token->at, at - token->at);
    token->width = token->text.size;
    return true;
}

static bool read_variable(struct str text, struct token *token, struct expression_mistakes *mistakes)
{
    const char *end = memchr(text.data + token->at, '}', text.size - token->at);

    if (!end)
        return fail(mistakes, token->at, 2, "\"${\" has no closing \"}\"");
    token->kind = TOKEN_VARIABLE;
    token->width = (size_t)(end - text.data) + 1 - token->at;
    token->text = str_make(text.data + token->at + 2, token->width - 3);
    return true;
}

static bool read_operator(struct str text, struct token *token, struct expression_mistakes *mistakes)
{
    static const char *const operators[] = {"||", "//", "==", "!=", "<>", "<=", ">=", "!~", "+", "-",
                                            "*",  "/",  "%",  "=",  "<",  ">",  "~",  "(",  ")", ","};
    static const struct {
        const char *text, *hint;
    } foreign[] = {
        {"=<", "write <="},
        {"=>", "write >="},
        {"=!", "write !="},
        {"=~", "write ~"},
        {"===", "write ="},
        {"<=>", "write =, and is null where both may be NULL"},
        {"&&", "write and"},
        {"&", "write and"},
        {"|", "write or (|| joins texts)"},
        {"!", "write not"},
        {"::", "write cast(a as type)"},
        {"^", "use power(a, b)"},
        {"[", "a name stands between double quotes, and json_get(text, '$.a[0]') takes an element"},
        {"$.", "write json_get(text, '$.a')"},
        {"$", "a variable is written as ${now}"},
        {";", "nothing stands behind an expression"},
    };
    struct str rest = str_make(text.data + token->at, text.size - token->at);

    for (size_t i = 0; i < COUNT_OF(operators) && !token->width; i++)
        if (str_starts_with(rest, str_of(operators[i])))
            token->width = strlen(operators[i]);
    for (size_t i = 0; i < COUNT_OF(foreign); i++) {
        size_t width = strlen(foreign[i].text);

        if (width <= token->width || !str_starts_with(rest, str_of(foreign[i].text)))
            continue;
        return fail(mistakes, token->at, width, "%s is no operator here; %s", foreign[i].text, foreign[i].hint);
    }
    if (token->width) {
        token->kind = TOKEN_OPERATOR;
        token->text = str_head(rest, token->width);
        return true;
    }
    if ((unsigned char)rest.data[0] < 0x20 || rest.data[0] == 0x7F)
        return fail(mistakes, token->at, 1, "a control character (%u) is not part of an expression", (unsigned)rest.data[0]);
    return fail(mistakes, token->at, 1, "\"%c\" is not part of the expression language%s", rest.data[0],
                rest.data[0] == '.' ? "; a field whose name has a point stands between double quotes" : "");
}

bool token_read(struct str text, size_t at, struct token *token, struct expression_mistakes *mistakes)
{
    while (at < text.size && (text.data[at] == ' ' || text.data[at] == '\t' || text.data[at] == '\n' || text.data[at] == '\r'))
        at++;
    *token = (struct token){.kind = TOKEN_END, .at = at};
    if (at == text.size)
        return true;
    if (text.data[at] == '\'' || text.data[at] == '"' || text.data[at] == '`')
        return read_quoted(text, token, mistakes);
    if (is_digit(text.data[at]) || (text.data[at] == '.' && is_digit(char_at(text, at + 1))))
        return read_number(text, token, mistakes);
    if (text.data[at] == '$' && char_at(text, at + 1) == '{')
        return read_variable(text, token, mistakes);
    if (!is_letter(text.data[at]))
        return read_operator(text, token, mistakes);
    while (is_letter(char_at(text, at)) || is_digit(char_at(text, at)))
        at++;
    token->kind = TOKEN_NAME;
    token->text = str_make(text.data + token->at, at - token->at);
    token->width = token->text.size;
    return true;
}
