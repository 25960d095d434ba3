/* words.c: by hand, since strtol skips blanks, takes signs and stops where it likes. */
#include "local/words.h"

enum { DURATION_MS_MAX = 24 * 3600 * 1000 };

bool word_count(struct str text, uint64_t max, uint64_t *value_out)
{
    uint64_t value = 0;

    if (text.size == 0 || text.size > 18)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    *value_out = value;
    return value <= max;
}

bool word_duration(struct str text, int64_t *ms_out)
{
    static const struct { const char *unit; int64_t ms; } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};

    for (size_t i = 0; i < COUNT_OF(units); i++) {
        size_t size = strlen(units[i].unit);
        uint64_t value;

        if (text.size > size && memcmp(text.data + text.size - size, units[i].unit, size) == 0 &&
            word_count(str_make(text.data, text.size - size), (uint64_t)(DURATION_MS_MAX / units[i].ms), &value)) {
            *ms_out = (int64_t)value * units[i].ms;
            return true;
        }
    }
    return false;
}
