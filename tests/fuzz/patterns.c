/* patterns.c: any pattern over any text, against the functions of Lua's library.
 * Input: a call's letter (tests/support/pattern_pair.h) and its number, if it has one; text, pattern and replacement. Both functions
 * return the same values or throw the same error. A call that the budget ends is not compared. */
#include "fuzz.h"

#include "../support/pattern_pair.h"

enum { INSTRUCTIONS_MAX = 20000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pattern_pair pair;
    struct str rest = str_make((const char *)data, size), head;
    struct pattern_call call = {.function = 'm'};

    if (!pair.state)
        pattern_pair_init(&pair, INSTRUCTIONS_MAX);
    if (!fuzz_part(&rest, &head) || head.size == 0 || !memchr("fpmgtlc", head.data[0], 7))
        return 0;
    call.function = head.data[0];
    call.has_number = head.size > 1;
    for (size_t i = 1; i < head.size && i < 4; i++)
        call.number = call.number * 10 + (head.data[i] & 127) - '0';
    if (!fuzz_part(&rest, &call.text) || !fuzz_part(&rest, &call.pattern))
        return 0;
    if (!fuzz_part(&rest, &call.replacement))
        call.replacement = STR("");
    if (pattern_pair_ask(&pair, &call))
        FUZZ_CLAIM(pattern_pair_agrees(&pair), "%c \"%.*s\" \"%.*s\": %.*s, and Lua's library says %.*s", call.function,
                   STR_ARG(call.text), STR_ARG(call.pattern), STR_ARG(pair.ours), STR_ARG(pair.theirs));
    return 0;
}
