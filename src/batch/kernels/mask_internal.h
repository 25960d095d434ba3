/* mask_internal.h: what the families of masks share. mask.c owns the loop over rows of texts, mask_text.c and mask_preset.c say
 * what becomes of one; mask_number.c has loops of its own.
 * Ownership and threads: those of the mask. Errors: MASK_FAILED's reason is the end of a sentence and never holds the value. */
#ifndef LUADUCT_BATCH_KERNELS_MASK_INTERNAL_H
#define LUADUCT_BATCH_KERNELS_MASK_INTERNAL_H

#include "batch/kernels/hash.h"
#include "batch/kernels/mask.h"
#include "batch/kernels/pseudonym.h"

/* What a text becomes is written from left to right. `end` is far enough: room is made for the text with every byte of it
 * covered, and MASK_EXTRA bytes. */
enum { MASK_EXTRA = 128 };
struct mask_writer {
    char *start, *at;
    struct str with;
    size_t covered; /* characters */
};

static inline void write_shown(struct mask_writer *writer, const char *data, size_t size)
{
    memcpy(writer->at, data, size);
    writer->at += size;
}

static inline void write_covered(struct mask_writer *writer, size_t count)
{
    writer->covered += count;
    if (writer->with.size == 1) {
        memset(writer->at, writer->with.data[0], count);
        writer->at += count;
        return;
    }
    for (; count; count--)
        write_shown(writer, writer->with.data, writer->with.size);
}

struct mask_bound {
    int128 value;
    unsigned scale;
    bool open;
};

struct mask_range {
    struct mask_bound low, high;
    union type_value value;
};

struct mask {
    enum mask_rule rule;
    bool keep_empty;
    bool with_given;
    struct str with;
    size_t before, after;
    struct mask_segment *segments;
    size_t segment_count;
    size_t position, length;
    bool random;
    uint64_t random_state;
    struct hasher *hasher;
    struct pseudonym *pseudonym;
    struct mask_range *ranges;
    size_t range_count;
    bool otherwise_given;
    union type_value otherwise;
    enum type_kind value_kind;
    int digits;
    const struct zone *zone;
};

/* One text, UTF-8 and not empty, into the writer. ascii: all of it is. False: the writer's text is not to be used, *reason_out
 * says why. */
typedef bool mask_text_function(struct mask *mask, struct str text, bool ascii, struct mask_writer *writer,
                                const char **reason_out);
mask_text_function mask_cover, mask_segments, mask_replace_chars, mask_pseudonym_text;
/* False without a reason: the text does not look like that. */
mask_text_function mask_phone, mask_email, mask_id_card, mask_bank_card, mask_name, mask_ip, mask_mac, mask_car_plate,
    mask_address, mask_gps;

/* Fails the row, or makes it NULL in the new column, which has null bytes. */
void mask_fail(struct batch *batch, struct column *out, uint32_t row, struct str name, const char *reason);

/* mask_number.c */
bool mask_intervals_set(struct mask *mask, const struct mask_options *options, char option[MASK_OPTION_MAX],
                        struct error *error) MUST_USE;
bool mask_interval_run(struct mask *mask, struct batch *batch, const struct column *column, struct str name,
                       struct column **column_out, struct error *error) MUST_USE;
bool mask_round_run(struct mask *mask, struct batch *batch, const struct column *column, struct str name, const char *rule,
                    int digits, struct column **column_out, struct error *error) MUST_USE;

#endif
