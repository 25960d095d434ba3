/* kernel.h: C kernels as things that built-in modules make in open() and call in process(), and the reading of their options.
 *
 *     local cover = luaduct.mask.cover({before = 3, after = 4}, "rules[1]")   -- checks its options, complains with their paths
 *     batch:set("phone", cover(batch.phone))                                  -- a column gives a new column
 *     local big = luaduct.expression("amount > 100", "condition")
 *     batch:keep(big(batch))                                                  -- or the whole batch gives one
 *
 * Ownership: a kernel belongs to its Lua value and is freed when that is collected, or with the state.
 * Threads: those of the state. Functions in _throws may leave by a Lua error.
 * Errors: of options, all of them through run_complain, then one Lua error; of rows, by batch_fail; of the call, the error. */
#ifndef LUADUCT_SCRIPT_KERNEL_H
#define LUADUCT_SCRIPT_KERNEL_H

#include "script/internal.h"

struct kernel_ops {
    const char *name; /* as scripts call its maker, "luaduct.mask.cover" */
    bool of_batch;    /* called with the batch; else with a column of it */
    /* Makes a column for the selected rows, in the batch's arena. column and name: what it was called with; NULL and absent for a
     * kernel of the batch. A row that cannot be handled goes to batch_fail, or becomes NULL where batch->when_error says so; who
     * calls sweeps. False: the call makes no sense (types), kind CONFIG, or the arena is full, kind DATA. */
    bool (*run)(void *kernel, struct batch *batch, const struct column *column, struct str name, struct column **column_out,
                struct error *error);
    void (*free)(void *kernel);
};

/* Pushes an empty box; then, when nothing can throw any more, kernel_fill gives it what it owns from there on. */
struct kernel_box *kernel_push_throws(lua_State *L, const struct kernel_ops *ops);
void kernel_fill(struct kernel_box *box, void *kernel);
void kernel_install_throws(lua_State *L);
/* mask_kernel.c: pushes the table luaduct.mask. */
void mask_kernels_push_throws(lua_State *L);
/* luaduct.at(path, function, …): calls the function, which may be a kernel. In open(), and while a job is checked, an error of it
 * is told as one of the option at path, unless the function has complained itself, and nothing comes back, so that the module
 * goes on and finds the next one. While a job is checked, nil is a kernel that could not be made: nothing comes back either. */
int kernel_at_throws(lua_State *L);
/* luaduct.at_name(path, function, …): the same, but it is the option's name that is wrong: the key in a map. */
int kernel_at_name_throws(lua_State *L);
/* luaduct.check_constant(value, type, path): in open(), complains when the value is none of that type. */
int kernel_check_constant_throws(lua_State *L);

/* Options in a Lua table, checked one by one so that a person gets all mistakes at once. */
struct kernel_options {
    lua_State *L;
    int table;          /* absolute index */
    const char *prefix; /* path of the table inside the stage's options, "rules[2]", or "" */
    struct script_module *module;
    unsigned mistakes;
    char first[600];
};

/* Reads the table at `table`; the path of it is the string at `path`, or none when that is nil or absent. */
void kernel_options_init_throws(struct kernel_options *options, lua_State *L, int table, int path);
/* key: relative to the table, may be "" for the table itself. */
#define kernel_complain(options, key, ...) kernel_complain_at(options, key, -1, __VA_ARGS__)
/* at: the byte of the option's text that is wrong; -1: all of it. */
void kernel_complain_at(struct kernel_options *options, const char *key, ptrdiff_t at, const char *format, ...) PRINTF_LIKE(4, 5);
/* Complains of keys that are not among these. */
void kernel_check_keys(struct kernel_options *options, const char *const *known, size_t count);
/* The value stays on the stack, so that the text lives. Absent gives STR_NONE. any_scalar: numbers and booleans as their text. */
struct str kernel_text(struct kernel_options *options, const char *key, bool any_scalar);
bool kernel_boolean(struct kernel_options *options, const char *key, bool fallback);
int64_t kernel_integer(struct kernel_options *options, const char *key, int64_t fallback, int64_t minimum, int64_t maximum);
/* Throws when there were mistakes. */
void kernel_options_end_throws(struct kernel_options *options);

#endif
