/* mask.c: the making of masks, and the loop over the texts of a column.
 * Order matters: a new column's rows hold nothing of the old ones until the rule has written them, and a rule that left all of a
 * text to see is overruled here, in one place for all of them. */
#include "batch/kernels/mask_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "batch/convert.h"
#include "batch/kernels/characters.h"
#include "batch/kernels/operand.h"

const char *const mask_rule_names[MASK_RULES] = {
    "cover", "segments", "replace_chars", "hash", "pseudonym", "interval", "round",     "empty",   "phone",
    "email", "id_card",  "bank_card",     "name", "ip",        "mac",      "car_plate", "address", "gps",
};

static mask_text_function *const text_functions[MASK_RULES] = {
    [MASK_COVER] = mask_cover,
    [MASK_SEGMENTS] = mask_segments,
    [MASK_REPLACE_CHARS] = mask_replace_chars,
    [MASK_PSEUDONYM] = mask_pseudonym_text,
    [MASK_PHONE] = mask_phone,
    [MASK_EMAIL] = mask_email,
    [MASK_ID_CARD] = mask_id_card,
    [MASK_BANK_CARD] = mask_bank_card,
    [MASK_NAME] = mask_name,
    [MASK_IP] = mask_ip,
    [MASK_MAC] = mask_mac,
    [MASK_CAR_PLATE] = mask_car_plate,
    [MASK_ADDRESS] = mask_address,
    [MASK_GPS] = mask_gps,
};

/* Of these rules what they leave is what a writer knows to be covered or not. */
static bool rule_covers(enum mask_rule rule)
{
    return rule == MASK_COVER || rule == MASK_SEGMENTS || (rule >= MASK_PHONE && rule != MASK_GPS);
}

static bool option_error(char option[MASK_OPTION_MAX], const char *name, struct error *error, const char *text)
{
    snprintf(option, MASK_OPTION_MAX, "%s", name);
    return error_set(error, ERROR_CONFIG, "%s", text);
}

static bool segments_check(const struct mask_options *options, char option[MASK_OPTION_MAX], struct error *error)
{
    bool hides = false;

    for (size_t i = 0; i < options->segment_count; i++) {
        const struct mask_segment *segment = &options->segments[i];
        bool last = i + 1 == options->segment_count;

        if (segment->count == 0 && !last) {
            snprintf(option, MASK_OPTION_MAX, "segments[%zu]", i + 1);
            return error_set(error, ERROR_CONFIG, "only the last segment can be the rest");
        }
        hides = hides || !segment->show || (last && segment->count);
    }
    return hides || option_error(option, "segments", error, "these segments hide nothing");
}

static bool options_check(const struct mask_options *options, char option[MASK_OPTION_MAX], struct error *error)
{
    bool covers = rule_covers(options->rule) || options->rule == MASK_GPS;

    if (covers && options->with.data && (!options->with.size || options->with.size > MASK_WITH_MAX))
        return option_error(option, "with", error, "one or some characters are wanted, at most 32 bytes");
    if (options->with.data && !str_is_utf8(options->with))
        return option_error(option, "with", error, "the text is not UTF-8");
    switch (options->rule) {
    case MASK_SEGMENTS:
        return segments_check(options, option, error);
    case MASK_REPLACE_CHARS:
        if (!options->position || !options->length)
            return option_error(option, options->position ? "length" : "position", error, "a number from 1 on is wanted");
        return options->random || options->with.data ||
               option_error(option, "with", error, "a text is wanted, or the word random for digits");
    case MASK_EMPTY:
        return !options->with.size || option_error(option, "with", error, "only \"\" is possible here, for empty texts");
    case MASK_ROUND:
        return (options->digits >= -MASK_ROUND_DIGITS_MAX && options->digits <= MASK_ROUND_DIGITS_MAX) ||
               option_error(option, "digits", error, "a number from -38 to 38 is wanted");
    default:
        return true;
    }
}

bool mask_new(struct mask **mask_out, const struct mask_options *options, char option[MASK_OPTION_MAX], struct error *error)
{
    bool ok = false;
    struct mask *mask = xcalloc(1, sizeof(*mask));
    struct str with = options->with.data ? options->with : STR("*");

    option[0] = '\0';
    if (!options_check(options, option, error))
        goto out;
    mask->rule = options->rule;
    mask->keep_empty = options->keep_empty;
    mask->with_given = options->with.data != NULL;
    mask->with = str_make(xstrndup(with.data, with.size), with.size);
    mask->before = options->before;
    mask->after = options->after;
    mask->segments = xcalloc(options->segment_count + 1, sizeof(*mask->segments));
    for (size_t i = 0; i < options->segment_count; i++)
        mask->segments[mask->segment_count++] = options->segments[i];
    mask->position = options->position;
    mask->length = options->length;
    mask->random = options->random;
    mask->random_state = options->seed;
    if (mask->random && !options->seed && getrandom(&mask->random_state, sizeof(mask->random_state), 0) < 0) {
        error_set(error, ERROR_CONFIG, "the system gives no random numbers");
        goto out;
    }
    mask->value_kind = options->value_kind;
    mask->digits = options->digits;
    mask->zone = options->zone;
    if (options->rule == MASK_HASH && !hasher_new(&mask->hasher, options->algorithm, options->salt, error)) {
        snprintf(option, MASK_OPTION_MAX, "algo");
        goto out;
    }
    if (options->rule == MASK_PSEUDONYM && !pseudonym_new(&mask->pseudonym, options->key, error)) {
        snprintf(option, MASK_OPTION_MAX, "domain");
        goto out;
    }
    if (options->rule == MASK_INTERVAL && !mask_intervals_set(mask, options, option, error))
        goto out;
    *mask_out = mask;
    mask = NULL;
    ok = true;
out:
    mask_free(mask);
    return ok;
}

