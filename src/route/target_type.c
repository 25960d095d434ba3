/* target_type.c: the table of types. */
#include "route/target_type.h"

static bool nested_type(const struct mc_type *target)
{
    struct type type;
    enum wire_kind wire;

    /* A JSON object's names are its keys: text, or what text stands for. */
    if (target->kind == MC_MAP && (target_type_is_nested(target->children[0].kind) || target->children[0].kind == MC_JSON))
        return false;
    for (size_t i = 0; i < target->child_count; i++)
        if (!target_type(&target->children[i], &type, &wire))
            return false;
    return true;
}

bool target_type(const struct mc_type *target, struct type *type_out, enum wire_kind *wire_out)
{
    static const struct {
        enum type_kind kind;
        enum wire_kind wire;
    } kinds[] = {
        [MC_TINYINT] = {TYPE_BIGINT, WIRE_INTEGER},   [MC_SMALLINT] = {TYPE_BIGINT, WIRE_INTEGER},
        [MC_INT] = {TYPE_BIGINT, WIRE_INTEGER},       [MC_BIGINT] = {TYPE_BIGINT, WIRE_INTEGER},
        [MC_FLOAT] = {TYPE_DOUBLE, WIRE_FLOAT},       [MC_DOUBLE] = {TYPE_DOUBLE, WIRE_DOUBLE},
        [MC_DECIMAL] = {TYPE_DECIMAL, WIRE_BYTES},    [MC_STRING] = {TYPE_STRING, WIRE_BYTES},
        [MC_VARCHAR] = {TYPE_STRING, WIRE_BYTES},     [MC_CHAR] = {TYPE_STRING, WIRE_BYTES},
        [MC_BINARY] = {TYPE_BINARY, WIRE_BYTES},      [MC_BOOLEAN] = {TYPE_BOOLEAN, WIRE_BOOLEAN},
        [MC_DATE] = {TYPE_DATE, WIRE_DATE},           [MC_DATETIME] = {TYPE_DATETIME, WIRE_INTEGER},
        [MC_TIMESTAMP] = {TYPE_TIMESTAMP, WIRE_INSTANT}, [MC_TIMESTAMP_NTZ] = {TYPE_TIMESTAMP_NTZ, WIRE_INSTANT},
        [MC_JSON] = {TYPE_JSON, WIRE_BYTES},          [MC_ARRAY] = {TYPE_JSON, WIRE_NESTED},
        [MC_MAP] = {TYPE_JSON, WIRE_NESTED},          [MC_STRUCT] = {TYPE_JSON, WIRE_NESTED},
    };

    if ((size_t)target->kind >= COUNT_OF(kinds) || kinds[target->kind].kind == TYPE_NULL)
        return false;
    *type_out = TYPE_OF(kinds[target->kind].kind);
    *wire_out = kinds[target->kind].wire;
    if (target->kind == MC_DECIMAL) {
        /* The legacy decimal without parameters has 36 digits before the point and 18 behind it: more than 38 do not fit here. */
        *type_out = target->precision ? type_decimal((uint8_t)target->precision, (uint8_t)target->scale) : type_decimal(38, 18);
        return target->precision <= 38 && target->scale <= target->precision;
    }
    return nested_type(target);
}
