/* places.h: the mistakes of a person's file, as they are printed: text, with places inside the file. */
#ifndef LUADUCT_TESTS_FUZZ_PLACES_H
#define LUADUCT_TESTS_FUZZ_PLACES_H

#include "fuzz.h"

#include "job/report.h"

/* The column may be the one behind the last character; the line of an empty file is the first. */
static inline void fuzz_check_place(const char *place, struct str text)
{
    char *end;
    unsigned long line = strtoul(place, &end, 10), column;
    struct str rest = text, current = STR("");
    size_t characters = 0;

    if (*end != ':')
        return;
    column = strtoul(end + 1, NULL, 10);
    FUZZ_CLAIM(line >= 1 && column >= 1, "a place counts from 1: %.40s", place);
    for (unsigned long i = 0; i < line; i++) {
        FUZZ_CLAIM(rest.data, "line %lu is behind the end", line);
        str_cut(rest, '\n', &current, &rest);
    }
    for (size_t i = 0; i < current.size; i++)
        characters += ((unsigned char)current.data[i] & 0xC0) != 0x80;
    FUZZ_CLAIM(column <= characters + 1, "line %lu has %zu characters, column %lu is named", line, characters, column);
}

static inline void fuzz_check_report(const struct report *report, const char *path, struct str text)
{
    size_t size = strlen(path);
    struct buffer printed;
    struct str rest, line;

    buffer_init(&printed, 0);
    report_print(report, &printed);
    FUZZ_CLAIM(str_is_utf8(buffer_str(&printed)), "the report is no UTF-8");
    FUZZ_CLAIM((printed.size > 0) == (report_mistakes(report) + report_warnings(report) > 0), "an empty report");
    rest = buffer_str(&printed);
    while (rest.data) {
        str_cut(rest, '\n', &line, &rest);
        if (line.size > size + 1 && memcmp(line.data, path, size) == 0 && line.data[size] == ':' &&
            (unsigned char)(line.data[size + 1] - '0') < 10)
            fuzz_check_place(line.data + size + 1, text);
    }
    buffer_release(&printed);
}

#endif