void mask_free(struct mask *mask)
{
    if (!mask)
        return;
    if (mask->value_kind == TYPE_STRING) {
        for (size_t i = 0; i < mask->range_count; i++)
            free((char *)mask->ranges[i].value.text.data);
        if (mask->otherwise_given)
            free((char *)mask->otherwise.text.data);
    }
    free(mask->ranges);
    free((char *)mask->with.data);
    free(mask->segments);
    hasher_free(mask->hasher);
    pseudonym_free(mask->pseudonym);
    free(mask);
}

void mask_fail(struct batch *batch, struct column *out, uint32_t row, struct str name, const char *reason)
{
    memset((char *)out->data + row * type_size(out->type.kind), 0, type_size(out->type.kind));
    if (batch->when_error == WHEN_ERROR_NULL)
        out->null[row] = 1;
    else
        batch_fail(batch, row, name, "%s", reason);
}

static void cover_all(struct str text, bool ascii, struct mask_writer *writer)
{
    writer->at = writer->start;
    write_covered(writer, ascii ? text.size : character_count(text));
}

/* with: the same byte eight times. Stores overlap rather than loop over bytes. */
static inline void fill(char *at, size_t size, uint64_t with)
{
    size_t i = 0;

    if (size >= 8) {
        for (; i + 8 <= size; i += 8)
            memcpy(at + i, &with, 8);
        memcpy(at + size - 8, &with, 8);
    } else if (size >= 4) {
        memcpy(at, &with, 4);
        memcpy(at + size - 4, &with, 4);
    } else if (size) {
        at[0] = at[size / 2] = at[size - 1] = (char)with;
    }
}

/* Rule cover for ASCII texts from eight bytes on, by words, in less than half of the instructions. False: not done. */
static inline bool cover_quickly(const struct mask *mask, struct arena *arena, struct str text, uint64_t with, struct str *out)
{
    size_t before = mask->before, after = mask->after, at = 0;
    char *data;

    if (text.size < 8 || !text_is_ascii(text) || !(data = arena_try_alloc(arena, text.size)))
        return false;
    if (before + after >= text.size)
        before = after = 0;
    for (; at + 8 <= text.size; at += 8)
        memcpy(data + at, text.data + at, 8);
    memcpy(data + text.size - 8, text.data + text.size - 8, 8);
    fill(data + before, text.size - before - after, with);
    *out = str_make(data, text.size);
    return true;
}

/* Whether the row has a new text. */
static bool mask_row(struct mask *mask, struct arena *arena, struct str text, bool utf8, struct str *out, const char **reason_out)
{
    bool ascii = text_is_ascii(text);
    size_t room = text.size;
    struct mask_writer writer;

    *reason_out = NULL;
    if (!ascii && !utf8 && !str_is_utf8(text)) {
        *reason_out = "the text is not UTF-8, so it cannot be masked";
        return false;
    }
    if (mask->rule != MASK_PSEUDONYM && mask->with.size > 1)
        room = mask->rule == MASK_REPLACE_CHARS ? room + mask->with.size : room * mask->with.size;
    writer.start = writer.at = arena_try_alloc(arena, room + (mask->rule >= MASK_PHONE ? MASK_EXTRA : 0));
    writer.with = mask->with;
    writer.covered = 0;
    if (!writer.start)
        return false;
    if (!text_functions[mask->rule](mask, text, ascii, &writer, reason_out)) {
        if (*reason_out)
            return false;
        cover_all(text, ascii, &writer);
    } else if (!writer.covered && rule_covers(mask->rule)) {
        cover_all(text, ascii, &writer);
    }
    *out = str_make(writer.start, (size_t)(writer.at - writer.start));
    return true;
}

