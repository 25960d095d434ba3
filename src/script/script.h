/* script.h: Lua inside a worker: states, modules, entering them. The only folder that includes lua.h.
 * One state per worker (and one for `check`), one module per stage with its own _ENV; sandbox, memory limit and instruction
 * budget as in design.md "Lua". Ownership: a state owns its modules. Threads: a state belongs to one thread at a time.
 * Errors: kind SCRIPT with "file:line: message" (and a short traceback in what follows), kind CONFIG for options. */
#ifndef LUADUCT_SCRIPT_SCRIPT_H
#define LUADUCT_SCRIPT_SCRIPT_H

#include "batch/batch.h"
#include "batch/time.h"
#include "util/file_set.h"
#include "util/log.h"
#include "util/metrics.h"
#include "util/tree.h"

struct script_state;
struct script_module;

struct script_limits {
    size_t memory_max;        /* bytes of one state */
    int64_t instructions_max; /* VM instructions of one entry (one batch) */
};

struct script_state *script_state_new(const struct script_limits *limits, struct log *log) MUST_USE;
void script_state_free(struct script_state *state);
size_t script_state_memory(const struct script_state *state);
/* From here on luaduct.counter and luaduct.gauge of the state's modules show in the registry, which must outlive the state. */
void script_state_count(struct script_state *state, struct metrics *registry);
/* The state is kept in case it is needed again, and another one does its work: its part of the gauges leaves the page, or comes
 * back. */
void script_state_set_aside(struct script_state *state, bool aside);
/* Another state may run the same batches: what scripts count from here on waits for script_state_settle, which puts it on the
 * page, or forgets it. */
void script_state_hold(struct script_state *state);
void script_state_settle(struct script_state *state, bool counts);
/* Lua errors in process and partition so far, of rows and of whole runs: not what a script says of rows (row:dirty) nor values
 * that do not convert. The text is the first one's with its stage, since script_state_failures_clear. */
uint64_t script_state_failures(const struct script_state *state, const char **first_out);
void script_state_failures_clear(struct script_state *state);

/* Where in an option's text: a byte offset and how many bytes; at -1 is the whole text, at SCRIPT_PLACE_NAME the option's name.
 */
enum { SCRIPT_PLACE_NAME = -2 };
struct script_place {
    ptrdiff_t at;
    size_t width;
};
/* What `complain` gets while a module opens: a wrong option (path inside the stage's options, "columns[2].type"), where in its
 * text, and why. */
typedef void script_complain(void *arg, const char *option_path, struct script_place place, const char *text);

/* What `warn` gets once a person's file is open: a name in it that is nobody's, where it stands first, and what about it. */
typedef void script_warn(void *arg, unsigned line, unsigned column, unsigned width, const char *text);

struct script_source {
    const char *stage;              /* for messages and dirty rows */
    const char *path;               /* a person's file, read by this call; or NULL: */
    const char *builtin;            /* the name of an embedded module ("json") */
    const struct tree_node *options; /* becomes ctx.options, a Lua table (read-only for the module); NULL: an empty one */
    const struct zone *zone;        /* the job's zone for local date-times; may be NULL */
    const char *job, *topic;        /* for expressions; may be NULL; they live as long as the module */
    int64_t execute_time_ms;        /* when this run of the job began */
    struct file_set *files;         /* where texts of files are kept, also of those that the module requires; may be NULL */
    struct str saved;               /* what script_module_save gave of an earlier version: ctx.saved; absent: nil */
    /* May be NULL: then the first one is the error. Wrong options of an embedded module are told and do not keep it from opening,
     * so that what is wrong with the others is found over a batch without messages: who gave complain, and was told something,
     * must not go on to real batches. */
    script_complain *complain;
    void *complain_arg;
    script_warn *warn; /* may be NULL; also gets complain_arg */
};

/* The text of a Lua file, which is in the set from now on, as are the files that it requires by names written out, and those
 * which they require. Errors: kind CONFIG; that a required file is not there is told when it is required. */
bool script_file_read(struct file_set *files, const char *path, struct str *text_out, struct error *error) MUST_USE;

/* Compiles (text only), runs the chunk, which must return a table, and calls its open(ctx). An unknown function of the module's
 * table is refused (`process`, `partition`, `alert`, `open`, `save`, `close`, `check`, `state` are known). */
bool script_module_open(struct script_state *state, const struct script_source *source, struct script_module **module_out,
                        struct error *error) MUST_USE;
bool script_module_has(const struct script_module *module, const char *function);
/* What the module's save() gives, appended in a form that any state can read; nothing is appended without a save(), or when it
 * gives nil. Plain values: boolean, number, string, decimal, time, and tables of these, of SCRIPT_SAVED_BYTES_MAX at most;
 * anything else is an error that names its place. */
enum { SCRIPT_SAVED_BYTES_MAX = 16 << 20 };
bool script_module_save(struct script_module *module, struct buffer *saved, struct error *error) MUST_USE;
/* The same as a piece with a name, for whoever carries what several modules save; and the piece's value, absent when there is
 * none of that name. */
bool script_module_save_as(struct script_module *module, const char *name, struct buffer *saved, struct error *error) MUST_USE;
struct str script_saved_find(struct str saved, const char *name);
/* stage.state == "partition": batches of one Kafka partition must come to one worker, in order. */
bool script_module_keeps_state(const struct script_module *module);

/* From now on options that turn out wrong while process runs over a batch without messages are told to complain as well, and
 * process goes on with what stands in for them; NULL ends that. */
void script_module_listen(struct script_module *module, script_complain *complain, void *complain_arg);

/* process(batch), once. A Lua error while a row is in hand (in batch:rows() or batch:map) makes that row fail by batch_fail, with
 * the stage's when_error, and process runs again on the batch as it was without that row; an error with no row in hand fails all
 * selected rows.
 * WHEN_ERROR_STOP stops at the first. The second time that memory or budget run out in one batch, or when its runs together took
 * ten budgets, all rows left fail. For a batch without messages (chain_probe) a Lua error is the error. False otherwise only when
 * the batch cannot go on (stopped, or its arena is full, whether the script caught that or not); the error says why. */
bool script_process(struct script_module *module, struct batch *batch, struct error *error) MUST_USE;
/* partition(batch): one column or a list of columns, converted to text columns; count_out of them into columns_out[max]. Errors
 * as above. */
bool script_partition(struct script_module *module, struct batch *batch, struct column **columns_out, size_t max,
                      size_t *count_out, struct error *error) MUST_USE;

#endif
