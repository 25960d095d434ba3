/* time_format.c: a pattern becomes a list of items once; printing and reading walk it. */
#include "batch/time_format.h"

#include <stdio.h>

static const char *const month_names[] = {"January", "February", "March",     "April",   "May",      "June",
                                          "July",    "August",   "September", "October", "November", "December"};
static const char *const day_names[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};

/* --- patterns --- */

/* The numbers of letters that each letter may have, as bits: 1 << count. */
struct letter {
    char letter;
    unsigned counts;
    const char *what;
};

static const struct letter letters[] = {
    {'y', 1 << 2 | 1 << 4, "the year is yyyy, or yy for 2000 to 2099"},
    {'M', 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4, "the month is MM, M, MMM (Jan) or MMMM (January)"},
    {'d', 1 << 1 | 1 << 2, "the day is dd or d"},
    {'D', 1 << 3, "the day of the year is DDD, the day of the month dd"},
    {'E', 1 << 3 | 1 << 4, "the weekday is EEE (Mon) or EEEE (Monday)"},
    {'H', 1 << 1 | 1 << 2, "the hour is HH or H"},
    {'h', 1 << 1 | 1 << 2, "the hour of AM and PM is hh or h"},
    {'a', 1 << 1, "AM and PM is a"},
    {'m', 1 << 1 | 1 << 2, "the minute is mm or m"},
    {'s', 1 << 1 | 1 << 2, "the second is ss or s"},
    {'S', 0x3FE, "the fraction of a second is S to SSSSSSSSS, a letter for a digit"},
    {'X', 1 << 1 | 1 << 2 | 1 << 3, "the offset is X (+08), XX (+0800) or XXX (+08:00)"},
    {'Z', 1 << 1, "the offset is Z (+0800), or XXX (+08:00)"},
};

