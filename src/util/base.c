/* base.c: allocation that stops with a message instead of returning NULL. */
#include "util/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void stop_out_of_memory(size_t size)
{
    fprintf(stderr, "luaduct: out of memory while asking for %zu bytes; nothing was committed for the work in hand\n", size);
    abort();
}

void *xmalloc(size_t size)
{
    void *pointer = malloc(size ? size : 1);

    if (!pointer)
        stop_out_of_memory(size);
    return pointer;
}

void *xcalloc(size_t count, size_t size)
{
    void *pointer = calloc(count ? count : 1, size ? size : 1);

    if (!pointer)
        stop_out_of_memory(count * size);
    return pointer;
}

void *xrealloc(void *old, size_t size)
{
    void *pointer = realloc(old, size ? size : 1);

    if (!pointer)
        stop_out_of_memory(size);
    return pointer;
}

char *xstrndup(const char *text, size_t size)
{
    char *copy = xmalloc(size + 1);

    if (size)
        memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

char *xstrdup(const char *text)
{
    return xstrndup(text, strlen(text));
}

char *xasprintf(const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    int size;

    va_start(arguments, format);
    size = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (size < 0)
        stop_out_of_memory(0);
    return text;
}
