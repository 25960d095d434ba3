/* dialect.c: what people write who know another language of expressions, and what stands for it in this one. */
#include "expression/internal.h"

static const struct dialect_word {
    const char *word;
    enum dialect_use use;
    const char *hint;
} words[] = {
    /* functions */
    {"nvl", DIALECT_FUNCTION, "use coalesce(a, b)"},
    {"ifnull", DIALECT_FUNCTION, "use coalesce(a, b)"},
    {"isnull", DIALECT_FUNCTION, "write a is null, or coalesce(a, b)"},
    {"isnotnull", DIALECT_FUNCTION, "write a is not null"},
    {"nvl2", DIALECT_FUNCTION, "use if(a is not null, b, c)"},
    {"iif", DIALECT_FUNCTION, "use if(condition, yes, no)"},
    {"decode", DIALECT_FUNCTION, "use case a when 1 then b else c end"},
    {"len", DIALECT_FUNCTION, "use length(text), or lengthb(text) for bytes"},
    {"char_length", DIALECT_FUNCTION, "use length(text)"},
    {"character_length", DIALECT_FUNCTION, "use length(text)"},
    {"octet_length", DIALECT_FUNCTION, "use lengthb(text)"},
    {"charindex", DIALECT_FUNCTION, "use instr(text, sought), with the text first"},
    {"strpos", DIALECT_FUNCTION, "use instr(text, sought)"},
    {"position", DIALECT_FUNCTION, "use instr(text, sought)"},
    {"locate", DIALECT_FUNCTION, "use instr(text, sought), with the text first"},
    {"indexof", DIALECT_FUNCTION, "use instr(text, sought), which counts from 1"},
    {"lcase", DIALECT_FUNCTION, "use lower(text)"},
    {"ucase", DIALECT_FUNCTION, "use upper(text)"},
    {"mid", DIALECT_FUNCTION, "use substr(text, start, length)"},
    {"split", DIALECT_FUNCTION, "use split_part(text, separator, number)"},
    {"split_index", DIALECT_FUNCTION, "use split_part(text, separator, number), which counts from 1"},
    {"substring_index", DIALECT_FUNCTION, "use split_part(text, separator, number)"},
    {"rlike", DIALECT_FUNCTION, "use regexp_like(text, pattern), or text ~ 'pattern'"},
    {"regexp", DIALECT_FUNCTION, "use regexp_like(text, pattern), or text ~ 'pattern'"},
    {"regexp_substr", DIALECT_FUNCTION, "use regexp_extract(text, pattern, 0)"},
    {"to_char", DIALECT_FUNCTION, "use date_format(time, pattern), or cast(a as string)"},
    {"to_number", DIALECT_FUNCTION, "use cast(a as decimal(p,s)) or cast(a as bigint)"},
    {"convert", DIALECT_FUNCTION, "use cast(a as type)"},
    {"string", DIALECT_FUNCTION, "use cast(a as string)"},
    {"int", DIALECT_FUNCTION, "use cast(a as bigint)"},
    {"bigint", DIALECT_FUNCTION, "use cast(a as bigint)"},
    {"double", DIALECT_FUNCTION, "use cast(a as double)"},
    {"decimal", DIALECT_FUNCTION, "use cast(a as decimal(p,s))"},
    {"date", DIALECT_FUNCTION, "use to_date(text), or cast(time as date)"},
    {"timestamp", DIALECT_FUNCTION, "use to_timestamp(text)"},
    {"datetime", DIALECT_FUNCTION, "use to_timestamp(text), or cast(a as datetime)"},
    {"str_to_date", DIALECT_FUNCTION, "use to_timestamp(text, pattern) or to_date(text, pattern)"},
    {"parse_datetime", DIALECT_FUNCTION, "use to_timestamp(text, pattern)"},
    {"datediff", DIALECT_FUNCTION, "use date_diff(a, b, unit)"},
    {"timestampdiff", DIALECT_FUNCTION, "use date_diff(a, b, unit)"},
    {"dateadd", DIALECT_FUNCTION, "use date_add(time, count, unit)"},
    {"adddate", DIALECT_FUNCTION, "use date_add(time, count, unit)"},
    {"add_months", DIALECT_FUNCTION, "use date_add(time, count, 'month')"},
    {"datetrunc", DIALECT_FUNCTION, "use date_trunc(time, unit)"},
    {"datepart", DIALECT_FUNCTION, "use year(time), month(time), day(time), hour(time) …"},
    {"extract", DIALECT_FUNCTION, "use year(time), month(time), day(time), hour(time) …"},
    {"to_unixtime", DIALECT_FUNCTION, "use unix_timestamp(time), or epoch_ms(time)"},
    {"to_epoch_milli", DIALECT_FUNCTION, "use epoch_ms(time)"},
    {"get_json_object", DIALECT_FUNCTION, "use json_get(text, path)"},
    {"json_extract", DIALECT_FUNCTION, "use json_get(text, path)"},
    {"json_value", DIALECT_FUNCTION, "use json_get(text, path)"},
    {"pow", DIALECT_FUNCTION, "use power(a, b)"},
    {"truncate", DIALECT_FUNCTION, "use trunc(number, digits)"},
    {"ceiling", DIALECT_FUNCTION, "use ceil(number)"},
    {"max", DIALECT_FUNCTION, "use greatest(a, b), within a row; there are no functions over rows"},
    {"min", DIALECT_FUNCTION, "use least(a, b), within a row; there are no functions over rows"},
    {"sum", DIALECT_FUNCTION, "there are no functions over rows"},
    {"avg", DIALECT_FUNCTION, "there are no functions over rows"},
    {"count", DIALECT_FUNCTION, "there are no functions over rows"},
    {"row_number", DIALECT_FUNCTION, "there are no functions over rows"},
    {"sha2", DIALECT_FUNCTION, "use sha256(text) or sha512(text)"},
    {"concatws", DIALECT_FUNCTION, "use concat_ws(separator, a, b)"},
    /* the time, as a function and without brackets */
    {"now", DIALECT_FUNCTION, "write ${now}"},
    {"getdate", DIALECT_FUNCTION | DIALECT_NAME, "write ${now}"},
    {"sysdate", DIALECT_FUNCTION | DIALECT_NAME, "write ${now}"},
    {"localtimestamp", DIALECT_FUNCTION | DIALECT_NAME, "write ${now}"},
    {"current_timestamp", DIALECT_FUNCTION | DIALECT_NAME, "write ${now}"},
    {"current_date", DIALECT_FUNCTION | DIALECT_NAME, "write cast(${now} as date)"},
    {"curdate", DIALECT_FUNCTION | DIALECT_NAME, "write cast(${now} as date)"},
    {"none", DIALECT_NAME, "write null"},
    {"nil", DIALECT_NAME, "write null"},
    /* between two values */
    {"regexp", DIALECT_BETWEEN, "write text ~ 'pattern'"},
    {"rlike", DIALECT_BETWEEN, "write text ~ 'pattern'"},
    {"similar", DIALECT_BETWEEN, "write text ~ 'pattern'"},
    {"ilike", DIALECT_BETWEEN, "write lower(text) like 'a%'"},
    {"contains", DIALECT_BETWEEN, "write contains(text, sought)"},
    {"mod", DIALECT_BETWEEN, "write a % b"},
    {"div", DIALECT_BETWEEN, "write a // b"},
    {"xor", DIALECT_BETWEEN, "write a != b"},
};

const char *dialect_hint(struct str word, enum dialect_use use)
{
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if ((words[i].use & use) && str_equal_ignore_case(word, str_of(words[i].word)))
            return words[i].hint;
    return NULL;
}
