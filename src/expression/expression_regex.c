/* expression_regex.c: PCRE2. The JIT is used where the machine has one; without it the interpreter does the same more slowly.
 * Cost: a call of the matcher a row; texts known to be UTF-8 are not checked again. */
#include "expression/expression_regex.h"

#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* Steps of one match, some milliseconds at most. */
enum { MATCH_LIMIT = 1000000, DEPTH_LIMIT = 1000, HEAP_KIB = 4096 };

struct expression_regex {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
};

bool expression_regex_new(struct expression_regex **regex_out, struct str pattern, size_t *offset_out, struct error *error)
{
    struct expression_regex *regex = xcalloc(1, sizeof(*regex));
    int number;

    regex->code =
        pcre2_compile((PCRE2_SPTR)pattern.data, pattern.size, PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &number, offset_out, NULL);
    if (!regex->code) {
        char text[160] = "";

        pcre2_get_error_message(number, (PCRE2_UCHAR *)text, sizeof(text));
        free(regex);
        return error_set(error, ERROR_CONFIG, "the regular expression is wrong at character %zu of it: %s", *offset_out + 1,
                         text);
    }
    pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE); /* refused: the interpreter matches */
    regex->data = pcre2_match_data_create_from_pattern(regex->code, NULL);
    regex->context = pcre2_match_context_create(NULL);
    if (!regex->data || !regex->context)
        stop_out_of_memory("a regular expression");
    pcre2_set_match_limit(regex->context, MATCH_LIMIT);
    pcre2_set_depth_limit(regex->context, DEPTH_LIMIT);
    pcre2_set_heap_limit(regex->context, HEAP_KIB);
    *regex_out = regex;
    return true;
}

void expression_regex_free(struct expression_regex *regex)
{
    if (!regex)
        return;
    pcre2_match_context_free(regex->context);
    pcre2_match_data_free(regex->data);
    pcre2_code_free(regex->code);
    free(regex);
}

/* Why there is no answer, or NULL. */
static const char *match(struct expression_regex *regex, struct str text, bool utf8, bool *found)
{
    int result;

    if (!utf8 && !str_is_utf8(text))
        return "the text is not UTF-8";
    result = pcre2_match(regex->code, (PCRE2_SPTR)text.data, text.size, 0, PCRE2_NO_UTF_CHECK, regex->data, regex->context);
    *found = result >= 0;
    if (result >= 0 || result == PCRE2_ERROR_NOMATCH)
        return NULL;
    return "the regular expression needs more steps on this text than it may take; make it simpler";
}

bool expression_regex_run(struct expression_regex *regex, struct batch *batch, struct operand text, struct str what,
                          struct column **column_out, struct error *error)
{
    struct column *column = operand_result(batch, TYPE_OF(TYPE_BOOLEAN), text, text);
    uint32_t mask = operand_mask(text);

    if (!column)
        return operand_out_of_memory(batch, error);
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        bool found = false;
        const char *why;

        if (column_is_null(column, row) || operand_kind(text) == TYPE_NULL)
            continue;
        why = match(regex, text.column->text[row & mask], text.column->utf8, &found);
        column->boolean[row] = found;
        if (UNLIKELY(why) && !operand_fail(batch, column, row, what, why))
            return operand_out_of_memory(batch, error);
    }
    batch_sweep(batch);
    *column_out = column;
    return true;
}
