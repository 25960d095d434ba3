/* error.c: formats errors into their fixed buffer. */
#include "util/error.h"

#include <stdarg.h>
#include <stdio.h>

bool error_set(struct error *error, enum error_kind kind, const char *format, ...)
{
    va_list arguments;

    if (!error)
        return false;
    error->kind = kind;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    return false;
}

bool error_wrap(struct error *error, const char *format, ...)
{
    char inner[sizeof(error->text)];
    va_list arguments;
    int size;

    if (!error)
        return false;
    memcpy(inner, error->text, sizeof(inner));
    va_start(arguments, format);
    size = vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    if (size >= 0 && (size_t)size + 3 < sizeof(error->text)) {
        char *end = error->text + size;

        memcpy(end, ": ", 2);
        strncpy(end + 2, inner, sizeof(error->text) - (size_t)size - 3);
        error->text[sizeof(error->text) - 1] = '\0';
    }
    return false;
}