static const struct letter *find_letter(char c)
{
    for (size_t i = 0; i < COUNT_OF(letters); i++)
        if (letters[i].letter == c)
            return &letters[i];
    return NULL;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool refuse_letter(struct str pattern, size_t at, size_t count, struct error *error)
{
    static const struct {
        char letter;
        const char *hint;
    } hints[] = {
        {'Y', "the year is yyyy (Y is the year of the week)"},
        {'u', "the year is yyyy"},
        {'L', "the month is MM"},
        {'n', "fractions of a second are SSS to SSSSSSSSS"},
        {'k', "the hour is HH"},
        {'K', "the hour is HH, or hh with a"},
        {'A', "AM and PM is a"},
        {'z', "the offset is XXX (+08:00) or Z (+0800); names of zones cannot be told apart"},
        {'x', "the offset is XXX (+08:00) or Z (+0800)"},
        {'e', "the weekday is EEE (Mon)"},
        {'T', "text stands in quotes: 'T'"},
    };
    const char *hint = "text stands in quotes, as in yyyy-MM-dd'T'HH:mm:ss";

    for (size_t i = 0; i < COUNT_OF(hints); i++)
        if (hints[i].letter == pattern.data[at])
            hint = hints[i].hint;
    return error_set(error, ERROR_CONFIG, "pattern \"%.*s\", character %zu: \"%.*s\" means nothing here; %s", STR_ARG(pattern),
                     at + 1, (int)count, pattern.data + at, hint);
}

static void add_text(struct time_format *format, char c, uint8_t *used)
{
    struct time_format_item *last = format->item_count ? &format->items[format->item_count - 1] : NULL;

    if (!last || last->letter) {
        last = &format->items[format->item_count++];
        *last = (struct time_format_item){0, 0, *used};
    }
    format->text[(*used)++] = c;
    last->count++;
}

/* From the quote at `at`; returns the index behind, or 0 without a closing quote. */
static size_t add_quoted(struct time_format *format, struct str pattern, size_t at, uint8_t *used)
{
    size_t i = at + 1;

    if (i < pattern.size && pattern.data[i] == '\'') {
        add_text(format, '\'', used);
        return i + 1;
    }
    for (; i < pattern.size; i++) {
        if (pattern.data[i] == '\'') {
            if (i + 1 == pattern.size || pattern.data[i + 1] != '\'')
                return i + 1;
            i++;
        }
        add_text(format, pattern.data[i], used);
    }
    return 0;
}

static unsigned count_of(const struct time_format *format, const char *set)
{
    unsigned count = 0;

    for (uint8_t i = 0; i < format->item_count; i++)
        count += format->items[i].letter && strchr(set, format->items[i].letter) != NULL;
    return count;
}

static bool check_whole(const struct time_format *format, struct str pattern, struct error *error)
{
    static const char *const once[] = {"y", "M", "d", "D", "Hh", "a", "m", "s", "S", "XZ", "E"};
    const char *missing = NULL;

    for (size_t i = 0; i < COUNT_OF(once); i++)
        if (count_of(format, once[i]) > 1)
            return error_set(error, ERROR_CONFIG, "pattern \"%.*s\" has %c more than once, so it cannot read a text",
                             STR_ARG(pattern), once[i][0]);
    if (!count_of(format, "y"))
        missing = "a year (yyyy)";
    else if (count_of(format, "D") ? count_of(format, "Md") : count_of(format, "d") && !count_of(format, "M"))
        missing = count_of(format, "D") ? "either DDD or MM and dd" : "a month (MM)";
    else if (count_of(format, "h") != count_of(format, "a"))
        missing = count_of(format, "h") ? "AM or PM (a) beside hh; 24 hours are HH" : "hh beside a";
    else if (count_of(format, "m") && !count_of(format, "Hh"))
        missing = "an hour (HH) beside its minute mm; a month is MM";
    else if (count_of(format, "s") && !count_of(format, "m"))
        missing = "a minute (mm) beside its second";
    else if (count_of(format, "S") && !count_of(format, "s"))
        missing = "a second (ss) beside its fraction";
    return !missing ||
           error_set(error, ERROR_CONFIG, "pattern \"%.*s\" reads no whole date: it needs %s", STR_ARG(pattern), missing);
}

bool time_format_compile(struct time_format *format, struct str pattern, bool to_read, struct error *error)
{
    uint8_t used = 0;

    memset(format, 0, sizeof(*format));
    if (pattern.size == 0 || pattern.size > TIME_PATTERN_MAX)
        return error_set(error, ERROR_CONFIG, "a pattern has 1 to %d characters, such as yyyy-MM-dd HH:mm:ss", TIME_PATTERN_MAX);
    for (size_t i = 0; i < pattern.size;) {
        const struct letter *letter;
        size_t count = 1;
        char c = pattern.data[i];

        if (c == '\'') {
            size_t next = add_quoted(format, pattern, i, &used);

            if (!next)
                return error_set(error, ERROR_CONFIG,
                                 "pattern \"%.*s\", character %zu: the quote is not closed; two quotes '' "
                                 "stand for one",
                                 STR_ARG(pattern), i + 1);
            i = next;
            continue;
        }
        if (c == '%')
            return error_set(error, ERROR_CONFIG,
                             "pattern \"%.*s\", character %zu: patterns have letters such as "
                             "yyyy-MM-dd HH:mm:ss and no %%; text stands in quotes",
                             STR_ARG(pattern), i + 1);
        if (!is_letter(c)) {
            add_text(format, c, &used);
            i++;
            continue;
        }
        while (i + count < pattern.size && pattern.data[i + count] == c)
            count++;
        letter = find_letter(c);
        if (!letter)
            return refuse_letter(pattern, i, count, error);
        if (count > 9 || !(letter->counts & 1u << count))
            return error_set(error, ERROR_CONFIG, "pattern \"%.*s\", character %zu: \"%.*s\" means nothing: %s", STR_ARG(pattern),
                             i + 1, (int)count, pattern.data + i, letter->what);
        format->items[format->item_count++] = (struct time_format_item){(uint8_t)c, (uint8_t)count, 0};
        format->has_offset |= c == 'X' || c == 'Z';
        format->has_clock |= strchr("HhamsS", c) != NULL;
        i += count;
    }
    return !to_read || check_whole(format, pattern, error);
}

/* --- printing --- */

static size_t put_number(char *text, unsigned value, unsigned digits)
{
    unsigned size = digits;

    for (unsigned rest = value / 10, wanted = 1; digits == 1 && rest; rest /= 10)
        size = ++wanted;
    for (unsigned i = size; i > 0; i--, value /= 10)
        text[i - 1] = (char)('0' + value % 10);
    return size;
}

static size_t put_text(char *text, const char *from, size_t size)
{
    memcpy(text, from, size);
    return size;
}

static size_t put_name(char *text, const char *name, unsigned letters_of_it)
{
    return put_text(text, name, letters_of_it == 3 ? 3 : strlen(name));
}

static size_t put_offset(char *text, int32_t offset_seconds, uint8_t letter, unsigned count)
{
    unsigned minutes = (unsigned)(offset_seconds < 0 ? -offset_seconds : offset_seconds) / 60;
    size_t size = 0;

    if (letter == 'X' && minutes == 0) {
        text[0] = 'Z';
        return 1;
    }
    text[size++] = offset_seconds < 0 ? '-' : '+';
    size += put_number(text + size, minutes / 60, 2);
    if (letter == 'X' && count == 1 && minutes % 60 == 0)
        return size;
    if (count == 3)
        text[size++] = ':';
    return size + put_number(text + size, minutes % 60, 2);
}

/* 1970-01-01 was a Thursday. */
static unsigned weekday(int32_t days)
{
    return (unsigned)((days % 7 + 7 + 3) % 7);
}

size_t time_format_print(const struct time_format *format, struct instant local, int32_t offset_seconds,
                         char text[TIME_FORMATTED_MAX])
{
    static const int32_t units[] = {1, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};
    struct civil civil;
    size_t size = 0;
    int32_t days;

    time_civil_from_seconds(local.seconds, &civil);
    days = time_days(civil.year, civil.month, civil.day);
    for (uint8_t i = 0; i < format->item_count; i++) {
        const struct time_format_item *item = &format->items[i];
        unsigned count = item->count;
        char *at = text + size;

        switch (item->letter) {
        case 0:
            size += put_text(at, format->text + item->at, count);
            break;
        case 'y':
            size += put_number(at, (unsigned)civil.year, count);
            break;
        case 'M':
            size += count > 2 ? put_name(at, month_names[civil.month - 1], count) : put_number(at, civil.month, count);
            break;
        case 'd':
            size += put_number(at, civil.day, count);
            break;
        case 'D':
            size += put_number(at, (unsigned)(days - time_days(civil.year, 1, 1)) + 1, 3);
            break;
        case 'E':
            size += put_name(at, day_names[weekday(days)], count);
            break;
        case 'H':
            size += put_number(at, civil.hour, count);
            break;
        case 'h':
            size += put_number(at, (civil.hour + 11u) % 12 + 1, count);
            break;
        case 'a':
            size += put_text(at, civil.hour < 12 ? "AM" : "PM", 2);
            break;
        case 'm':
            size += put_number(at, civil.minute, count);
            break;
        case 's':
            size += put_number(at, civil.second, count);
            break;
        case 'S':
            size += put_number(at, (unsigned)(local.nanos / units[count]), count == 1 ? 1 : count);
            break;
        default:
            size += put_offset(at, offset_seconds, item->letter, count);
            break;
        }
    }
    return size;
}

/* --- reading --- */

struct reader {
    const char *at, *end;
    int year, month, day, day_of_year, weekday, hour, half, minute, second, nanos;
    int32_t offset_seconds;
};

static bool take_digits(struct reader *reader, unsigned least, unsigned most, int *value_out)
{
    unsigned count = 0;
    int value = 0;

    for (; count < most && reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; count++)
        value = value * 10 + *reader->at++ - '0';
    *value_out = value;
    return count >= least;
}

/* One letter: a digit or two; more letters: so many digits. */
static bool take_number(struct reader *reader, unsigned count, int least, int most, int *value_out)
{
    return take_digits(reader, count, count == 1 ? 2 : count, value_out) && *value_out >= least && *value_out <= most;
}

static bool take_name(struct reader *reader, const char *const *names, size_t name_count, unsigned count, int *index_out)
{
    for (size_t i = 0; i < name_count; i++) {
        size_t size = count == 3 ? 3 : strlen(names[i]);

        if ((size_t)(reader->end - reader->at) >= size &&
            str_equal_ignore_case(str_make(reader->at, size), str_make(names[i], size))) {
            reader->at += size;
            *index_out = (int)i;
            return true;
        }
    }
    return false;
}

static bool take_half(struct reader *reader)
{
    struct str word = str_make(reader->at, 2);

    if (reader->end - reader->at < 2)
        return false;
    reader->at += 2;
    reader->half = str_equal_ignore_case(word, STR("PM"));
    return reader->half || str_equal_ignore_case(word, STR("AM"));
}

static bool take_fraction(struct reader *reader, unsigned count)
{
    if (!take_digits(reader, count, count, &reader->nanos))
        return false;
    for (; count < 9; count++)
        reader->nanos *= 10;
    return true;
}

static bool take_offset(struct reader *reader, uint8_t letter, unsigned count)
{
    int hours, minutes = 0;
    bool negative;

    if (letter == 'X' && reader->at < reader->end && *reader->at == 'Z') {
        reader->at++;
        return true;
    }
    if (reader->at == reader->end || (*reader->at != '+' && *reader->at != '-'))
        return false;
    negative = *reader->at++ == '-';
    if (!take_digits(reader, 2, 2, &hours))
        return false;
    if (count == 3 && (reader->at == reader->end || *reader->at++ != ':'))
        return false;
    if (letter == 'X' && count == 1 && (reader->at == reader->end || *reader->at < '0' || *reader->at > '9'))
        minutes = 0;
    else if (!take_digits(reader, 2, 2, &minutes))
        return false;
    if (hours > 23 || minutes > 59)
        return false;
    reader->offset_seconds = (hours * 60 + minutes) * 60 * (negative ? -1 : 1);
    return true;
}

static bool take_text(struct reader *reader, const char *text, size_t size)
{
    if ((size_t)(reader->end - reader->at) < size || memcmp(reader->at, text, size) != 0)
        return false;
    reader->at += size;
    return true;
}

static bool take_item(struct reader *reader, const struct time_format *format, const struct time_format_item *item)
{
    unsigned count = item->count;

    switch (item->letter) {
    case 0:
        return take_text(reader, format->text + item->at, count);
    case 'y':
        if (!take_digits(reader, count, count, &reader->year))
            return false;
        reader->year += count == 2 ? 2000 : 0;
        return true;
    case 'M':
        if (count <= 2)
            return take_number(reader, count, 1, 12, &reader->month);
        if (!take_name(reader, month_names, COUNT_OF(month_names), count, &reader->month))
            return false;
        reader->month++;
        return true;
    case 'd':
        return take_number(reader, count, 1, 31, &reader->day);
    case 'D':
        return take_number(reader, 3, 1, 366, &reader->day_of_year);
    case 'E':
        return take_name(reader, day_names, COUNT_OF(day_names), count, &reader->weekday);
    case 'H':
        return take_number(reader, count, 0, 23, &reader->hour);
    case 'h':
        return take_number(reader, count, 1, 12, &reader->hour);
    case 'a':
        return take_half(reader);
    case 'm':
        return take_number(reader, count, 0, 59, &reader->minute);
    case 's':
        return take_number(reader, count, 0, 59, &reader->second);
    case 'S':
        return take_fraction(reader, count);
    default:
        return take_offset(reader, item->letter, count);
    }
}

bool time_format_read(const struct time_format *format, struct str text, struct instant *local_out, bool *has_offset,
                      int32_t *offset_seconds)
{
    struct reader reader = {.at = text.data, .end = text.data + text.size, .month = 1, .day = 1, .weekday = -1, .half = -1};
    int32_t days;

    for (uint8_t i = 0; i < format->item_count; i++)
        if (!take_item(&reader, format, &format->items[i]))
            return false;
    if (reader.at != reader.end || !time_date_valid(reader.year, (unsigned)reader.month, (unsigned)reader.day))
        return false;
    days = time_days(reader.year, (unsigned)reader.month, (unsigned)reader.day);
    if (reader.day_of_year) {
        if (!time_date_valid(reader.year, 2, 29) && reader.day_of_year > 365)
            return false;
        days += reader.day_of_year - 1;
    }
    if (reader.weekday >= 0 && (unsigned)reader.weekday != weekday(days))
        return false;
    if (reader.half >= 0)
        reader.hour = reader.hour % 12 + 12 * reader.half;
    *local_out = (struct instant){(int64_t)days * 86400 + reader.hour * 3600 + reader.minute * 60 + reader.second, reader.nanos};
    *has_offset = format->has_offset;
    *offset_seconds = reader.offset_seconds;
    return true;
}
