/* variable.c: what ${...} stands for. */
#include "expression/internal.h"

static const char *const names[] = {"job", "topic", "execute_time", "now"};

bool expression_is_variable(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (str_is(name, names[i]))
            return true;
    return false;
}

const char *variable_nearest(struct str name)
{
    return str_nearest(name, names, COUNT_OF(names));
}

struct column *variable_value(struct arena *arena, const struct expression_environment *environment, struct str name)
{
    int64_t ms = environment->execute_time_ms;
    struct column *column;
    struct str text;

    if (!str_is(name, "execute_time")) {
        text = str_is(name, "job") ? environment->job : environment->topic;
        return constant_text(arena, text.data ? text : STR(""));
    }
    column = constant_new(arena, TYPE_OF(TYPE_TIMESTAMP));
    if (column)
        column->instant[0] = (struct instant){ms / 1000, (int32_t)(ms % 1000) * 1000000};
    return column;
}
