/* functions_text.c: texts: the kernels of batch/kernels/text.h and regex.h by their names in SQL. */
#include "batch/kernels/regex.h"
#include "batch/kernels/text.h"
#include "expression/function.h"

#include <stdlib.h>

/* run as one call of a kernel, of the operands a[]. */
#define RUN(name, kernel)                                                                                                        \
    static bool name##_run(const struct function_call *call, struct batch *batch, const struct operand *a,                       \
                           struct column **column_out, struct error *error)                                                      \
    {                                                                                                                            \
        return kernel;                                                                                                           \
    }
#define WHAT str_of(call->name)
#define OPTIONAL(argument) (call->count > (argument) ? a[argument] : TEXT_NONE)

RUN(upper, text_upper(batch, a[0], WHAT, column_out, error))
RUN(lower, text_lower(batch, a[0], WHAT, column_out, error))
RUN(initcap, text_initcap(batch, a[0], WHAT, column_out, error))
RUN(trim, text_trim(batch, a[0], OPTIONAL(1), TEXT_BOTH, WHAT, column_out, error))
RUN(ltrim, text_trim(batch, a[0], OPTIONAL(1), TEXT_LEFT, WHAT, column_out, error))
RUN(rtrim, text_trim(batch, a[0], OPTIONAL(1), TEXT_RIGHT, WHAT, column_out, error))
RUN(length, text_length(batch, a[0], WHAT, column_out, error))
RUN(substr, text_substr(batch, a[0], a[1], OPTIONAL(2), WHAT, column_out, error))
RUN(left, text_part(batch, a[0], a[1], TEXT_LEFT, WHAT, column_out, error))
RUN(right, text_part(batch, a[0], a[1], TEXT_RIGHT, WHAT, column_out, error))
RUN(lpad, text_pad(batch, a[0], a[1], a[2], TEXT_LEFT, WHAT, column_out, error))
RUN(rpad, text_pad(batch, a[0], a[1], a[2], TEXT_RIGHT, WHAT, column_out, error))
RUN(reverse, text_reverse(batch, a[0], WHAT, column_out, error))
RUN(repeat, text_repeat(batch, a[0], a[1], WHAT, column_out, error))
RUN(instr, text_position(batch, a[0], a[1], OPTIONAL(2), OPTIONAL(3), WHAT, column_out, error))
RUN(starts_with, text_tests(batch, TEXT_STARTS_WITH, a[0], a[1], WHAT, column_out, error))
RUN(ends_with, text_tests(batch, TEXT_ENDS_WITH, a[0], a[1], WHAT, column_out, error))
RUN(contains, text_tests(batch, TEXT_CONTAINS, a[0], a[1], WHAT, column_out, error))
RUN(replace, text_replace(batch, a[0], a[1], a[2], WHAT, column_out, error))
RUN(split_part, text_split_part(batch, a[0], a[1], a[2], WHAT, column_out, error))
RUN(concat_ws, text_concat_ws(batch, a[0], a + 1, call->count - 1, WHAT, column_out, error))

/* As concat_ws with nothing in between, but NULL where any part is: so is the separator there. */
static bool concat_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                       struct column **column_out, struct error *error)
{
    struct column *nothing = function_result(batch, TYPE_OF(TYPE_STRING), arguments, call->count);

    if (!nothing)
        return operand_out_of_memory(batch, error);
    nothing->utf8 = true;
    for (uint32_t i = 0; i < batch->selected; i++)
        nothing->text[batch->selection[i]] = STR("");
    return text_concat_ws(batch, (struct operand){nothing, false}, arguments, call->count, WHAT, column_out, error);
}

static bool lengthb_run(const struct function_call *call, struct batch *batch, const struct operand *arguments,
                        struct column **column_out, struct error *error)
{
    struct column *column = function_result(batch, call->type, arguments, 1);
    uint32_t mask = operand_mask(arguments[0]);

    if (!column)
        return operand_out_of_memory(batch, error);
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];

        if (!column_is_null(column, row))
            column->bigint[row] = (int64_t)arguments[0].column->text[row & mask].size;
    }
    *column_out = column;
    return true;
}

/* ---- translate ---- */