static bool rows_run(struct mask *mask, struct batch *batch, const struct column *column, struct str name,
                     struct column **column_out, struct error *error)
{
    bool with_null = column->null || column->type.kind == TYPE_NULL || batch->when_error == WHEN_ERROR_NULL;
    struct column *out = column_try_new(&batch->arena, TYPE_OF(TYPE_STRING), batch->row_count, with_null);
    bool replaces_empty = mask->rule == MASK_REPLACE_CHARS && !mask->random && !mask->keep_empty;
    bool quick = mask->rule == MASK_COVER && mask->with.size == 1;
    uint64_t with = quick ? (unsigned char)mask->with.data[0] * UINT64_C(0x0101010101010101) : 0;

    if (!out)
        return operand_out_of_memory(batch, error);
    out->utf8 = true;
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        const char *reason;

        out->text[row] = STR("");
        if (column_is_null(column, row)) {
            out->null[row] = 1;
        } else if (quick && cover_quickly(mask, &batch->arena, column->text[row], with, &out->text[row])) {
            continue;
        } else if (column->text[row].size == 0) {
            if (replaces_empty)
                out->text[row] = arena_try_copy(&batch->arena, mask->with);
            if (!out->text[row].data)
                return operand_out_of_memory(batch, error);
        } else if (!mask_row(mask, &batch->arena, column->text[row], column->utf8, &out->text[row], &reason)) {
            if (!reason)
                return operand_out_of_memory(batch, error);
            mask_fail(batch, out, row, name, reason);
        }
    }
    *column_out = out;
    return true;
}

/* The column as texts. A value that has no text fails its row here, without being named. */
static bool as_text(struct mask *mask, struct batch *batch, const struct column *column, struct str name,
                    const struct column **text_out, struct error *error)
{
    struct convert convert = {.zone = mask->zone};
    struct column *text;

    *text_out = column;
    if (column->type.kind == TYPE_NULL || type_is_text(column->type.kind) ||
        (column->type.kind == TYPE_BINARY && mask->rule == MASK_HASH))
        return true;
    if (!convert_possible(column->type, TYPE_OF(TYPE_STRING), error)) {
        error->kind = ERROR_CONFIG;
        return error_wrap(error, "field %.*s", STR_ARG(name));
    }
    text = convert_column(&convert, batch, (struct column *)column, TYPE_OF(TYPE_STRING), name, true);
    if (!text)
        return operand_out_of_memory(batch, error);
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];

        if (column_is_null(text, row) && !column_is_null(column, row))
            mask_fail(batch, text, row, name,
                      type_is_instant(column->type.kind) && !mask->zone
                          ? "a time has no text without a time zone; set the job's time_zone"
                          : "the value has no text, so it cannot be masked");
    }
    *text_out = text;
    return true;
}

static bool hash_run(struct mask *mask, struct batch *batch, const struct column *column, struct column **column_out,
                     struct error *error)
{
    struct column *out;

    if (!kernel_hash(mask->hasher, batch, column, &out, error))
        return false;
    for (uint32_t i = 0; mask->keep_empty && i < batch->selected; i++)
        if (!column_is_null(column, batch->selection[i]) && !column->text[batch->selection[i]].size)
            out->text[batch->selection[i]] = STR("");
    *column_out = out;
    return true;
}

static bool empty_run(struct mask *mask, struct batch *batch, const struct column *column, struct column **column_out,
                      struct error *error)
{
    bool text = column->type.kind == TYPE_BINARY || type_is_text(column->type.kind);
    struct type type = mask->with_given ? TYPE_OF(TYPE_STRING) : column->type;
    struct column *out = column_try_new(&batch->arena, type, batch->row_count, true);

    if (!out)
        return operand_out_of_memory(batch, error);
    memset(out->data, 0, batch->row_count * type_size(type.kind));
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch->selection[i];
        bool null = column_is_null(column, row);
        bool kept = mask->keep_empty && text && !null && !column->text[row].size;

        out->null[row] = mask->with_given ? mask->keep_empty && null : !kept;
        if (type.kind == TYPE_STRING || kept)
            out->text[row] = STR("");
    }
    out->utf8 = true;
    *column_out = out;
    return true;
}

bool mask_run(struct mask *mask, struct batch *batch, const struct column *column, struct str name, struct column **column_out,
              struct error *error)
{
    const struct column *text;

    switch (mask->rule) {
    case MASK_INTERVAL:
        return mask_interval_run(mask, batch, column, name, column_out, error);
    case MASK_ROUND:
        return mask_round_run(mask, batch, column, name, "round", mask->digits, column_out, error);
    case MASK_EMPTY:
        return empty_run(mask, batch, column, column_out, error);
    case MASK_GPS:
        if (column->type.kind == TYPE_DOUBLE || column->type.kind == TYPE_DECIMAL || column->type.kind == TYPE_BIGINT)
            return mask_round_run(mask, batch, column, name, "gps", 2, column_out, error);
        break;
    default:
        break;
    }
    if (!as_text(mask, batch, column, name, &text, error))
        return false;
    if (mask->rule == MASK_HASH)
        return hash_run(mask, batch, text, column_out, error);
    return rows_run(mask, batch, text, name, column_out, error);
}
