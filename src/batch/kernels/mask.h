/* mask.h: hides the values of a column by a rule, and fails closed: what a mask cannot do its work on does not pass.
 *
 * A row whose value cannot be masked (text that is not UTF-8, a number in no interval, a letter that pseudonym does not know)
 * goes to batch_fail without the value in its reason, or becomes NULL where the stage says so. A call on a type that the rule has
 * no meaning for fails as a whole. Everything else is masked, if need be all over: cover, segments, replace_chars and the presets
 * hide a value entirely when the rule would have left all of it to see, and presets when it does not look like what they are for.
 *
 * rule           takes                    gives   on "" (keep_empty: "")
 * cover          any type, as its text    string  ""
 * segments       any type, as its text    string  ""
 * replace_chars  any type, as its text    string  the fixed text; "" for random
 * hash           any type, as its text;   string  the digest of the salt
 *                binary by its bytes
 * pseudonym      any type, as its text    string  ""
 * interval       bigint, double, decimal  the type of the values
 * round          bigint, double, decimal  the same; a decimal has one more digit
 * empty          any type                 the same, of NULLs (NULL); string, of "" when `with` is ""
 * presets        any type, as its text    string  ""
 * gps            text, double, decimal    string or the same, as round
 *
 * NULL has no clear text and stays NULL, with or without keep_empty; only rule empty with "" makes it "" unless keep_empty.
 * Characters are those of characters.h. Rules cover, segments and presets write `with` once for each covered character.
 *
 * The presets. What does not look as said is covered all over, separators too.
 * - phone: 11 to 15 digits with + ( ) - . / and blanks. The first 3 and last 4 digits stay, and +86, 0086 or 86 before them.
 * - email: name@host, without blanks or quotes. The first character of the name stays, and the host.
 * - id_card: 18 digits, the last may be X: the first 6 (the region) and last 4 stay. 15 digits: the first 6 and last 3.
 * - bank_card: 13 to 19 digits with blanks or hyphens. The first 6 and last 4 stay, the most that PCI DSS lets show.
 * - name: up to 40 letters and separators. If the first is a Han character it stays alone, else every initial does.
 * - ip: of IPv4 the first two parts stay, of IPv6 the first four groups, written out.
 * - mac: 12 hexadecimal digits, plain, in pairs by : or -, or in fours by a point. The first three octets (the maker) stay.
 * - car_plate: a plate of mainland China. Province and city letter stay, and the last character.
 * - address: a Chinese address. It stays up to its first road (路街道巷弄), else district (区县旗镇乡), city (市州盟) or province
 *   (省), without the digits in it.
 * - gps: one number, or "latitude,longitude", in degrees, rounded to 2 decimals, which is about a kilometre.
 *
 * Ownership: a mask is freed by mask_free and copies its options. Columns live in the batch's arena.
 * Threads: one owner at a time (buffers and random state inside).
 * Errors: of options, CONFIG with the option's path in `option`; of a call, CONFIG for its type and DATA when the arena is full.
 */
#ifndef LUADUCT_BATCH_KERNELS_MASK_H
#define LUADUCT_BATCH_KERNELS_MASK_H

#include "batch/batch.h"
#include "batch/time.h"

enum mask_rule {
    MASK_COVER,
    MASK_SEGMENTS,
    MASK_REPLACE_CHARS,
    MASK_HASH,
    MASK_PSEUDONYM,
    MASK_INTERVAL,
    MASK_ROUND,
    MASK_EMPTY,
    MASK_PHONE,
    MASK_EMAIL,
    MASK_ID_CARD,
    MASK_BANK_CARD,
    MASK_NAME,
    MASK_IP,
    MASK_MAC,
    MASK_CAR_PLATE,
    MASK_ADDRESS,
    MASK_GPS,
    MASK_RULES
};
extern const char *const mask_rule_names[MASK_RULES];

struct mask_segment {
    bool show;
    size_t count; /* characters; 0: the rest, in the last one only */
};

/* low <= number < high. */
struct mask_interval {
    struct str low, high; /* numbers as text; absent: open */
    struct str value;
};

enum { MASK_WITH_MAX = 32, MASK_ROUND_DIGITS_MAX = 38, MASK_OPTION_MAX = 64 };

struct mask_options {
    enum mask_rule rule;
    bool keep_empty;
    struct str with;      /* absent: "*"; of replace_chars and empty: see there. At most MASK_WITH_MAX bytes for covering */
    size_t before, after; /* cover */
    const struct mask_segment *segments; /* segments */
    size_t segment_count;
    size_t position, length;    /* replace_chars: the stretch, from 1. A value that ends before it is replaced as a whole. */
    bool random;                /* replace_chars: each character by a digit; the stretch never stays what it was */
    uint64_t seed;              /* of the digits, for tests; 0: from the system */
    struct str algorithm, salt; /* hash */
    struct str key;             /* pseudonym */
    const struct mask_interval *intervals; /* interval */
    size_t interval_count;
    struct str otherwise;      /* interval: of numbers in none; absent: they fail */
    enum type_kind value_kind; /* interval: bigint, double or string */
    int digits;                /* round: digits behind the point that stay; negative: before it */
    const struct zone *zone;   /* for instants that are masked as text; may be NULL */
};

struct mask;

bool mask_new(struct mask **mask_out, const struct mask_options *options, char option[MASK_OPTION_MAX],
              struct error *error) MUST_USE;
void mask_free(struct mask *mask);
/* name: of the field, for reasons. The caller sweeps. */
bool mask_run(struct mask *mask, struct batch *batch, const struct column *column, struct str name, struct column **column_out,
              struct error *error) MUST_USE;

#endif
