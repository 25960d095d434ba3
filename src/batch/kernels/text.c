/* text.c: the loop under the text kernels, and steps through UTF-8. */
#include "batch/kernels/text_internal.h"

const char text_no_room[] = "no room";
const char text_too_long[] = "the result would be larger than 8 MiB";
const char text_not_utf8[] = "the text is not valid UTF-8";

/* An operand as values and nulls, absent ones too. */
struct source {
    const void *values;
    const uint8_t *nulls;
    uint32_t value_mask, null_mask;
    bool check; /* for UTF-8 */
};

static void source_init(struct source *source, struct operand operand, const void *absent)
{
    static const uint8_t none = 0;

    *source = (struct source){absent, &none, 0, 0, false};
    if (!operand.column)
        return;
    source->nulls = operand_nulls(operand, &source->null_mask);
    if (operand_kind(operand) != TYPE_NULL) {
        source->values = operand.column->data;
        source->value_mask = operand_mask(operand);
    }
}

bool text_is_known_utf8(struct operand operand)
{
    if (!operand.column || operand_kind(operand) == TYPE_NULL || operand.column->utf8)
        return true;
    return operand.constant && !column_is_null(operand.column, 0) && str_is_utf8(operand.column->text[0]);
}

bool text_refuse(struct str what, struct operand operand, const char *wanted, struct error *error)
{
    char name[TYPE_NAME_MAX];

    return error_set(error, ERROR_SCRIPT, "%.*s: %s is wanted, this one is %s; cast it first", STR_ARG(what), wanted,
                     type_print(operand.column->type, name));
}

static bool fail(struct batch *batch, const struct text_call *call, struct column *column, uint32_t row, const char *why)
{
    if (why == text_no_room)
        return false;
    if (!call->field.data || batch->when_error == WHEN_ERROR_NULL)
        return operand_fail(batch, column, row, call->what, why);
    batch_fail(batch, row, call->field, "%s", why);
    return true;
}

bool text_run(struct batch *batch, const struct text_call *call, struct column **column_out, struct error *error)
{
    static const struct str absent;
    struct source texts[TEXT_TEXTS_MAX], numbers[TEXT_NUMBERS_MAX];
    struct text_row row = {.arena = &batch->arena, .with = call->with};
    struct column *column;
    bool nullable = false, utf8 = true, nothing = false, check = false;
    size_t text_operands = 0, number_operands = 0; /* up to the last one that is there */

    for (size_t k = 0; k < TEXT_TEXTS_MAX; k++) {
        struct operand operand = call->texts[k];

        source_init(&texts[k], operand, &absent);
        if (!operand.column)
            continue;
        text_operands = k + 1;
        if (!type_is_text(operand_kind(operand)) && operand_kind(operand) != TYPE_NULL)
            return text_refuse(call->what, operand, "a text", error);
        nullable |= operand_may_be_null(operand);
        nothing |= operand_kind(operand) == TYPE_NULL;
        texts[k].check = call->characters && !text_is_known_utf8(operand);
        check |= texts[k].check;
        utf8 &= call->characters || text_is_known_utf8(operand);
    }
    for (size_t k = 0; k < TEXT_NUMBERS_MAX; k++) {
        struct operand operand = call->numbers[k];

        source_init(&numbers[k], operand, &call->number_defaults[k]);
        row.number[k] = call->number_defaults[k];
        if (!operand.column)
            continue;
        number_operands = k + 1;
        if (operand_kind(operand) != TYPE_BIGINT && operand_kind(operand) != TYPE_NULL)
            return text_refuse(call->what, operand, "a bigint", error);
        nullable |= operand_may_be_null(operand);
        nothing |= operand_kind(operand) == TYPE_NULL;
    }
    column = column_try_new(&batch->arena, TYPE_OF(call->type), batch->row_count, nullable);
    if (!column)
        return operand_out_of_memory(batch, error);
    column->utf8 = call->type == TYPE_STRING && utf8;
    if (nothing)
        memset(column->null, 1, batch->row_count);
    for (uint32_t i = 0; i < batch->selected && !nothing; i++) {
        uint32_t at = batch->selection[i];
        const char *why = NULL;
        uint8_t null = 0;

        if (nullable) {
            for (size_t k = 0; k < text_operands; k++)
                null |= texts[k].nulls[at & texts[k].null_mask];
            for (size_t k = 0; k < number_operands; k++)
                null |= numbers[k].nulls[at & numbers[k].null_mask];
            column->null[at] = null;
            if (null)
                continue;
        }
        for (size_t k = 0; k < text_operands; k++)
            row.text[k] = ((const struct str *)texts[k].values)[at & texts[k].value_mask];
        for (size_t k = 0; k < number_operands; k++)
            row.number[k] = ((const int64_t *)numbers[k].values)[at & numbers[k].value_mask];
        for (size_t k = 0; check && k < text_operands; k++)
            if (texts[k].check && !str_is_utf8(row.text[k]))
                why = text_not_utf8;
        if (!why)
            why = call->operation(&row);
        if (UNLIKELY(why)) {
            if (!fail(batch, call, column, at, why))
                return operand_out_of_memory(batch, error);
        } else if (UNLIKELY(row.result_null)) {
            if (!column_try_nullable(&batch->arena, column))
                return operand_out_of_memory(batch, error);
            column->null[at] = 1;
        } else if (call->type == TYPE_STRING) {
            column->text[at] = row.result;
        } else if (call->type == TYPE_BIGINT) {
            column->bigint[at] = row.result_number;
        } else {
            column->boolean[at] = row.result_truth;
        }
    }
    batch_sweep(batch);
    *column_out = column;
    return true;
}

const char *text_room(struct text_row *row, size_t size, char **room_out)
{
    if (size > TEXT_RESULT_MAX)
        return text_too_long;
    *room_out = arena_try_alloc(row->arena, size);
    row->result = str_make(*room_out, size);
    return *room_out ? NULL : text_no_room;
}

size_t text_encode(uint32_t c, char bytes[4])
{
    if (c < 0x80) {
        bytes[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        bytes[0] = (char)(0xC0 | c >> 6);
        bytes[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        bytes[0] = (char)(0xE0 | c >> 12);
        bytes[1] = (char)(0x80 | (c >> 6 & 0x3F));
        bytes[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    bytes[0] = (char)(0xF0 | c >> 18);
    bytes[1] = (char)(0x80 | (c >> 12 & 0x3F));
    bytes[2] = (char)(0x80 | (c >> 6 & 0x3F));
    bytes[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* How many of the eight bytes begin a character: all but 10xxxxxx. */
static size_t count_starts(const char *bytes)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    word = (~word >> 7 | word >> 6) & ones;
    return (size_t)(word * ones >> 56);
}

size_t text_count(struct str text)
{
    size_t count = 0, i = 0;

    for (; i + 8 <= text.size; i += 8)
        count += count_starts(text.data + i);
    for (; i < text.size; i++)
        count += !text_is_inner(text.data[i]);
    return count;
}

const char *text_skip(const char *from, const char *end, uint64_t count)
{
    while (end - from >= 8) {
        size_t starts = count_starts(from);

        if (starts > count)
            break;
        count -= starts;
        from += 8;
    }
    for (; from < end; from++)
        if (!text_is_inner(*from) && count-- == 0)
            break;
    return from;
}

const char *text_skip_back(const char *start, const char *end, uint64_t count)
{
    while (count && end - start >= 8) {
        size_t starts = count_starts(end - 8);

        if (starts >= count)
            break;
        count -= starts;
        end -= 8;
    }
    while (count && end > start)
        count -= !text_is_inner(*--end);
    return end;
}
