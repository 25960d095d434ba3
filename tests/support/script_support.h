/* script_support.h: what the tests of Lua stages share: a state, a stage from text, a batch of five rows.
 *   id bigint 1..5 · amount decimal(10,2) 50.00 150.00 450.00 850.00 NULL · flag boolean true (row 2: false)
 *   city string Shanghai Beijing "" NULL Wuhan · ratio double 0.5 1.5 2.5 3.5 4.5 */
#ifndef LUADUCT_TESTS_SCRIPT_SUPPORT_H
#define LUADUCT_TESTS_SCRIPT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "script/script.h"

struct stage_bed {
    struct log *log;
    struct script_state *state;
    struct batch *batch;
    char path[64];
    struct error error;
};

static inline void bed_init(struct stage_bed *bed, size_t memory_max, int64_t instructions_max)
{
    struct script_limits limits = {memory_max, instructions_max};
    int file;

    memset(bed, 0, sizeof(*bed));
    bed->log = log_new(NULL, "test");
    bed->state = script_state_new(&limits, bed->log);
    bed->batch = batch_new(64 << 20);
    snprintf(bed->path, sizeof(bed->path), "/tmp/stage_XXXXXX.lua");
    file = mkstemps(bed->path, 4);
    assert_true(file >= 0);
    close(file);
}

static inline void bed_release(struct stage_bed *bed)
{
    script_state_free(bed->state);
    batch_free(bed->batch);
    log_free(bed->log);
    unlink(bed->path);
}

static inline struct script_module *bed_try_open(struct stage_bed *bed, const char *text)
{
    struct script_source source = {.stage = "s", .path = bed->path};
    struct script_module *module = NULL;
    FILE *file = fopen(bed->path, "wb");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    bed->error.text[0] = '\0';
    return script_module_open(bed->state, &source, &module, &bed->error) ? module : NULL;
}

static inline struct script_module *bed_open(struct stage_bed *bed, const char *text)
{
    struct script_module *module = bed_try_open(bed, text);

    if (!module)
        fail_msg("%s", bed->error.text);
    return module;
}

static inline struct column *bed_column(struct stage_bed *bed, const char *name, struct type type)
{
    struct column *column = column_try_new(&bed->batch->arena, type, bed->batch->row_count, true);

    assert_non_null(column);
    assert_true(batch_set(bed->batch, str_of(name), column));
    return column;
}

static inline void bed_fill(struct stage_bed *bed)
{
    static const char *const cities[] = {"Shanghai", "Beijing", "", NULL, "Wuhan"};
    static const int cents[] = {5000, 15000, 45000, 85000, 0};
    struct batch *batch = bed->batch;
    struct column *id, *amount, *flag, *city, *ratio;

    batch_clear(batch);
    for (int i = 0; i < 5; i++) {
        struct message message = {.value = STR("{}"), .key = STR("acme:1"), .offset = 100 + i};

        batch_add_message(batch, &message, NULL);
    }
    assert_true(batch_begin(batch, (1u << BUILTIN_COUNT) - 1));
    batch->stage = "s";
    id = bed_column(bed, "id", TYPE_OF(TYPE_BIGINT));
    amount = bed_column(bed, "amount", type_decimal(10, 2));
    flag = bed_column(bed, "flag", TYPE_OF(TYPE_BOOLEAN));
    city = bed_column(bed, "city", TYPE_OF(TYPE_STRING));
    ratio = bed_column(bed, "ratio", TYPE_OF(TYPE_DOUBLE));
    for (int i = 0; i < 5; i++) {
        id->bigint[i] = i + 1;
        amount->decimal[i] = cents[i];
        amount->null[i] = i == 4;
        flag->boolean[i] = i != 1;
        city->text[i] = str_of(cities[i]);
        city->null[i] = !cities[i];
        ratio->real[i] = i + 0.5;
    }
}

/* All selected rows of one field, as "a|b|NULL"; decimals unscaled. */
static inline const char *bed_show(struct stage_bed *bed, const char *name, char text[400])
{
    struct field *field = batch_field(bed->batch, str_of(name));
    struct column *column = field ? batch_column(bed->batch, field) : NULL;
    size_t size = 0;

    if (!column)
        return "(no field)";
    text[0] = '\0';
    for (uint32_t i = 0; i < bed->batch->selected && size < 350; i++) {
        uint32_t row = bed->batch->selection[i];

        size += (size_t)snprintf(text + size, 400 - size, "%s", i ? "|" : "");
        if (column_is_null(column, row)) {
            size += (size_t)snprintf(text + size, 400 - size, "NULL");
            continue;
        }
        switch (column->type.kind) {
        case TYPE_BOOLEAN: size += (size_t)snprintf(text + size, 400 - size, "%s", column->boolean[row] ? "true" : "false"); break;
        case TYPE_BIGINT: size += (size_t)snprintf(text + size, 400 - size, "%lld", (long long)column->bigint[row]); break;
        case TYPE_DOUBLE: size += (size_t)snprintf(text + size, 400 - size, "%g", column->real[row]); break;
        case TYPE_DECIMAL: size += (size_t)snprintf(text + size, 400 - size, "%lld", (long long)column->decimal[row]); break;
        case TYPE_STRING:
        case TYPE_BINARY:
        case TYPE_JSON: size += (size_t)snprintf(text + size, 400 - size, "%.*s", STR_ARG(column->text[row])); break;
        case TYPE_DATE: size += (size_t)snprintf(text + size, 400 - size, "%d", column->date[row]); break;
        default:
            size += (size_t)snprintf(text + size, 400 - size, "%lld.%09d", (long long)column->instant[row].seconds,
                                     column->instant[row].nanos);
            break;
        }
    }
    return text;
}

/* Every message is written, filtered or dirty, never two of them. */
static inline void bed_check_counts(struct stage_bed *bed)
{
    assert_int_equal(bed->batch->selected + bed->batch->filtered_count + bed->batch->dirty_count,
                     bed->batch->message_count + bed->batch->expanded_count);
}

#endif
