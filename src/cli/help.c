/* help.c: `luaduct help [config [markdown] | lua | types]`. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "job/job.h"

static const char usage[] =
    "luaduct: from a Kafka topic through Lua into a MaxCompute table\n"
    "\n"
    "  luaduct check JOB.yaml [--connect]   is the job right? all mistakes at once; --connect asks both ends as well\n"
    "  luaduct run JOB.yaml                 run it in the foreground; Ctrl-C flushes and commits what was read;\n"
    "                                       failures that may heal restart it (--no-restart: they do not);\n"
    "                                       --first: it never ran; --until end | TIME | PARTITION:OFFSET,...: ends there\n"
    "  luaduct epoch show JOB.yaml          where it stands: positions, ledger, and what is prepared with exactly_once\n"
    "  luaduct epoch resolve JOB.yaml       decide about prepared rows of which the service does not know the outcome\n"
    "  luaduct reset JOB.yaml --to WHERE    move the position of a stopped job\n"
    "  luaduct dirty list|show|export JOB.yaml   the rows that could not be handled, and why\n"
    "  luaduct demo [JOB.yaml]              run it against an embedded Kafka and an embedded MaxCompute endpoint\n"
    "  luaduct local                        the embedded MaxCompute endpoint alone, on loopback\n"
    "  luaduct help config                  every key of the job file and of the data sources file\n"
    "  luaduct help lua                     what a Lua stage can say\n"
    "  luaduct help types                   what becomes of a value of each type in a column of each type\n"
    "  luaduct version                      this release and the libraries in it\n"
    "\n"
    "Commands that take a job take --datasources FILE too; the default is datasources.yaml beside the job file.\n"
    "Exit status: 0 done, 1 failed at run time, 2 a mistake in a file or on the command line; run --no-restart and\n"
    "run --records also end with 75: failed, and starting it again may help.\n";

static const char lua_page[] =
    "A Lua stage is a file that returns a table. All functions but process are optional; helpers are local functions.\n"
    "\n"
    "  stage.open(ctx)            once: ctx.options (from the job file), ctx.stage (its name),\n"
    "                             ctx.complain(option, text) reports a wrong option at its line of the job file\n"
    "  stage.process(batch)       once per batch\n"
    "  route.partition(batch)     instead of process, in a file of target.partition: returns a string column\n"
    "\n"
    "The batch\n"
    "  batch.NAME                 a column; batch:column(NAME) for names that are no Lua name\n"
    "  batch:set(NAME, COLUMN)    adds or replaces a field; batch:add(NAME, TYPE) adds one of NULL; batch:remove(NAME)\n"
    "  batch:keep(MASK)           leaves out all rows where the mask is not true; batch:drop(MASK) those where it is\n"
    "  batch:dirty(MASK, REASON)  puts rows aside\n"
    "  batch:map({INPUTS}, {OUTPUTS}, FUNCTION)   calls the function for each row; an output is \"name\" or \"name type\"\n"
    "  for row in batch:rows()    row.NAME reads and writes a field; row:dirty(REASON), row:drop()\n"
    "  batch:count()  batch:fields()  batch:has(NAME)\n"
    "\n"
    "Columns\n"
    "  + - * / // % and ..        with a column or a value; NULL gives NULL\n"
    "  :eq :ne :lt :le :gt :ge    with a column or a value; they give a mask (< and > cannot, == compares the handles)\n"
    "  :is_null() :is_not_null() :is_in({VALUES})   give a mask\n"
    "  MASK & MASK, MASK | MASK, ~MASK              and, or, not (Lua's own and, or, not do not work on columns)\n"
    "  :coalesce(X)  :cast(TYPE)  :type()  luaduct.choose(MASK, X, Y)\n"
    "\n"
    "Values\n"
    "  NULL is nil. bigint is an integer, double a number, boolean a boolean, string, binary and json are strings.\n"
    "  decimal is exact: luaduct.decimal(\"0.06\"); + - * / and comparisons; :round(DIGITS), :tonumber().\n"
    "  A decimal with more digits than its column holds is a dirty row: round it. Times compare, and have :epoch_ms().\n"
    "\n"
    "Also there: string, table, math, utf8, coroutine, os.time, os.date, os.clock, print and luaduct.log (to the log),\n"
    "require of Lua files beside the stage's, and require \"cjson\". No files, processes or network.\n"
    "What fails in a row is that row's when_error; what fails outside of a row fails all rows of the batch.\n";

/* config/conversion.md, whose rows tests/unit/conversion_test.c runs. */
extern const char embedded_conversion[];

int cli_help(int argc, char **argv)
{
    struct buffer text;

    if (argc >= 2 && strcmp(argv[1], "lua") == 0) {
        fputs(lua_page, stdout);
        return EXIT_OK;
    }
    if (argc >= 2 && strcmp(argv[1], "types") == 0) {
        fputs(embedded_conversion, stdout);
        return EXIT_OK;
    }
    if (argc < 2 || strcmp(argv[1], "config") != 0) {
        if (argc >= 2) {
            fprintf(stderr, "luaduct help: there is no page \"%s\"; the pages are: config, lua, types; "
                    "`luaduct COMMAND --help` tells the options of a command\n", argv[1]);
            return EXIT_CONFIG;
        }
        fputs(usage, stdout);
        return EXIT_OK;
    }
    buffer_init(&text, 0);
    job_print_reference(&text, argc > 2 && strcmp(argv[2], "markdown") == 0);
    fwrite(text.data, 1, text.size, stdout);
    buffer_release(&text);
    return EXIT_OK;
}
