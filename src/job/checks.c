/* checks.c: see checks.h. */
#include "job/checks.h"

#include "batch/time.h"
#include "batch/type.h"

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_word(struct str text, size_t size_max_, const char *others)
{
    for (size_t i = 0; i < text.size; i++)
        if (!is_letter(text.data[i]) && !is_digit(text.data[i]) && !strchr(others, text.data[i]))
            return false;
    return text.size && text.size <= size_max_;
}

bool name_check(struct str text, struct error *error)
{
    return is_word(text, 64, "_.-") || error_set(error, ERROR_DATA,
                                                 "is no name: 1 to 64 letters, digits, \"_\", \".\" and \"-\"");
}

bool topic_check(struct str text, struct error *error)
{
    if (text.data[0] == '^')
        return error_set(error, ERROR_DATA, "is a pattern; a job reads one topic, by its name");
    if (str_is(text, ".") || str_is(text, "..") || !is_word(text, 249, "_.-"))
        return error_set(error, ERROR_DATA, "is no topic name: 1 to 249 letters, digits, \"_\", \".\" and \"-\"");
    return true;
}

bool table_check(struct str text, struct error *error)
{
    if (memchr(text.data, '.', text.size))
        return error_set(error, ERROR_DATA, "must be the table's name alone; project and schema belong to the data source");
    return is_word(text, 128, "_") || error_set(error, ERROR_DATA, "is no table name: 1 to 128 letters, digits and \"_\"");
}

bool project_check(struct str text, struct error *error)
{
    return is_word(text, 128, "_-") || error_set(error, ERROR_DATA,
                                                 "is no name of the service: 1 to 128 letters, digits, \"_\" and \"-\"");
}

bool column_check(struct str text, struct error *error)
{
    if (text.size > 128)
        return error_set(error, ERROR_DATA, "is longer than the 128 bytes that a column name may have");
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] <= ' ' || strchr("`'\"/=,", text.data[i]))
            return error_set(error, ERROR_DATA, "is no column name: no blanks, quotes, \"/\", \"=\" or \",\"");
    return true;
}

bool pipeline_type_check(struct str text, struct error *error)
{
    struct type type;

    if (type_parse(text, &type, error))
        return true;
    /* Inside { } YAML ends a value at the comma of decimal(10,2). */
    if (memchr(text.data, '(', text.size) && !memchr(text.data, ')', text.size))
        return error_set(error, ERROR_DATA, "is cut at its comma; inside { } the type needs quotes, such as \"decimal(10,2)\"");
    return false;
}

bool zone_check(struct str text, struct error *error)
{
    struct zone *zone = NULL;
    bool ok = zone_open(&zone, text, error);

    zone_free(zone);
    if (!ok && error)
        error->kind = ERROR_CONFIG;
    return ok;
}

static bool port_check(struct str text, unsigned minimum)
{
    unsigned port = 0;

    for (size_t i = 0; i < text.size; i++) {
        if (!is_digit(text.data[i]) || i > 4)
            return false;
        port = port * 10 + (unsigned)(text.data[i] - '0');
    }
    return text.size && port >= minimum && port <= 65535;
}

/* "host:port" or "[v6]:port"; without a port rest is absent. */
static bool host_cut(struct str text, struct str *host, struct str *port)
{
    *port = STR_NONE;
    *host = text;
    if (text.size && text.data[0] == '[') {
        const char *end = memchr(text.data, ']', text.size);

        if (!end)
            return false;
        *host = str_make(text.data + 1, (size_t)(end - text.data) - 1);
        text = str_make(end + 1, text.size - host->size - 2);
        if (text.size && text.data[0] != ':')
            return false;
        if (text.size)
            *port = str_make(text.data + 1, text.size - 1);
        return is_word(*host, 64, ":.%");
    }
    str_cut(text, ':', host, port);
    return is_word(*host, 253, "._-");
}

bool brokers_check(struct str text, struct error *error)
{
    struct str rest = text;

    while (rest.data) {
        struct str broker, host, port;

        str_cut(rest, ',', &broker, &rest);
        broker = str_trim(broker);
        if (!host_cut(broker, &host, &port) || (port.data && !port_check(port, 1)))
            return error_set(error, ERROR_DATA, "is no list of brokers; write host:port, with commas between several");
    }
    return true;
}

bool listen_check(struct str text, struct error *error)
{
    struct str host, port;

    if (!host_cut(text, &host, &port) || !port.data || !port_check(port, 0))
        return error_set(error, ERROR_DATA, "is no address; write host:port, such as 127.0.0.1:9464");
    if (!str_starts_with(host, STR("127.")) && !str_is(host, "localhost") && !str_is(host, "::1"))
        return error_set(error, ERROR_DATA, "is not on the loopback interface; there is no login, so only 127.0.0.1, localhost "
                         "or [::1] are possible");
    return true;
}

bool url_check(struct str text, struct error *error)
{
    struct str rest;

    if (str_starts_with(text, STR("https://")))
        rest = str_make(text.data + 8, text.size - 8);
    else if (str_starts_with(text, STR("http://")))
        rest = str_make(text.data + 7, text.size - 7);
    else
        return error_set(error, ERROR_DATA, "is no address; it begins with https:// or http://");
    for (size_t i = 0; i < rest.size; i++)
        if ((unsigned char)rest.data[i] <= ' ' || strchr("?#@", rest.data[i]))
            return error_set(error, ERROR_DATA, "must be scheme, host, port and path only");
    return (rest.size && rest.data[0] != '/' && rest.data[0] != ':') || error_set(error, ERROR_DATA, "names no host");
}

/* A proxy may carry a user, which an endpoint may not. */
bool proxy_check(struct str text, struct error *error)
{
    if (!str_starts_with(text, STR("http://")) && !str_starts_with(text, STR("https://")) &&
        !str_starts_with(text, STR("socks5h://")) && !str_starts_with(text, STR("socks5://")))
        return error_set(error, ERROR_DATA, "is no proxy address; it begins with http://, https://, socks5:// or socks5h://");
    return true;
}

bool format_check(struct str text, struct error *error)
{
    static const struct str patterns[] = {{"yyyy", 4}, {"MM", 2}, {"dd", 2}, {"HH", 2}, {"mm", 2}};
    enum { MONTH = 1, HOUR = 3, MINUTE = 4 };
    unsigned found = 0;
    size_t i = 0;

    while (i < text.size) {
        size_t run = 1, known = 0;

        while (i + run < text.size && text.data[i + run] == text.data[i])
            run++;
        while (known < COUNT_OF(patterns) && !str_equal(patterns[known], str_make(text.data + i, run)))
            known++;
        if (known < COUNT_OF(patterns))
            found |= 1U << known;
        else if (is_letter(text.data[i]))
            return error_set(error, ERROR_DATA, "has \"%.*s\" in it; the patterns are yyyy, MM, dd, HH and mm, with other "
                             "characters that are no letters between them", (int)run, text.data + i);
        else if (strchr("/=,'\"", text.data[i]) || (unsigned char)text.data[i] <= ' ')
            return error_set(error, ERROR_DATA,
                             "has a character in it that a partition value may not have (blank, quote, \"/\", \"=\", \",\")");
        i += run;
    }
    if (!found)
        return error_set(error, ERROR_DATA, "has none of the patterns yyyy, MM, dd, HH and mm");
    /* yyyy-mm-dd would make a partition of every minute, and of none of the months. */
    if ((found & 1U << MINUTE) && found != 1U << MINUTE && !(found & (1U << MONTH | 1U << HOUR)))
        return error_set(error, ERROR_DATA, "has minutes (mm) without hours; the month is MM");
    return true;
}
