/* base.c: allocation that stops with a message instead of returning NULL. */
#include "util/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static _Noreturn void stop(size_t size)
{
    fprintf(stderr, "luaduct: out of memory while asking for %zu bytes; nothing was committed for the work in hand\n", size);
    abort();
}

_Noreturn void stop_out_of_memory(const char *what)
{
    fprintf(stderr, "luaduct: out of memory while making %s; nothing was committed for the work in hand\n", what);
    abort();
}

void *xmalloc(size_t size)
{
    void *pointer = malloc(size ? size : 1);

    if (!pointer)
        stop(size);
    return pointer;
}

void *xcalloc(size_t count, size_t size)
{
    void *pointer = calloc(count ? count : 1, size ? size : 1);

    if (!pointer)
        stop(count * size);
    return pointer;
}

void *xrealloc(void *old, size_t size)
{
    void *pointer = realloc(old, size ? size : 1);

    if (!pointer)
        stop(size);
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
        stop(0);
    return text;
}

void xthread_create(pthread_t *thread, void *(*start)(void *arg), void *arg, const char *what)
{
    int status = pthread_create(thread, NULL, start, arg);

    if (status == 0)
        return;
    fprintf(stderr, "luaduct: no thread for %s: %s; raise the limit of processes and threads (ulimit -u, TasksMax) or give the "
            "machine memory\n", what, strerror(status));
    abort();
}
