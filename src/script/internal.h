/* internal.h: what the files of this folder share.
 * Rules: a function ending in _throws may leave by a Lua error, so its callers hold nothing that needs freeing. Everything that
 * is made for a batch lives in the batch's arena; Lua gets boxes (userdata) that name the run they belong to.
 * Threads: those of the state. */
#ifndef LUADUCT_SCRIPT_INTERNAL_H
#define LUADUCT_SCRIPT_INTERNAL_H

#include "batch/convert.h"
#include "batch/decimal.h"
#include "batch/kernels/arithmetic.h"
#include "script/embedded.h"
#include "script/script.h"
#include "util/metrics.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <time.h>

enum { SIZE_CLASS_BYTES = 16, SIZE_CLASSES = 32 };

/* One call of process or partition. Boxes of another generation are dead. */
struct script_run {
    struct script_module *module;
    struct batch *batch; /* NULL: no batch in hand */
    uint64_t generation;
    uint64_t layout;    /* moves when fields come, go or change their column: rows then look their fields up again */
    unsigned loops;     /* loops over rows that are under way */
    bool row_in_hand;
    uint32_t row;
    bool arena_full;
    int64_t now_ms; /* ${now} of the run's expressions; 0: nobody asked yet */
    struct own_column *own; /* columns that row writes may change in place */
};

struct own_column {
    struct column *column;
    struct own_column *next;
};

struct script_state {
    lua_State *lua;
    struct script_limits limits;
    struct log *log;

    size_t memory; /* handed to Lua, rounded to the size classes */
    size_t slab_bytes;
    size_t cjson_lost; /* bytes: see guard.c */
    void *json_block;  /* see json_text.c */
    size_t json_block_size;
    struct buffer json_text;
    struct time_cache *times; /* see time_value.c */
    struct hash_cache *hashes; /* see text_value.c */
    struct regex_cache *regexes; /* see column_text.c */
    struct pattern_cache *patterns; /* see pattern.c */
    struct slab *slabs;
    void *free_pieces[SIZE_CLASSES];

    int64_t instructions_left;
    lua_State *volatile loose; /* runs without the count hook until the timer comes; also looked at by the signal's handler */
    bool loose_allowed;        /* in the first run over a batch */
    bool timer_made;
    bool was_loose; /* in the last entry */
    timer_t timer;
    bool budget_hit;
    bool memory_hit;
    bool machine_hit; /* it was not the limit: the machine has no more memory */
    bool failed_row_in_hand; /* at the error that ended the last entry */
    uint32_t failed_row;
    uint32_t closed_row; /* of the loop that an error closed; for errors that pass no message handler */
    bool closed_row_set;
    char text[640]; /* message of the error that ended the last entry, "file:line: message" */
    char trace[320];
    char place[100]; /* "file:line: " where memory or budget ended, or empty */
    uint64_t failures;
    char failure[640]; /* the first of them, with its stage */

    uint64_t generation;
    struct script_run run;
    struct script_module *modules;
    struct script_module *opening;
    struct script_lookup *lookups; /* lookup.c */
    int64_t failure_lines_ms;      /* failure.c: since when the lines are counted */
    unsigned failure_lines, failures_unsaid;
    int64_t lookups_due_ms;
    struct metrics *registry; /* NULL: nothing is counted */
    bool aside; /* another state does the work for now: gauges are off the page */
    bool held;  /* what runs count waits for script_state_settle */
    struct coverage *coverage; /* NULL but in tests of scripts */

    int decimal_ref, time_ref, column_ref; /* metatables in the registry */
};

struct script_module {
    struct script_module *next;
    struct script_state *state;
    char *stage;
    char *folder; /* of a person's file, for require; NULL for built-in modules */
    struct file_set *files; /* NULL: each file is read where it is asked for */
    struct convert convert;
    const char *job, *topic; /* borrowed, may be NULL */
    int64_t execute_time_ms;
    int table_ref;
    struct script_metric *metrics; /* counters.c */
    unsigned functions; /* a bit per known name */
    bool keeps_state;
    script_complain *complain;
    void *complain_arg;
    unsigned complaints;
    char complaint[400]; /* the first one */
};

