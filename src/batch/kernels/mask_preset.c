/* mask_preset.c: the forms of well-known things. Each function looks whether the text has the form, and only then writes; mask.c
 * covers all of what has not. The table of forms is in mask.h. */
#include <arpa/inet.h>
#include <stdio.h>
#include <utf8proc.h>

#include "batch/decimal.h"
#include "batch/kernels/characters.h"
#include "batch/kernels/mask_internal.h"

enum { NAME_CHARACTERS_MAX = 40, ADDRESS_CHARACTERS_MAX = 40 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_upper_or_lower(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_hexadecimal(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_han(int32_t code)
{
    return (code >= 0x4E00 && code <= 0x9FFF) || (code >= 0x3400 && code <= 0x4DBF) || (code >= 0xF900 && code <= 0xFAFF) ||
           (code >= 0x20000 && code <= 0x3FFFF);
}

/* The digits, with any of `separators` between them, or -1 when there is something else. */
static int count_digits(struct str text, const char *separators)
{
    int digits = 0;

    for (size_t i = 0; i < text.size; i++) {
        if (is_digit(text.data[i]))
            digits++;
        else if (!text.data[i] || !strchr(separators, text.data[i]))
            return -1;
    }
    return digits;
}

/* Shows digits [0, before) and [count - after, count); what is no digit stays. */
static void write_digits(struct mask_writer *writer, struct str text, int count, int before, int after)
{
    int digit = 0;

    for (size_t i = 0; i < text.size; i++) {
        if (!is_digit(text.data[i]))
            write_shown(writer, text.data + i, 1);
        else if (digit++ < before || digit > count - after)
            write_shown(writer, text.data + i, 1);
        else
            write_covered(writer, 1);
    }
}

bool mask_phone(struct mask *mask, struct str text, bool ascii, struct mask_writer *writer, const char **reason_out)
{
    int count = ascii && text.size <= 32 ? count_digits(text, "+()-./ ") : -1, country = 0;

    (void)mask;
    (void)reason_out;
    if (str_starts_with(text, STR("+86")) || (count == 13 && str_starts_with(text, STR("86"))))
        country = 2;
    else if (str_starts_with(text, STR("0086")))
        country = 4;
    if (count - country < 11 || count - country > 15)
        return false;
    write_digits(writer, text, count, country + 3, 4);
    return true;
}

bool mask_id_card(struct mask *mask, struct str text, bool ascii, struct mask_writer *writer, const char **reason_out)
{
    size_t digits = 0, after = text.size == 18 ? 4 : 3;

    (void)mask;
    (void)reason_out;
    while (ascii && digits < text.size && is_digit(text.data[digits]))
        digits++;
    if (digits == 17 && text.size == 18 && (text.data[17] == 'X' || text.data[17] == 'x'))
        digits++;
    if (digits != text.size || (text.size != 15 && text.size != 18))
        return false;
    write_shown(writer, text.data, 6);
    write_covered(writer, text.size - 6 - after);
    write_shown(writer, text.data + text.size - after, after);
    return true;
}

bool mask_bank_card(struct mask *mask, struct str text, bool ascii, struct mask_writer *writer, const char **reason_out)
{
    int count = ascii && text.size <= 40 ? count_digits(text, " -") : -1;

    (void)mask;
    (void)reason_out;
    if (count < 13 || count > 19)
        return false;
    write_digits(writer, text, count, 6, 4);
    return true;
}

/* A host's letters and digits, of any script, in labels with points between them. */
static bool is_host(struct str host)
{
    bool label = false;

    for (size_t i = 0; i < host.size; i++) {
        bool point = host.data[i] == '.';

        if (point ? !label
                  : !is_digit(host.data[i]) && !is_upper_or_lower(host.data[i]) && host.data[i] != '-' &&
                        (unsigned char)host.data[i] < 0x80)
            return false;
        label = !point;
    }
    return label && host.size <= 255;
}

bool mask_email(struct mask *mask, struct str text, bool ascii, struct mask_writer *writer, const char **reason_out)
{
    const char *at = memrchr(text.data, '@', text.size);
    size_t first;
    struct str local, rest;

    (void)mask;
    (void)ascii;
    (void)reason_out;
    if (!at || at == text.data || !is_host(str_make(at + 1, text.size - (size_t)(at - text.data) - 1)))
        return false;
    local = str_make(text.data, (size_t)(at - text.data));
    for (size_t i = 0; i < local.size; i++)
        if ((unsigned char)local.data[i] <= ' ' || strchr("@,;<>\"", local.data[i]))
            return false; /* several addresses, or one in other dress */
    first = character_size(local);
    rest = str_make(local.data + first, local.size - first);
    if (!rest.size) {
        write_covered(writer, 1);
    } else {
        write_shown(writer, local.data, first);
        write_covered(writer, character_count(rest));
    }
    write_shown(writer, at, text.size - local.size);
    return true;
}

enum name_part { NAME_LETTER, NAME_SEPARATOR, NAME_OTHER };

static enum name_part name_part(int32_t code)
{
    utf8proc_category_t category = utf8proc_category(code);

    if ((category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
        (category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME))
        return NAME_LETTER;
    /* blank, point, comma, apostrophes, hyphens, and the points between the parts of names in Chinese and Japanese */
    return (code < 0x80 && code && strchr(" .,'-", code)) || code == 0xB7 || code == 0x2019 || code == 0x2010 || code == 0x2022 ||
                   code == 0x2027 || code == 0x30FB || code == 0x3000
               ? NAME_SEPARATOR
               : NAME_OTHER;
}

bool mask_name(struct mask *mask, struct str text, bool ascii, struct mask_writer *writer, const char **reason_out)
{
    size_t size, count = 0;
    bool han = is_han(code_point(text, &size)), initial = true;

    (void)mask;
    (void)ascii;
    (void)reason_out;
    for (size_t at = 0; at < text.size; at += size)
        if (name_part(code_point(str_make(text.data + at, text.size - at), &size)) == NAME_OTHER)
            return false;
    for (size_t at = 0; at < text.size; at += size, count++) {
        struct str rest = str_make(text.data + at, text.size - at);
        enum name_part part = name_part(code_point(rest, &size));

        size = character_size(rest);
        if (count == NAME_CHARACTERS_MAX)
            return false;
        if (han ? at == 0 : part == NAME_SEPARATOR || initial)
            write_shown(writer, rest.data, size);
        else
            write_covered(writer, 1);
        initial = part == NAME_SEPARATOR;
    }
    return true;
}

bool mask_ip(struct mask *mask, struct str text, bool ascii, struct mask_writer *writer, const char **reason_out)
{
    char copy[INET6_ADDRSTRLEN];
    unsigned char bytes[16];

    (void)mask;
    (void)reason_out;
    if (!ascii || text.size >= sizeof(copy) || memchr(text.data, 0, text.size))
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    if (inet_pton(AF_INET, copy, bytes) == 1) {
        size_t shown = (size_t)(strchr(strchr(copy, '.') + 1, '.') - copy) + 1;

        write_shown(writer, text.data, shown);
        write_covered(writer, 1);
        write_shown(writer, ".", 1);
        write_covered(writer, 1);
        return true;
    }
    if (inet_pton(AF_INET6, copy, bytes) != 1)
        return false;
    for (int i = 0; i < 4; i++) {
        char group[8];

        write_shown(writer, group,
                    (size_t)snprintf(group, sizeof(group), "%x:", (unsigned)(bytes[2 * i] << 8 | bytes[2 * i + 1])));
    }
    for (int i = 0; i < 4; i++) {
        write_covered(writer, 1);
        write_shown(writer, ":", i < 3);
    }
    return true;
}

bool mask_mac(struct mask *mask, struct str text, bool ascii, struct mask_writer *writer, const char **reason_out)
{
    size_t group = text.size == 17 ? 2 : text.size == 14 ? 4 : 12, digits = 0;
    char separator = text.size > 2 ? text.data[2] : 0;

    (void)mask;
    (void)ascii;
    (void)reason_out;
    if (text.size != 17 && text.size != 14 && text.size != 12)
        return false;
    if (group == 4)
        separator = '.';
    else if (group == 2 && separator != ':' && separator != '-')
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (i % (group + 1) == group ? text.data[i] != separator : !is_hexadecimal(text.data[i]))
            return false;
    for (size_t i = 0; i < text.size; i++) {
        if (i % (group + 1) == group || digits++ < 6)
            write_shown(writer, text.data + i, 1);
        else
            write_covered(writer, 1);
    }
    return true;
}

/* Province, letter, perhaps a separator, five or six letters and digits; the last may be one such as 学 or 警. */
bool mask_car_plate(struct mask *mask, struct str text, bool ascii, struct mask_writer *writer, const char **reason_out)
{
    size_t head, size, shown, count = 0, last = 0;
    int32_t code;

    (void)mask;
    (void)reason_out;
    if (ascii || !is_han(code_point(text, &head)) || head >= text.size || !is_upper_or_lower(text.data[head]))
        return false;
    shown = head + 1;
    if (shown < text.size) {
        code = code_point(str_make(text.data + shown, text.size - shown), &size);
        if (code == 0xB7 || code == 0x2022 || code == '-' || code == ' ' || code == '.')
            shown += size;
    }
    for (size_t at = shown; at < text.size; at += size, count++) {
        code = code_point(str_make(text.data + at, text.size - at), &size);
        last = at;
        if (code >= 0x80 ? !is_han(code) || at + size != text.size : !is_digit((char)code) && !is_upper_or_lower((char)code))
            return false;
    }
    if (count < 5 || count > 6)
        return false;
    write_shown(writer, text.data, shown);
    write_covered(writer, count - 1);
    write_shown(writer, text.data + last, text.size - last);
    return true;
}

/* The end of the first character among `marks`, or 0. */
static size_t after_first(struct str text, const char *marks)
{
    size_t size;

    for (size_t at = 0; at < text.size; at += size) {
        code_point(str_make(text.data + at, text.size - at), &size);
        for (const char *mark = marks; *mark; mark += 3) /* all of them have three bytes */
            if (size == 3 && memcmp(text.data + at, mark, 3) == 0)
                return at + 3;
    }
    return 0;
}

bool mask_address(struct mask *mask, struct str text, bool ascii, struct mask_writer *writer, const char **reason_out)
{
    static const char *const levels[] = {"路街道巷弄", "区县旗镇乡", "市州盟", "省"};
    size_t end = 0, size, count = 0;

    (void)mask;
    (void)ascii;
    (void)reason_out;
    for (size_t i = 0; i < COUNT_OF(levels) && !end; i++)
        end = after_first(text, levels[i]);
    if (str_starts_with(str_make(text.data + end, text.size - end), STR("道")) && end >= 3 &&
        memcmp(text.data + end - 3, "街", 3) == 0)
        end += 3;
    for (size_t at = 0; at < end; at += size, count++) {
        int32_t code = code_point(str_make(text.data + at, end - at), &size);

        /* Whatever is no part of a place's name makes the rest doubtful. */
        if (!is_han(code) && code != ' ' && code != '-' &&
            !(code < 0x80 && (is_digit((char)code) || is_upper_or_lower((char)code))))
            return false;
    }
    if (!end || count > ADDRESS_CHARACTERS_MAX)
        return false;
    for (size_t at = 0; at < end; at += size) {
        if (is_han(code_point(str_make(text.data + at, end - at), &size)) || text.data[at] == ' ' || text.data[at] == '-')
            write_shown(writer, text.data + at, size);
        else
            write_covered(writer, 1);
    }
    write_covered(writer, character_count(str_make(text.data + end, text.size - end)));
    return true;
}

/* One number in degrees, rounded to two decimals. */
static bool write_degrees(struct mask_writer *writer, struct str number, int limit)
{
    enum { SCALE = 18, KEPT = 2 };
    char digits[DECIMAL_TEXT_MAX];
    int128 value;

    for (size_t i = 0; i < number.size; i++)
        if (!is_digit(number.data[i]) && number.data[i] != '.' && !(i == 0 && (number.data[i] == '-' || number.data[i] == '+')))
            return false;
    if (decimal_parse(number, type_decimal(DECIMAL_DIGITS_MAX, SCALE), &value) != DECIMAL_OK ||
        value > limit * decimal_powers[SCALE] || value < -limit * decimal_powers[SCALE] ||
        decimal_rescale_rounded(value, SCALE, KEPT, &value) != DECIMAL_OK)
        return false;
    write_shown(writer, digits, decimal_print(value, KEPT, digits));
    return true;
}

bool mask_gps(struct mask *mask, struct str text, bool ascii, struct mask_writer *writer, const char **reason_out)
{
    struct str first, second;
    const char *end;

    (void)mask;
    (void)reason_out;
    if (!ascii || text.size > 80)
        return false;
    for (end = text.data; end < text.data + text.size && !(*end && strchr(",; ", *end));)
        end++;
    first = str_make(text.data, (size_t)(end - text.data));
    if (first.size == text.size)
        return write_degrees(writer, first, 180);
    second = str_trim(str_make(end + 1, text.size - first.size - 1));
    if (!write_degrees(writer, first, 180))
        return false;
    write_shown(writer, end, (size_t)(second.data - end));
    return write_degrees(writer, second, 180);
}
