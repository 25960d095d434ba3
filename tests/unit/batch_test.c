/* batch_test.c: rows, fields, failing, dropping, keeping, expanding, and that the counts always add up. */
#include "batch/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static unsigned released;

static void count_released(void **handles, uint32_t count)
{
    (void)handles;
    released += count;
}

static struct batch *four_messages(void)
{
    struct batch *batch = batch_new(16 << 20);

    batch->partition = 3;
    batch->release = count_released;
    for (int i = 0; i < 4; i++) {
        struct message message = {.key = i == 1 ? STR_NONE : STR("k"), .value = STR("value"), .offset = 100 + 2 * i,
                                  .timestamp_ms = 7};

        batch_add_message(batch, &message, NULL);
    }
    assert_true(batch_begin(batch, 1u << BUILTIN_KEY | 1u << BUILTIN_OFFSET));
    batch->stage = "s";
    return batch;
}

static struct column *numbers(struct batch *batch)
{
    struct column *column = column_try_new(&batch->arena, TYPE_OF(TYPE_BIGINT), batch->row_count, false);

    for (uint32_t i = 0; i < batch->row_count; i++)
        column->bigint[i] = i;
    return column;
}

static void source_fields_are_made_when_asked_for(void **state)
{
    struct batch *batch = four_messages();
    struct field *field = batch_field(batch, STR("__offset__"));

    (void)state;
    assert_int_equal(batch->offset_first, 100);
    assert_int_equal(batch->offset_next, 107);
    assert_int_equal(batch->bytes, 4 * 5 + 3);
    assert_int_equal(batch->field_count, 2);
    assert_null(batch_field(batch, STR("__value__")));
    assert_null(field->column);
    assert_int_equal(batch_column(batch, field)->bigint[3], 106);
    assert_true(column_is_null(batch_column(batch, batch_field(batch, STR("__key__"))), 1));
    assert_false(column_is_null(batch_column(batch, batch_field(batch, STR("__key__"))), 2));
    released = 0;
    batch_clear(batch);
    assert_int_equal(released, 4);
    batch_free(batch);
    assert_int_equal(released, 4);
}

static unsigned asked;

/* Of every second record. */
static void print_headers(void *handle, struct buffer *text)
{
    if (asked++ % 2)
        buffer_append_str(text, str_of(handle));
}

static void headers_are_read_for_whoever_asks(void **state)
{
    struct batch *batch = batch_new(16 << 20);
    const struct column *column;
    static const uint32_t source[] = {0, 1, 1, 2, 3};

    (void)state;
    batch->print_headers = print_headers;
    for (int i = 0; i < 4; i++) {
        struct message message = {.value = STR("value"), .offset = i};
        char handle[] = "[[\"n\",\"1\"]]";

        batch_add_message(batch, &message, xstrdup(handle));
    }
    assert_true(batch_begin(batch, 1u << BUILTIN_HEADERS | 1u << BUILTIN_VALUE));
    assert_non_null(batch_column(batch, batch_field(batch, STR("__value__"))));
    assert_true(batch_expand(batch, source, 5));
    assert_int_equal(asked, 0);
    column = batch_column(batch, batch_field(batch, STR("__headers__")));
    assert_int_equal(asked, 4); /* once a record, however many rows it has */
    for (uint32_t row = 0; row < 5; row++) {
        assert_int_equal(column_is_null(column, row), source[row] % 2 == 0);
        if (source[row] % 2)
            assert_true(str_is(column->text[row], "[[\"n\",\"1\"]]"));
    }
    for (int i = 0; i < 4; i++)
        free(batch->handles[i]);
    batch_free(batch);
}

static void fields_are_set_replaced_and_removed(void **state)
{
    struct batch *batch = four_messages();
    char name[8] = "n";

    (void)state;
    assert_true(batch_set(batch, str_of(name), numbers(batch)));
    name[0] = 'x'; /* the name was copied */
    assert_non_null(batch_field(batch, STR("n")));
    assert_true(batch_set(batch, STR("__key__"), numbers(batch)));
    assert_int_equal(batch->field_count, 3);
    assert_int_equal(batch_field(batch, STR("__key__"))->builtin, -1);
    assert_true(batch_remove(batch, STR("__key__")));
    assert_false(batch_remove(batch, STR("__key__")));
    assert_int_equal(batch->field_count, 2);
    assert_true(str_is(batch->fields[1].name, "n"));
    while (batch->field_count < BATCH_FIELDS_MAX) {
        snprintf(name, sizeof(name), "f%u", batch->field_count);
        assert_true(batch_set(batch, str_of(name), batch->fields[1].column));
    }
    assert_false(batch_set(batch, STR("one more"), batch->fields[1].column));
    batch_free(batch);
}