static inline struct script_state *script_of(lua_State *L)
{
    return *(struct script_state **)lua_getextraspace(L);
}

/* enter.c */
bool script_enter(struct script_state *state, lua_CFunction function, void *argument, struct error *error) MUST_USE;
void script_budget_arm(struct script_state *state, lua_State *L, int count);
/* Throws again when the budget is gone: for C functions that caught an error. */
void script_budget_check_throws(lua_State *L);
/* A loop over rows begins in L: what the first milliseconds of this entry do from here on is not counted, but ended by a
 * timer. */
void script_budget_loose(struct script_state *state, lua_State *L);
void script_budget_charge(struct script_state *state, int64_t instructions);
/* Notes the line that L is at as the state's place; leaves the place as it is when no Lua function is running. Neither allocates
 * nor throws. */
void script_place_note(struct script_state *state, lua_State *L);

/* files.c. required_path: "a.b" -> "a/b.lua"; only letters, digits, _ and - between single dots, so nothing leads out of the
 * folder. file_read_whole and folder_of give what the caller frees. */
enum { REQUIRED_BYTES_MAX = 1 << 20, REQUIRED_NAME_MAX = 200, REQUIRED_PATH_MAX = 256 };
bool required_path(const char *name, char path[REQUIRED_PATH_MAX]) MUST_USE;
bool file_read_whole(const char *path, char **text_out, size_t *size_out, struct error *error) MUST_USE;
char *folder_of(const char *path) MUST_USE;

/* coverage.c: the compiled chunk is on top; source as Lua calls it, "@file". Both take a state without a coverage. */
void coverage_chunk(lua_State *L, const struct script_module *module, const char *source);
void coverage_line(struct script_state *state, lua_State *L, lua_Debug *ar);

/* state.c */
void *script_alloc(void *arg, void *pointer, size_t old_size, size_t new_size);

/* guard.c: the libraries' tables are at `libraries`. */
void guard_libraries_throws(lua_State *L, int libraries);
void guard_cjson_throws(lua_State *L);

/* sandbox.c: pushes a fresh environment for the module. */
void sandbox_install_throws(lua_State *L);
void sandbox_push_throws(lua_State *L, struct script_module *module);

/* module.c */
struct batch *run_batch_throws(lua_State *L);
/* Charges the budget for an operation on all rows. */
void run_charge_rows_throws(lua_State *L);
void run_complain(struct script_module *module, const char *option_path, const char *text);
void run_complain_at(struct script_module *module, const char *option_path, struct script_place place, const char *text);
/* A Lua error in process or partition. */
void run_count_failure(struct script_state *state, const char *text);
int throw_arena_full(lua_State *L);
/* Of kind DATA: the batch is too large for its memory, and cannot go on. */
int throw_kernel_error(lua_State *L, const struct error *error);
int throw_unknown_field(lua_State *L, struct str name);
/* Throws when a loop over rows is under way. */
void check_no_loop_throws(lua_State *L, const char *what);
/* After a kernel: throws when the batch has been stopped. */
void check_stopped_throws(lua_State *L);

/* failure.c: a line about a row whose code failed; no clear values. */
void failure_log(struct script_state *state, const struct batch *batch, uint32_t row, const char *message);
/* Appends the message, a value in it masked. */
void failure_mask(struct buffer *text, const char *message);
/* saved.c: values of one state for another one. The value at the top is appended, and stays; and back again. */
void saved_write_throws(lua_State *L, struct buffer *saved);
void saved_push_throws(lua_State *L, struct str saved);

/* options.c */
void options_push_throws(lua_State *L, const struct tree_node *node);

/* value.c: boxes begin with their tag. */
enum box_tag {
    BOX_DECIMAL = 0x6c640001,
    BOX_TIME,
    BOX_COLUMN,
    BOX_BATCH,
    BOX_ROW,
    BOX_JSON,
    BOX_KERNEL,
    BOX_METRIC,
    BOX_LOOKUP,
};