static bool translate_prepare(struct function_call *call, struct error *error)
{
    struct text_translation *translation;
    struct str from, to;

    if (!function_constant_text(call, 1, "the characters to replace", &from, error) ||
        !function_constant_text(call, 2, "the characters to put there", &to, error) ||
        !text_translation_new(&translation, from, to, error))
        return false;
    call->state = translation;
    return true;
}

static void translate_release(void *state)
{
    text_translation_free(state);
}

RUN(translate, text_translate(batch, call->state, a[0], WHAT, column_out, error))

/* ---- regular expressions ---- */

struct pattern {
    struct regex *regex;
    struct regex_template *replacement;
    unsigned group;
};

static void pattern_release(void *state)
{
    struct pattern *pattern = state;

    if (!pattern)
        return;
    regex_template_free(pattern->replacement);
    regex_free(pattern->regex);
    free(pattern);
}

static bool pattern_prepare(struct function_call *call, struct error *error)
{
    struct pattern *pattern = xcalloc(1, sizeof(*pattern));
    struct str text;
    size_t wrong_at;

    call->state = pattern;
    if (!function_constant_text(call, 1, "the pattern", &text, error))
        return false;
    if (regex_new(&pattern->regex, text, true, &wrong_at, error))
        return true;
    call->blamed_at = (ptrdiff_t)wrong_at;
    return false;
}

static bool regexp_replace_prepare(struct function_call *call, struct error *error)
{
    struct pattern *pattern;
    struct str text;
    size_t wrong_at;

    if (!pattern_prepare(call, error))
        return false;
    pattern = call->state;
    if (!function_constant_text(call, 2, "the replacement", &text, error))
        return false;
    if (regex_template_new(&pattern->replacement, pattern->regex, text, true, &wrong_at, error))
        return true;
    call->blamed_at = (ptrdiff_t)wrong_at;
    return error_wrap(error, "the replacement");
}

static bool regexp_extract_prepare(struct function_call *call, struct error *error)
{
    struct pattern *pattern;
    int64_t group, groups;

    if (!pattern_prepare(call, error))
        return false;
    pattern = call->state;
    groups = regex_group_count(pattern->regex);
    if (!function_constant_integer(call, 2, "the group", groups > 0, 0, 1000, &group, error))
        return false;
    if (group > groups) {
        call->blamed = 2;
        return error_set(error, ERROR_CONFIG, "there is no group %d; the pattern has %d in parentheses (0 is all of a match)",
                         (int)group, (int)groups);
    }
    pattern->group = (unsigned)group;
    return true;
}

#define PATTERN ((const struct pattern *)call->state)

RUN(regexp_like, regex_test(batch, PATTERN->regex, a[0], WHAT, column_out, error))
RUN(regexp_extract, regex_extract(batch, PATTERN->regex, PATTERN->group, a[0], WHAT, column_out, error))
RUN(regexp_replace, regex_replace(batch, PATTERN->regex, PATTERN->replacement, a[0], WHAT, column_out, error))

#define ARGUMENTS(minimum, maximum) .arguments_min = (minimum), .arguments_max = (maximum)
#define RUNS(function, type) .gives = (type), .fails = true, .run = function##_run