static void a_row_leaves_once(void **state)
{
    struct batch *batch = four_messages();

    (void)state;
    batch_fail(batch, 1, STR("c"), "bad value: %d", 5);
    batch_fail(batch, 1, STR("c"), "again");
    batch_drop(batch, 1);
    batch_drop(batch, 3);
    batch_dirty(batch, 3, STR_NONE, STR("late"));
    assert_true(batch_row_gone(batch, 1));
    assert_false(batch_row_gone(batch, 0));
    batch_sweep(batch);
    assert_int_equal(batch->selected, 2);
    assert_int_equal(batch->selection[0], 0);
    assert_int_equal(batch->selection[1], 2);
    assert_int_equal(batch->dirty_count, 1);
    assert_int_equal(batch->filtered_count, 1);
    assert_true(str_is(batch->dirty->reason, "bad value: 5"));
    assert_true(str_is(batch->dirty->column, "c"));
    assert_string_equal(batch->dirty->stage, "s");
    assert_null(batch->dirty->next);
    batch_fail(batch, 2, STR_NONE, "second");
    batch_sweep(batch);
    assert_int_equal(batch->selected, 1);
    assert_true(str_is(batch->dirty->next->reason, "second"));
    batch_free(batch);
}

static void when_error_says_what_becomes_of_a_row(void **state)
{
    struct batch *batch = four_messages();

    (void)state;
    batch->when_error = WHEN_ERROR_DROP;
    batch_fail(batch, 0, STR_NONE, "x");
    assert_int_equal(batch->filtered_count, 1);
    assert_int_equal(batch->dirty_count, 0);
    batch->when_error = WHEN_ERROR_STOP;
    batch_fail(batch, 1, STR("price"), "why");
    batch_fail(batch, 2, STR("price"), "other");
    assert_true(batch->stopped);
    assert_string_equal(batch->stop_error.text, "partition 3 offset 102: column price: why");
    batch_free(batch);
}

static void keep_filters_by_a_mask(void **state)
{
    struct batch *batch = four_messages();
    struct column *mask = column_try_new(&batch->arena, TYPE_OF(TYPE_BOOLEAN), 4, true);
    struct error error;

    (void)state;
    memset(mask->boolean, 1, 4);
    mask->boolean[0] = 0;
    mask->null[2] = 1;
    batch_fail(batch, 1, STR_NONE, "gone before");
    assert_true(batch_keep(batch, mask, &error));
    assert_int_equal(batch->selected, 1);
    assert_int_equal(batch->selection[0], 3);
    assert_int_equal(batch->filtered_count, 2);
    assert_int_equal(batch->selected + batch->filtered_count + batch->dirty_count, 4);
    assert_false(batch_keep(batch, numbers(batch), &error));
    assert_int_equal(error.kind, ERROR_SCRIPT);
    batch_free(batch);
}

static void expansion_keeps_identities_and_counts(void **state)
{
    static const uint32_t source[] = {0, 0, 3}, again[] = {0, 1, 1, 2};
    struct batch *batch = four_messages();

    (void)state;
    assert_true(batch_set(batch, STR("n"), numbers(batch)));
    batch_fail(batch, 1, STR_NONE, "dirty before"); /* row 2 is named by nobody: filtered */
    assert_true(batch_expand(batch, source, 3));
    assert_int_equal(batch->row_count, 3);
    assert_int_equal(batch->selected, 3);
    assert_int_equal(batch->filtered_count, 1);
    assert_int_equal(batch->expanded_count, 1);
    assert_int_equal(batch_field(batch, STR("n"))->column->bigint[2], 3);
    assert_int_equal(batch_message(batch, 2)->offset, 106);
    assert_int_equal(batch_column(batch, batch_field(batch, STR("__offset__")))->bigint[1], 100);
    assert_int_equal(batch->row_index[0], 0);
    assert_int_equal(batch->row_index[1], 1);
    assert_int_equal(batch->row_index[2], 0);
    /* A second expansion gives indexes that the record's rows never had. */
    assert_true(batch_expand(batch, again, 4));
    assert_int_equal(batch->expanded_count, 2);
    assert_int_equal(batch->row_index[0], 2);
    assert_int_equal(batch->row_index[2], 4);
    batch_fail(batch, 3, STR_NONE, "dirty behind");
    assert_int_equal(batch->dirty->next->message, 3);
    batch_sweep(batch);
    assert_int_equal(4 + batch->expanded_count, batch->selected + batch->filtered_count + batch->dirty_count);
    assert_true(batch_expand(batch, source, 0));
    assert_int_equal(batch->selected, 0);
    assert_int_equal(4 + batch->expanded_count, batch->filtered_count + batch->dirty_count);
    batch_free(batch);
}

