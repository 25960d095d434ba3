/* options.h: option tables, and the one reader that goes by them.
 * A row is all that there is to know of an option: name, type, unit, default, range, secret, check and sentence; parsing,
 * checking, `luaduct help config` and config/reference.md come from it. Removed, foreign and coming names are rows as well, and
 * answer with what to use instead. Values are stored into plain structs by offset.
 * Ownership: texts and arrays that the reader makes belong to its struct owned. Threads: one owner; the tables are constant.
 * Errors: mistakes go to the report, with place and caret; a text alone is kind CONFIG. */
#ifndef LUADUCT_JOB_OPTIONS_H
#define LUADUCT_JOB_OPTIONS_H

#include "job/report.h"
#include "util/tree.h"

enum option_type {
    OPTION_NONE,     /* ends a table; a sentence is told of unknown keys that are near to none */
    OPTION_TEXT,     /* char * */
    OPTION_INTEGER,  /* unsigned, int or int64_t, as OPTION_DURATION and OPTION_SIZE */
    OPTION_DURATION, /* milliseconds, written with ms, s, m or h */
    OPTION_SIZE,     /* bytes, written with B, KiB, MiB, GiB, kB, MB or GB */
    OPTION_BOOLEAN,  /* bool */
    OPTION_CHOICE,   /* the index in choices, as an int */
    OPTION_WORD,     /* one of choices, kept as char * */
    OPTION_MAP,      /* rows; offsets are those of the struct around */
    OPTION_LIST,     /* of maps: an array of elements and its count */
    OPTION_FREE,     /* any map: struct tree_node * */
    OPTION_CUSTOM,   /* read() does it all */
    OPTION_FOREIGN,  /* a name of another product or of another place: the sentence says what to use */
    OPTION_LATER,    /* comes with a later release; the sentence says what to do until then */
};

enum {
    OPTION_REQUIRED = 1,
    OPTION_SECRET = 2,    /* told to log_secret, never quoted */
    OPTION_PATH = 4,      /* made openable from the working directory */
    OPTION_READABLE = 8,  /* a path of a file that must be there */
    OPTION_UNLIMITED = 16, /* the word "unlimited" is -1 */
    OPTION_UNIQUE = 32,   /* no other element of the list has the same value (names are compared without case) */
    OPTION_SELECTS = 64,  /* the selector of its table: its value says which other options there are; "kind" always is one */
};

struct option_reader;

struct option {
    const char *name;
    enum option_type type;
    unsigned flags;
    const char *fallback;  /* as a person would write it; NULL: none (NULL, 0, false) */
    int64_t minimum, maximum; /* numbers */
    const char *choices;   /* "one|two", in the order of the enum */
    const char *later;     /* choices of a later release, in the same form */
    const char *later_answer; /* what to do until then */
    const char *only;      /* the values of the selector beside it, in the same form, with which the option exists */
    const char *form;      /* for the reference, where the type does not say it */
    const char *sentence;
    const struct option *rows;
    size_t element_size;   /* OPTION_LIST */
    size_t count_offset;
    size_t item_at_offset, item_width_offset, item_node_offset; /* in the element; 0: none */
    size_t offset, size;   /* size 0: only checked, stored nowhere */
    size_t at_offset;      /* a struct location for the value's place; 0: none */
    /* Of a text. An error of kind CONFIG is a whole sentence; one of kind DATA goes on after the value: "is no topic name". */
    bool (*check)(struct str text, struct error *error);
    void (*read)(struct option_reader *reader, const struct option *row, void *base, struct tree_node *node);
};

#define OPTION_FIELD(type_, field_) .offset = offsetof(type_, field_), .size = sizeof(((type_ *)0)->field_)

/* The row that the `only` of others speaks of, or NULL. */
const struct option *options_selector(const struct option *rows);

/* What was allocated while reading, freed together. */
struct owned {
    void **pieces;
    size_t count, capacity;
};

void *owned_keep(struct owned *owned, void *piece);
void owned_release(struct owned *owned);

struct option_reader {
    struct report *report;
    struct owned *owned;
    const char *directory; /* of the file in hand */
    struct buffer path;    /* "stages[2].columns", for messages */
    bool quiet;            /* the map around is missing, which was told: no mistakes about what it would have to hold */
};

/* Reads a map by its rows into base. map NULL: defaults only. at: what a missing required key is told about. */
void options_read(struct option_reader *reader, const struct option *rows, void *base, const struct tree_node *map,
                  struct location at, unsigned width);
/* One value; node NULL: the default. */
void option_read(struct option_reader *reader, const struct option *row, void *base, struct tree_node *node);
/* A mistake about a value, with the path of the option in hand in front. */
void option_mistake(struct option_reader *reader, const struct tree_node *node, const char *format, ...) PRINTF_LIKE(3, 4);
/* How a message names the value: quoted and cut, or as the reference that it came from. */
enum { OPTION_EXCERPT_MAX = 96 };
const char *option_excerpt(const struct tree_node *node, char text[OPTION_EXCERPT_MAX]);
/* A scalar that holds something; else a mistake (saying `what` it should be) and false. */
bool option_scalar(struct option_reader *reader, const struct tree_node *node, const char *what) MUST_USE;
/* Puts one more name on the path; returns what options_path_leave takes to get it off. index > 0: "[index]" instead of a name. */
size_t options_path_enter(struct option_reader *reader, struct str name, size_t index);
void options_path_leave(struct option_reader *reader, size_t mark);
/* The index of the word in "one|two", or -1. */
int choice_index(const char *choices, struct str word);
/* The nearest of them as text ("; did you mean \"x\"?"), or "". */
enum { OPTION_HINT_MAX = 96 };
const char *choice_hint(const char *choices, struct str word, char hint[OPTION_HINT_MAX]);
/* Tells the log that the value is a secret, line by line where it has several. */
void option_secret(struct str text);
/* Numbers, durations and sizes as people write them: "60s", "64MiB". */
enum { OPTION_NUMBER_MAX = 32 };
const char *option_number_print(enum option_type type, int64_t value, char text[OPTION_NUMBER_MAX]);

#endif