extern const struct expression_function functions_text[];
const struct expression_function functions_text[] = {
    {.name = "concat",
     RUNS(concat, TYPE_STRING),
     .parameters = "a, b, …",
     ARGUMENTS(1, FUNCTION_ARGUMENTS_MAX),
     .takes = "s",
     .sentence = "All of them, one after the other; what is no text is printed as cast(… as string) does.",
     .example = "concat('a', 1, date '2024-01-31')",
     .result = "a12024-01-31"},
    {.name = "concat_ws",
     RUNS(concat_ws, TYPE_STRING),
     .parameters = "separator, a, b, …",
     ARGUMENTS(1, FUNCTION_ARGUMENTS_MAX),
     .takes_null = true,
     .takes = "ts",
     .sentence = "All that are not NULL, with the separator between them; NULL only where the separator is.",
     .example = "concat_ws('-', 'a', null, 'b')",
     .result = "a-b"},
    {.name = "upper",
     RUNS(upper, TYPE_STRING),
     .parameters = "text",
     ARGUMENTS(1, 1),
     .takes = "t",
     .sentence = "Upper case.",
     .example = "upper('straße é')",
     .result = "STRAßE É"},
    {.name = "lower",
     RUNS(lower, TYPE_STRING),
     .parameters = "text",
     ARGUMENTS(1, 1),
     .takes = "t",
     .sentence = "Lower case.",
     .example = "lower('ÀB')",
     .result = "àb"},
    {.name = "initcap",
     RUNS(initcap, TYPE_STRING),
     .parameters = "text",
     ARGUMENTS(1, 1),
     .takes = "t",
     .sentence = "The first letter of each word upper case, the others lower; words stand between blanks.",
     .example = "initcap('new YORK')",
     .result = "New York"},
    {.name = "trim",
     RUNS(trim, TYPE_STRING),
     .parameters = "text [, characters]",
     ARGUMENTS(1, 2),
     .takes = "t",
     .sentence = "Without these characters (blanks and line breaks) at both ends.",
     .example = "trim('--a-b-', '-')",
     .result = "a-b"},
    {.name = "ltrim",
     RUNS(ltrim, TYPE_STRING),
     .parameters = "text [, characters]",
     ARGUMENTS(1, 2),
     .takes = "t",
     .sentence = "Without these characters (blanks and line breaks) at its beginning.",
     .example = "ltrim('  a') || '.'",
     .result = "a."},
    {.name = "rtrim",
     RUNS(rtrim, TYPE_STRING),
     .parameters = "text [, characters]",
     ARGUMENTS(1, 2),
     .takes = "t",
     .sentence = "Without these characters (blanks and line breaks) at its end.",
     .example = "rtrim('a  ') || '.'",
     .result = "a."},
    {.name = "length",
     RUNS(length, TYPE_BIGINT),
     .parameters = "text",
     ARGUMENTS(1, 1),
     .takes = "t",
     .sentence = "How many characters (code points) it has.",
     .example = "length('上海')",
     .result = "2"},
    {.name = "lengthb",
     .gives = TYPE_BIGINT,
     .run = lengthb_run,
     .parameters = "text",
     ARGUMENTS(1, 1),
     .takes = "b",
     .sentence = "How many bytes it has, a text or a binary.",
     .example = "lengthb('上海')",
     .result = "6"},
    {.name = "substr",
     RUNS(substr, TYPE_STRING),
     .parameters = "text, start [, length]",
     ARGUMENTS(2, 3),
     .takes = "ti",
     .sentence = "So many characters (all) from number start on, from 1; a negative start counts from the end.",
     .example = "substr('hello', -3, 2)",
     .result = "ll"},
    {.name = "substring",
     RUNS(substr, TYPE_STRING),
     .parameters = "text, start [, length]",
     ARGUMENTS(2, 3),
     .takes = "ti",
     .sentence = "The same as substr.",
     .example = "substring('hello', 2)",
     .result = "ello"},
    {.name = "left",
     RUNS(left, TYPE_STRING),
     .parameters = "text, count",
     ARGUMENTS(2, 2),
     .takes = "ti",
     .sentence = "The first characters.",
     .example = "left('上海市', 2)",
     .result = "上海"},
    {.name = "right",
     RUNS(right, TYPE_STRING),
     .parameters = "text, count",
     ARGUMENTS(2, 2),
     .takes = "ti",
     .sentence = "The last characters.",
     .example = "right('13812345678', 4)",
     .result = "5678"},
    {.name = "lpad",
     RUNS(lpad, TYPE_STRING),
     .parameters = "text, length, fill",
     ARGUMENTS(3, 3),
     .takes = "tit",
     .sentence = "Made length characters long: filled up in front, or cut at its end.",
     .example = "lpad('42', 5, '0')",
     .result = "00042"},
    {.name = "rpad",
     RUNS(rpad, TYPE_STRING),
     .parameters = "text, length, fill",
     ARGUMENTS(3, 3),
     .takes = "tit",
     .sentence = "Made length characters long: filled up, or cut, at its end.",
     .example = "rpad('ab', 4, '.')",
     .result = "ab.."},
    {.name = "reverse",
     RUNS(reverse, TYPE_STRING),
     .parameters = "text",
     ARGUMENTS(1, 1),
     .takes = "t",
     .sentence = "The characters (code points) from the last to the first.",
     .example = "reverse('上海')",
     .result = "海上"},
    {.name = "repeat",
     RUNS(repeat, TYPE_STRING),
     .parameters = "text, times",
     ARGUMENTS(2, 2),
     .takes = "ti",
     .sentence = "The text so many times.",
     .example = "repeat('ab', 3)",
     .result = "ababab"},
    {.name = "replace",
     RUNS(replace, TYPE_STRING),
     .parameters = "text, find, with",
     ARGUMENTS(3, 3),
     .takes = "t",
     .sentence = "Each `find` in it becomes `with`; case counts.",
     .example = "replace('a-b-c', '-', '+')",
     .result = "a+b+c"},
    {.name = "translate",
     RUNS(translate, TYPE_STRING),
     .parameters = "text, from, to",
     ARGUMENTS(3, 3),
     .takes = "t",
     .prepare = translate_prepare,
     .release = translate_release,
     .sentence = "Each character of `from` becomes the one at its place in `to`, or goes where there is none.",
     .example = "translate('1,234.5', '.,', ',')",
     .result = "1234,5"},
    {.name = "split_part",
     RUNS(split_part, TYPE_STRING),
     .parameters = "text, separator, number",
     ARGUMENTS(3, 3),
     .takes = "tti",
     .sentence = "That part of those between separators, from 1, or from the end with -1 on; '' where there is none.",
     .example = "split_part('a,b,c', ',', 2)",
     .result = "b"},
    {.name = "instr",
     RUNS(instr, TYPE_BIGINT),
     .parameters = "text, sought [, start [, nth]]",
     ARGUMENTS(2, 4),
     .takes = "tti",
     .sentence = "The character at which it is found, from number start (1) on, the nth time (1); 0: it is not there.",
     .example = "instr('上海 上海', '海', 1, 2)",
     .result = "5"},
    {.name = "starts_with",
     RUNS(starts_with, TYPE_BOOLEAN),
     .parameters = "text, start",
     ARGUMENTS(2, 2),
     .takes = "t",
     .sentence = "Whether it begins so.",
     .example = "starts_with('order-1', 'order-')",
     .result = "true"},
    {.name = "ends_with",
     RUNS(ends_with, TYPE_BOOLEAN),
     .parameters = "text, end",
     ARGUMENTS(2, 2),
     .takes = "t",
     .sentence = "Whether it ends so.",
     .example = "ends_with('a.csv', '.json')",
     .result = "false"},
    {.name = "contains",
     RUNS(contains, TYPE_BOOLEAN),
     .parameters = "text, sought",
     ARGUMENTS(2, 2),
     .takes = "t",
     .sentence = "Whether it is in there.",
     .example = "contains('abc', 'b')",
     .result = "true"},
    {.name = "regexp_like",
     RUNS(regexp_like, TYPE_BOOLEAN),
     .parameters = "text, pattern",
     ARGUMENTS(2, 2),
     .takes = "t",
     .prepare = pattern_prepare,
     .release = pattern_release,
     .sentence = "Whether the regular expression (PCRE2) matches somewhere in it; case counts without (?i).",
     .example = "regexp_like('order 17', '\\d+$')",
     .result = "true"},
    {.name = "regexp_extract",
     RUNS(regexp_extract, TYPE_STRING),
     .parameters = "text, pattern [, group]",
     ARGUMENTS(2, 3),
     .takes = "tti",
     .prepare = regexp_extract_prepare,
     .release = pattern_release,
     .sentence = "What the group (1, or all when the pattern has none) holds of the first match; NULL without a match.",
     .example = "regexp_extract('k=v', '(\\w)=(\\w)', 2)",
     .result = "v"},
    {.name = "regexp_replace",
     RUNS(regexp_replace, TYPE_STRING),
     .parameters = "text, pattern, replacement",
     ARGUMENTS(3, 3),
     .takes = "t",
     .prepare = regexp_replace_prepare,
     .release = pattern_release,
     .sentence = "Each match becomes the replacement, in which $1, ${1}, ${name} and $0 are what was matched, $$ a dollar sign.",
     .example = "regexp_replace('31.01.2024', '(\\d+)\\.(\\d+)\\.(\\d+)', '$3-$2-$1')",
     .result = "2024-01-31"},
    {0},
};