static struct field *field_add(struct batch *batch, const char *name)
{
    struct column *column = column_try_new(&batch->arena, TYPE_OF(TYPE_STRING), batch->row_count, true);

    assert_true(column && batch_set(batch, str_of(name), column));
    return batch_field(batch, str_of(name));
}

/* What became of fields is remembered over a batch without messages, which is for finding mistakes. */
static void missing_fields_have_a_history(void **state)
{
    static const struct {
        const char *name, *said;
    } cases[] = {
        {"amuont", "; did you mean \"amount\"?"},
        {"zzzzzz", ""},
        {"a", "; stage one has renamed it to \"b\", which is \"c\" now"},
        {"b", "; this stage has renamed it to \"c\""},
        {"d", "; this stage has taken it away"},
        {"e", "; stage one has renamed it to \"f\""},
        {"gone", "; this stage has taken it away"},
        {"__key__", "; source.fields leaves it out"},
        {"__value__", "; this stage has taken it away"},
    };
    struct batch *batch = batch_new(4 << 20);
    struct message message = {.value = STR("v")};
    char text[FIELD_SUGGESTION_MAX];
    uint32_t kept[3];

    (void)state;
    assert_true(batch_begin(batch, 1u << BUILTIN_VALUE));
    batch->stage = "one";
    assert_true(batch_rename(batch, field_add(batch, "a"), STR("b")));
    assert_true(batch_rename(batch, field_add(batch, "e"), STR("f")));
    batch->stage = "two";
    assert_true(batch_rename(batch, batch_field(batch, STR("b")), STR("c")));
    field_add(batch, "d");
    assert_true(batch_remove(batch, STR("d")));
    field_add(batch, "gone");
    field_add(batch, "amount");
    kept[0] = (uint32_t)(batch_field(batch, STR("c")) - batch->fields);
    kept[1] = (uint32_t)(batch_field(batch, STR("f")) - batch->fields);
    kept[2] = (uint32_t)(batch_field(batch, STR("amount")) - batch->fields);
    assert_true(batch_select(batch, kept, 3));
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(batch_field_suggest(batch, str_of(cases[i].name), text), cases[i].said);

    /* Not over rows: it would cost each batch something. */
    batch_clear(batch);
    batch_add_message(batch, &message, NULL);
    assert_true(batch_begin(batch, 0));
    batch->stage = "one";
    field_add(batch, "amount");
    assert_true(batch_remove(batch, STR("amount")));
    assert_null(batch->fields_gone);
    assert_string_equal(batch_field_suggest(batch, STR("amount"), text), "");
    batch_free(batch);
}

static void a_full_arena_is_told(void **state)
{
    struct batch *batch = batch_new(1000);
    struct message message = {.value = STR("v")};

    (void)state;
    batch_add_message(batch, &message, NULL);
    assert_false(batch_begin(batch, 0));
    batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(source_fields_are_made_when_asked_for),
        cmocka_unit_test(headers_are_read_for_whoever_asks),
        cmocka_unit_test(fields_are_set_replaced_and_removed),
        cmocka_unit_test(a_row_leaves_once),
        cmocka_unit_test(when_error_says_what_becomes_of_a_row),
        cmocka_unit_test(keep_filters_by_a_mask),
        cmocka_unit_test(expansion_keeps_identities_and_counts),
        cmocka_unit_test(missing_fields_have_a_history),
        cmocka_unit_test(a_full_arena_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