struct decimal_box {
    uint32_t tag;
    uint32_t scale;
    uint64_t high, low; /* halves, for Lua aligns to 8 bytes only */
};

struct time_box {
    uint32_t tag;
    enum type_kind kind;
    struct instant instant; /* a date has its days in seconds */
};

/* The box at that index if it is one of that tag, else NULL. All that scripts can hold and that has an address, luaduct.null too,
 * begins with a tag (cjson.null is NULL), so one call tells. */
static inline void *box_get(lua_State *L, int index, enum box_tag tag)
{
    uint32_t *box = lua_touserdata(L, index);

    return box && *box == (uint32_t)tag ? box : NULL;
}

extern const uint32_t script_null; /* its address is luaduct.null, its value no tag */

void value_install_throws(lua_State *L);
void value_push_decimal_throws(lua_State *L, struct script_state *state, int128 value, unsigned scale);
/* Digits behind the point that a number's text needs: 2 for 12.50, 1 for 125e-1; false: more than a decimal has. Something that
 * is no digit, or a zero byte, stands behind the text. */
bool decimal_text_scale(struct str number, unsigned *scale_out) MUST_USE;
void value_push_time_throws(lua_State *L, struct script_state *state, enum type_kind kind, struct instant instant);
void value_push_throws(lua_State *L, struct script_state *state, const struct column *column, uint32_t row);
/* The type that a Lua value has by itself; false for tables, functions and the like. */
bool value_type(lua_State *L, int index, struct type *type_out);
/* Writes the value at index into row of a column, strictly by the column's type. Texts are copied into the arena. Never throws.
 * The column needs null bytes to take nil. */
bool value_take(lua_State *L, int index, struct batch *batch, struct convert *convert, struct column *column, uint32_t row,
                struct error *error) MUST_USE;
/* How a value is called in messages: its Lua type, or decimal and so on. */
const char *value_kind_name(lua_State *L, int index);
int decimal_new_throws(lua_State *L);

/* column.c */
struct column_box {
    uint32_t tag;
    uint64_t generation;
    struct column *column;
    struct str name;
};

struct constant {
    struct column column;
    union type_value value;
    uint8_t null;
};

void column_install_throws(lua_State *L);
void column_push_throws(lua_State *L, struct column *column, struct str name);
/* The column at an argument, checked for its run. */
struct column_box *column_check_throws(lua_State *L, int index);
/* The column or constant at an argument; the constant lives in *constant. */
struct operand column_operand_throws(lua_State *L, int index, struct constant *constant);
/* Pushes what a kernel made, or throws its error. */
int column_result_throws(lua_State *L, bool ok, struct column *column, struct str name, const struct error *error);
/* A mask: a boolean column. */
struct column *mask_check_throws(lua_State *L, int index);
int column_choose_throws(lua_State *L);
/* A column for all rows from the column or constant at index; existing: type of the field that it replaces, or NULL. */
struct column *column_from_value_throws(lua_State *L, int index, const struct type *existing);

/* batch_view.c */
void batch_view_install_throws(lua_State *L);
void batch_view_push_throws(lua_State *L);
struct field *field_check_throws(lua_State *L, struct batch *batch, struct str name);
/* The name of the nearest field, or NULL. Leaves many things on the stack. */
const char *near_field_throws(lua_State *L, const struct batch *batch, struct str name);
/* The first argument is no such thing: most likely a method was called with a dot. */
int throw_self(lua_State *L, const char *what, const char *example);
/* The field's column for reading. */
struct column *field_column_throws(lua_State *L, struct batch *batch, struct field *field);
void field_set_throws(lua_State *L, struct batch *batch, struct str name, struct column *column);

/* row.c */
void row_install_throws(lua_State *L);
int batch_rows_throws(lua_State *L);

/* map.c */
int batch_map_throws(lua_State *L);

/* expression_kernel.c */
int expression_new_throws(lua_State *L);

/* json_kernel.c */
void json_kernel_install_throws(lua_State *L);
int json_columns_throws(lua_State *L);

/* replace_kernel.c */
int replacer_new_throws(lua_State *L);

#endif
