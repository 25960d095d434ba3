/* pseudonym.h: another text of the same shape, by a key: digits become digits, letters letters of the same case, characters of a
 * script characters of that script, and all else stays where it is. Over all texts of one shape it is a bijection, so distinct
 * values stay distinct and joins still work; the same key gives the same result on every machine and in every release.
 *
 * What is replaced, each within its own range: 0-9, A-Z, a-z; the letters of Latin-1 in four runs of one case; А-Я and а-я;
 * ぁ-ゖ; ァ-ヺ; CJK ideographs U+4E00..U+9FFF and U+3400..U+4DBF; Hangul syllables; full-width digits and letters. Blanks,
 * punctuation, symbols and combining marks stay, and have no part in the result: 138-0013 gives the digits of 1380013. A letter
 * or number of another range would stay too, so such a text is refused, and so is one with nothing to replace.
 *
 * Method. The characters to replace are the digits of a mixed-radix number. Where it splits into two halves of 1,000 values or
 * more, it goes through an alternating Feistel network of ten rounds with addition character by character, the construction of
 * FFX (Bellare, Rogaway, Spies: "The FFX Mode of Operation for Format-Preserving Encryption", 2010), from which NIST SP 800-38G
 * made FF1. Smaller domains, where a Feistel network is weak, go through the swap-or-not shuffle (Hoang, Morris, Rogaway: "An
 * Enciphering Scheme Based on a Card Shuffle", 2012). Round functions are AES-256, as a CBC-MAC whose first blocks hold the
 * shape; the AES key is SHA-256 of a fixed text and the key.
 *
 * What is claimed: a permutation of each shape, and, for shapes of a million values or more, one that nobody can undo or foretell
 * by known means without the key. It is not FF1 and not conformant to SP 800-38G, and its whole has had no outside review.
 * What is not: shape, length and equality of values are plain to see, that is the purpose. A shape of few values hides little: of
 * ten one-digit texts one may well stay itself, and who sees all values and knows how often each occurs can match them. Whoever
 * has the key, or guesses it, can undo it: it should be long and random.
 *
 * Cost: some 1 µs for a phone number, 3 to 10 µs for texts in small domains; linear in the length.
 * Ownership: freed by pseudonym_free; the key is not kept. Threads: one owner at a time.
 * Errors: CONFIG for an empty key. */
#ifndef LUADUCT_BATCH_KERNELS_PSEUDONYM_H
#define LUADUCT_BATCH_KERNELS_PSEUDONYM_H

#include "util/error.h"
#include "util/str.h"

struct pseudonym;

enum pseudonym_status {
    PSEUDONYM_OK,
    PSEUDONYM_FOREIGN, /* a letter or number of a range that is not replaced */
    PSEUDONYM_NOTHING, /* no character to replace */
    PSEUDONYM_LONG,    /* beyond PSEUDONYM_BYTES_MAX */
};

enum { PSEUDONYM_BYTES_MAX = 1 << 20 };

bool pseudonym_new(struct pseudonym **pseudonym_out, struct str key, struct error *error) MUST_USE;
void pseudonym_free(struct pseudonym *pseudonym);
/* text: valid UTF-8, not empty. out: text.size bytes, written only when the answer is PSEUDONYM_OK. */
enum pseudonym_status pseudonym_text(struct pseudonym *pseudonym, struct str text, char *out) MUST_USE;

#endif
