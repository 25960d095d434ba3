/* mistakes.c: the list of what is wrong with an expression. */
#include "expression/internal.h"

#include <stdio.h>

void mistakes_add(struct expression_mistakes *mistakes, size_t at, size_t width, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    mistakes_add_list(mistakes, at, width, format, arguments);
    va_end(arguments);
}

/* As one line: parts of the expression may be quoted in it. */
static void text_print(char text[EXPRESSION_MISTAKE_BYTES], const char *format, va_list arguments)
{
    struct str whole;

    vsnprintf(text, EXPRESSION_MISTAKE_BYTES, format, arguments);
    for (char *c = text; *c; c++)
        *c = (unsigned char)*c < 0x20 || *c == 0x7F ? '?' : *c;
    whole = str_head(str_of(text), EXPRESSION_MISTAKE_BYTES - 2); /* no half character at the end of what was cut */
    text[whole.size] = '\0';
}

void mistakes_add_list(struct expression_mistakes *mistakes, size_t at, size_t width, const char *format, va_list arguments)
{
    struct expression_mistake *list;
    size_t i;

    if (!mistakes || mistakes->count == EXPRESSION_MISTAKES_MAX)
        return;
    list = mistakes->list;
    for (i = mistakes->count++; i && list[i - 1].place.at > at; i--)
        list[i] = list[i - 1];
    list[i].place = (struct expression_place){at, width ? width : 1};
    text_print(list[i].text, format, arguments);
}
