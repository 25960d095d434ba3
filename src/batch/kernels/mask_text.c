/* mask_text.c: cover, segments, replace_chars and pseudonym of one text. ASCII texts go by bytes, others character by
 * character. */
#include "batch/kernels/characters.h"
#include "batch/kernels/mask_internal.h"

/* Both ends shown, or nothing when they would meet. */
bool mask_cover(struct mask *mask, struct str text, bool ascii, struct mask_writer *writer, const char **reason_out)
{
    size_t before = mask->before, after = mask->after;
    size_t count = ascii ? text.size : character_count(text), head, middle;

    (void)reason_out;
    if (before >= count || after >= count - before)
        before = after = 0;
    head = ascii ? before : characters_size(text, before);
    middle = count - before - after;
    write_shown(writer, text.data, head);
    write_covered(writer, middle);
    if (after) {
        size_t tail = head + (ascii ? middle : characters_size(str_make(text.data + head, text.size - head), middle));

        write_shown(writer, text.data + tail, text.size - tail);
    }
    return true;
}

/* What no segment reaches is covered. */
bool mask_segments(struct mask *mask, struct str text, bool ascii, struct mask_writer *writer, const char **reason_out)
{
    struct str rest = text;

    (void)reason_out;
    for (size_t i = 0; i <= mask->segment_count && rest.size; i++) {
        bool reached = i < mask->segment_count;
        size_t wanted = reached && mask->segments[i].count ? mask->segments[i].count : SIZE_MAX;
        size_t size = ascii ? size_min(wanted, rest.size) : characters_size(rest, wanted);

        if (reached && mask->segments[i].show)
            write_shown(writer, rest.data, size);
        else
            write_covered(writer, ascii ? size : character_count(str_make(rest.data, size)));
        rest = str_make(rest.data + size, rest.size - size);
    }
    return true;
}

/* SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014). The digits say nothing of the ones
 * that they replace, so nothing hangs on how hard they are to foretell. */
static uint64_t random_next(struct mask *mask)
{
    uint64_t z = mask->random_state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static unsigned random_below(struct mask *mask, unsigned limit)
{
    return (unsigned)((random_next(mask) >> 32) * limit >> 32);
}

/* Every character of the stretch becomes a digit; if chance gave the old ones, the last is another. */
static void write_random(struct mask *mask, struct str stretch, bool ascii, struct mask_writer *writer)
{
    size_t count = ascii ? stretch.size : character_count(stretch);
    char *digits = writer->at;

    for (size_t i = 0; i < count; i++)
        *writer->at++ = (char)('0' + random_below(mask, 10));
    if (str_equal(str_make(digits, count), stretch))
        digits[count - 1] = (char)('0' + (unsigned)(digits[count - 1] - '0' + 1 + (int)random_below(mask, 9)) % 10);
}

bool mask_replace_chars(struct mask *mask, struct str text, bool ascii, struct mask_writer *writer, const char **reason_out)
{
    size_t head = ascii ? size_min(mask->position - 1, text.size) : characters_size(text, mask->position - 1), size;
    struct str rest;

    (void)reason_out;
    if (head == text.size)
        head = 0; /* nothing stands at the position, so all of it goes */
    rest = str_make(text.data + head, text.size - head);
    size = head == 0 && mask->position > 1 ? rest.size
           : ascii                         ? size_min(mask->length, rest.size)
                                           : characters_size(rest, mask->length);
    write_shown(writer, text.data, head);
    if (mask->random)
        write_random(mask, str_make(rest.data, size), ascii, writer);
    else
        write_shown(writer, mask->with.data, mask->with.size);
    write_shown(writer, rest.data + size, rest.size - size);
    return true;
}

bool mask_pseudonym_text(struct mask *mask, struct str text, bool ascii, struct mask_writer *writer, const char **reason_out)
{
    (void)ascii;
    switch (pseudonym_text(mask->pseudonym, text, writer->at)) {
    case PSEUDONYM_OK:
        writer->at += text.size;
        return true;
    case PSEUDONYM_FOREIGN:
        *reason_out = "the text has a letter or number of a script that pseudonym does not replace; use hash or cover";
        return false;
    case PSEUDONYM_NOTHING:
        *reason_out = "the text has neither letters nor digits, so pseudonym has nothing to replace; use hash or cover";
        return false;
    case PSEUDONYM_LONG:
        *reason_out = "the text is longer than the 1 MiB that pseudonym takes; use hash or cover";
        return false;
    }
    return false;
}
