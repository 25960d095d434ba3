/* tables_mask.c: options of one rule of a stage of kind mask. They are checked here and stored nowhere; lua/mask.lua and
 * script/mask_kernel.c read them from the tree, and check what one option alone does not tell. */
#include "job/tables_internal.h"

#define COVERING "phone|email|id_card|bank_card|name|ip|mac|car_plate|address|gps"
#define COUNT_MAX (1 << 24)

static void scalar_read(struct option_reader *reader, const struct option *row UNUSED, void *base UNUSED, struct tree_node *node)
{
    if (node && !option_scalar(reader, node, "a text or a number"))
        return;
}

/* Also "", which other texts of a job file may not be. */
static void with_read(struct option_reader *reader, const struct option *row UNUSED, void *base UNUSED, struct tree_node *node)
{
    if (node && node->kind == TREE_SCALAR && node->quoted)
        return;
    if (node && option_scalar(reader, node, "a text"))
        node->quoted = true; /* "00" and not 0 */
}

static const struct option segment_rows[] = {
    {.name = "show", .type = OPTION_CUSTOM, .read = scalar_read, .form = "number of characters, or rest",
     .sentence = "So many characters stay."},
    {.name = "cover", .type = OPTION_CUSTOM, .read = scalar_read, .form = "number of characters, or rest",
     .sentence = "So many characters are covered."},
    END,
};

static const struct option interval_rows[] = {
    {.name = "from", .type = OPTION_CUSTOM, .read = scalar_read, .form = "number",
     .sentence = "The smallest number of the interval; without it there is no lower end."},
    {.name = "to", .type = OPTION_CUSTOM, .read = scalar_read, .form = "number",
     .sentence = "The smallest number above the interval, no longer in it; without it there is no upper end."},
    {.name = "value", .type = OPTION_CUSTOM, .read = scalar_read, .flags = OPTION_REQUIRED, .form = "text or number",
     .sentence = "What stands for the numbers in the interval. When all values are whole numbers the field becomes bigint, when "
                 "all are numbers double, else string."},
    END,
};

const struct option mask_rule_rows[] = {
    {.name = "field", .type = OPTION_TEXT, .sentence = "The field to hide."},
    {.name = "fields", .type = OPTION_CUSTOM, .read = names_read, .form = "list of names",
     .sentence = "Several fields that one rule hides, in place of field."},
    {.name = "rule", .type = OPTION_WORD, .flags = OPTION_REQUIRED | OPTION_SELECTS,
     .choices = "cover|segments|replace_chars|hash|pseudonym|interval|round|empty|" COVERING,
     .sentence = "How it is hidden. Those from phone on are forms of well-known things; a value that has not that form is "
                 "covered all over. They give, in this order: 138****5678, z********@example.com, 110105********002X, "
                 "622202*********0123, 王**, 10.20.*.*, 00:1A:2B:**:**:**, 京A****5, 上海市浦东新区世纪大道****, 31.23,121.47."},
    {.name = "keep_empty", .type = OPTION_BOOLEAN, .fallback = "false",
     .sentence = "Whether an empty text stays one, and NULL with rule empty. NULL stays NULL with all other rules anyway."},
    {.name = "before", .type = OPTION_INTEGER, .only = "cover", .minimum = 0, .maximum = COUNT_MAX, .fallback = "0",
     .sentence = "How many characters stay at the beginning. A text without more than before and after is covered all over."},
    {.name = "after", .type = OPTION_INTEGER, .only = "cover", .minimum = 0, .maximum = COUNT_MAX, .fallback = "0",
     .sentence = "How many characters stay at the end."},
    {.name = "segments", .type = OPTION_LIST, .flags = OPTION_REQUIRED, .only = "segments", .rows = segment_rows,
     .sentence = "What stays and what is covered, from left to right. What no segment reaches is covered."},
    {.name = "position", .type = OPTION_INTEGER, .flags = OPTION_REQUIRED, .only = "replace_chars", .minimum = 1,
     .maximum = COUNT_MAX,
     .sentence = "The first character to replace, counted from 1. A text that ends before is replaced whole."},
    {.name = "length", .type = OPTION_INTEGER, .flags = OPTION_REQUIRED, .only = "replace_chars", .minimum = 1,
     .maximum = COUNT_MAX, .sentence = "How many characters are replaced."},
    {.name = "with", .type = OPTION_CUSTOM, .read = with_read, .only = "cover|segments|replace_chars|empty|" COVERING,
     .form = "text, by default *",
     .sentence = "What is written for each covered character; the text that replaces characters, or the word random for a "
                 "random digit each; \"\" with rule empty for empty texts, which gives NULL without it."},
    {.name = "algo", .type = OPTION_WORD, .only = "hash", .choices = "md5|sha256|sha512|sm3", .fallback = "sha256",
     .sentence = "The digest, which becomes the field as lower-case hexadecimal digits."},
    {.name = "salt", .type = OPTION_TEXT, .flags = OPTION_SECRET, .only = "hash",
     .sentence = "A text before every value. Without one, whatever can be guessed (phone numbers, say) can be found again."},
    {.name = "domain", .type = OPTION_TEXT, .flags = OPTION_REQUIRED | OPTION_SECRET, .only = "pseudonym",
     .sentence = "The key, long and random: one key always gives one result for a value, and who has it can undo that."},
    {.name = "intervals", .type = OPTION_LIST, .flags = OPTION_REQUIRED, .only = "interval", .rows = interval_rows,
     .sentence = "What becomes of a number, by where it lies."},
    {.name = "otherwise", .type = OPTION_CUSTOM, .read = scalar_read, .only = "interval", .form = "text or number",
     .sentence = "What stands for numbers in no interval; without it they cannot be hidden, so when_error decides."},
    {.name = "digits", .type = OPTION_INTEGER, .only = "round", .minimum = -38, .maximum = 38, .fallback = "0",
     .sentence = "How many decimal places stay; -3 rounds to thousands. Halves are rounded away from zero."},
    FOREIGN("column", "use \"field\""),
    FOREIGN("columns", "use \"fields\""),
    FOREIGN("type", "use \"rule\""),
    FOREIGN("key", "use \"domain\" with rule pseudonym"),
    FOREIGN("algorithm", "use \"algo\""),
    END,
};
