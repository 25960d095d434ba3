/* time_format.h: dates and times as text by a pattern, in the letters that date formats of Java, Spark and MaxCompute share.
 *
 *     yyyy year (4 digits)   yy 2000..2099       MM, M month          MMM Jan, MMMM January
 *     dd, d day              EEE Mon, EEEE Monday                     DDD day of the year
 *     HH, H hour 0..23       hh, h hour 1..12 with a (AM, PM)         mm, m minute         ss, s second
 *     S .. SSSSSSSSS fraction of the second, so many digits          X +08, XX +0800, XXX +08:00 (all three Z for UTC), Z +0800
 *     'text' as it is, '' one quote; what is no ASCII letter stands for itself
 *
 * Two letters are two digits; one letter prints no zeros and reads one digit or two. Names are English, read in any case. Reading
 * is strict: the whole text, real days only, and a weekday must be the day's. What a pattern does not have is 1 (month, day) or
 * 0. Printing cuts what is finer than the pattern. Offsets that are no whole minutes (before 1930 or so) print without their
 * seconds.
 * Ownership: a struct time_format is a plain value that holds a copy of its pattern. Threads: read-only once compiled.
 * Errors: CONFIG, with the place in the pattern and what was probably meant. */
#ifndef LUADUCT_BATCH_TIME_FORMAT_H
#define LUADUCT_BATCH_TIME_FORMAT_H

#include "batch/time.h"

enum { TIME_PATTERN_MAX = 96, TIME_FORMATTED_MAX = TIME_PATTERN_MAX * 6 };

struct time_format_item {
    uint8_t letter; /* 0: text of the pattern */
    uint8_t count;  /* letters, or bytes of text */
    uint8_t at;     /* of the text */
};

struct time_format {
    char text[TIME_PATTERN_MAX]; /* what stands for itself, quotes resolved */
    struct time_format_item items[TIME_PATTERN_MAX];
    uint8_t item_count;
    bool has_offset; /* the pattern prints, or reads, an offset from UTC */
    bool has_clock;  /* anything finer than a day */
};

/* to_read: the pattern must tell a whole date: year, and day with month or the day of the year, and nothing twice. */
bool time_format_compile(struct time_format *format, struct str pattern, bool to_read, struct error *error) MUST_USE;
/* The local date-time (counted as if UTC), and what its zone adds to UTC. Returns the size. */
size_t time_format_print(const struct time_format *format, struct instant local, int32_t offset_seconds,
                         char text[TIME_FORMATTED_MAX]);
/* As time_parse. */
bool time_format_read(const struct time_format *format, struct str text, struct instant *local_out, bool *has_offset,
                      int32_t *offset_seconds) MUST_USE;

#endif
