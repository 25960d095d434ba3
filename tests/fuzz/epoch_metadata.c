/* epoch_metadata.c: any text as the record that is stored beside an offset.
 * Input: the record without its checksum, which the harness appends, for no mutation passes it. What is read is printed: that
 * must be read as the same position again, and print as the same text; what fits one owner is refused to another. */
#include "fuzz.h"

#include "pipeline/position.h"
#include "util/crc32c.h"

#include <inttypes.h>

static const struct position_owner owner = {"job a", "cluster", "topic", "p.s.t", "id-1"};
static const struct position_owner other = {"another", "cluster", "topic", "p.s.t", "id-1"};

static bool same_counts(const struct counts *a, const struct counts *b)
{
    return a->read == b->read && a->written == b->written && a->filtered == b->filtered && a->dirty == b->dirty &&
           a->expanded == b->expanded;
}

static void claim_same(const struct position *a, const struct position *b)
{
    FUZZ_CLAIM(same_counts(&a->ledger, &b->ledger) && a->prepared == b->prepared, "the ledger changed");
    FUZZ_CLAIM(strcmp(a->epoch, b->epoch) == 0 && strcmp(a->by, b->by) == 0 && a->at_ms == b->at_ms, "the epoch changed");
    FUZZ_CLAIM(same_counts(&a->counts, &b->counts), "the counts changed");
    FUZZ_CLAIM(a->cover_count == b->cover_count && a->session_count == b->session_count, "there are more or fewer");
    for (size_t i = 0; i < a->cover_count; i++)
        FUZZ_CLAIM(a->covers[i].partition == b->covers[i].partition && a->covers[i].base == b->covers[i].base &&
                       a->covers[i].next == b->covers[i].next,
                   "cover %zu changed", i);
    for (size_t i = 0; i < a->session_count; i++)
        FUZZ_CLAIM(strcmp(a->sessions[i].spec, b->sessions[i].spec) == 0 && strcmp(a->sessions[i].id, b->sessions[i].id) == 0 &&
                       a->sessions[i].blocks == b->sessions[i].blocks && a->sessions[i].rows == b->sessions[i].rows,
                   "session %zu changed", i);
}

static void check_position(const struct position *position)
{
    struct buffer texts[2];
    struct position again;
    struct error error;

    FUZZ_CLAIM(position->prepared || (!position->cover_count && !position->session_count), "an idle record with an epoch");
    buffer_init(&texts[0], 0);
    buffer_init(&texts[1], 0);
    position_print(&owner, position, &texts[0]);
    FUZZ_CLAIM(position_parse(buffer_str(&texts[0]), &owner, &again, &error) == POSITION_OURS, "%s", buffer_text(&texts[0]));
    claim_same(position, &again);
    position_print(&owner, &again, &texts[1]);
    FUZZ_CLAIM(str_equal(buffer_str(&texts[0]), buffer_str(&texts[1])), "%s\nprints as\n%s", buffer_text(&texts[0]),
               buffer_text(&texts[1]));
    position_release(&again);
    FUZZ_CLAIM(position_parse(buffer_str(&texts[0]), &other, &again, &error) == POSITION_FOREIGN, "%s", buffer_text(&texts[0]));
    fuzz_claim_line("the error", error.text);
    buffer_release(&texts[0]);
    buffer_release(&texts[1]);
}

static void parse(struct str text)
{
    struct str copy = fuzz_copy(text);
    struct position position;
    struct error error = {0};

    for (int i = 0; i < 2; i++) {
        enum position_status status = position_parse(copy, i ? NULL : &owner, &position, &error);

        if (status == POSITION_OURS)
            check_position(&position);
        else
            FUZZ_CLAIM(!position.covers && !position.sessions, "something was made for a record that is not ours");
        if (status == POSITION_FOREIGN || status == POSITION_UNKNOWN)
            fuzz_claim_line("the error", error.text);
        FUZZ_CLAIM(!i || status != POSITION_FOREIGN, "foreign to nobody");
        position_release(&position);
    }
    free((char *)copy.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer text;

    buffer_init(&text, 0);
    buffer_append(&text, data, size);
    parse(buffer_str(&text));
    buffer_print(&text, " crc=%08" PRIx32, crc32c(0, text.data, text.size));
    parse(buffer_str(&text));
    buffer_release(&text);
    return 0;
}
