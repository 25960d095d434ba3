/* error.c: formats errors into their fixed buffer. */
#include "util/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "util/str.h"

/* A text that was cut may end in half a character, which is taken off. */
static void end_whole(char *text)
{
    size_t size = strlen(text), start = size;

    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start > 0 && !str_is_utf8(str_make(text + start - 1, size - start + 1)))
        text[start - 1] = '\0';
}

bool error_set(struct error *error, enum error_kind kind, const char *format, ...)
{
    va_list arguments;
    int size;

    if (!error)
        return false;
    error->kind = kind;
    va_start(arguments, format);
    size = vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    if (size >= (int)sizeof(error->text))
        end_whole(error->text);
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
        if ((size_t)size + 2 + strlen(inner) >= sizeof(error->text))
            end_whole(error->text);
    }
    return false;
}

const char *system_reason(int number)
{
    switch (number) {
    case ENOSPC: return "no space left on the disk; make room there";
    case EDQUOT: return "the quota of the disk is used up; make room there";
    case EMFILE: return "too many open files in this process; raise its limit (ulimit -n, LimitNOFILE of a service)";
    case ENFILE: return "too many open files on this machine; raise fs.file-max or close some";
    case EIO: return "input/output error; look at the disk and the system's log";
    case EROFS: return "the file system is read-only; mount it for writing";
    default: return strerror(number);
    }
}
