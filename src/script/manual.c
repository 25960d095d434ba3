/* manual.c: the page of the Lua API. Rows of a part stand in the file of that part; here are those of batches, columns, rows and
 * decimals, whose functions are spread over several. */
#include "script/api.h"

enum { LINE_MAX_COLUMNS = 100 };

static const struct manual_row module_rows[] = {
    {"stage.open(ctx)",
     "Once, when the job starts or the file is read again. ctx.options are the options of the stage in the job file, ctx.stage "
     "its name; ctx.complain(option, text) reports a wrong option at its line of the job file, and ctx.known{names} all options "
     "that are none of these.",
     NULL, NULL},
    {"stage.check(ctx)",
     "Before open, with the same ctx: what it raises or complains of is a mistake of the job, whether that is checked, started "
     "or reloaded.",
     NULL, NULL},
    {"stage.save()",
     "Before another version of the stage, or of the file of target.partition, takes over: what it returns is ctx.saved in the "
     "new one's open. Booleans, numbers, texts, decimals, times and tables of them, 16 MiB at most. When new code fails on "
     "probation, the version before goes on with what it kept itself, up to when it was replaced: what the failed one kept "
     "since then is not asked for.",
     NULL, NULL},
    {"stage.close()", "When the stage ends.", NULL, NULL},
    {"stage.process(batch)",
     "Once per batch. What fails in a row is that row's, and goes by the stage's when_error; what fails outside of a "
     "row fails all rows of the batch.",
     NULL, NULL},
    {"route.partition(batch)",
     "Instead of process, in a file of target.partition: one column or constant per partition level, as one value or a list.",
     NULL, NULL},
    {"stage.state = \"partition\"",
     "A field, not a function: the stage, or the file of target.partition, keeps something from batch to batch, so all batches "
     "of "
     "a Kafka partition come to one worker, in order. A row that fails makes process run again on the others, and records can be "
     "read again: what is "
     "kept must not take a record for another one (compare __offset__).",
     NULL, NULL},
    {"require(name)",
     "\"luaduct\", \"cjson\", or a Lua file beside the stage's, \"a.b\" for a/b.lua. It is read together with the stage's "
     "file, wherever the call stands, and a change of it is a new version of the job's code. A file whose name is computed is "
     "read when it is required first; a change of it is seen from then on, and the version keeps its name.",
     NULL, NULL},
    {"luaduct.log(...), print(...)", "A line in the log; `luaduct test --log` shows it too. Do not log what rows hold.", NULL,
     NULL},
    {0},
};

static const struct manual_section module_section = {
    "A stage",
    "A Lua stage is a file that returns a table. All functions but process are optional; helpers are local functions. Lua 5.4 "
    "with string, table, math, utf8, coroutine, os.time, os.date (in the machine's zone; luaduct.time knows all) and os.clock; "
    "no files, processes or network. load takes texts of up to 64 KiB; functions of table take no table with __len. The examples "
    "below work on a batch of five rows: id 1 to 5, amount (decimal) 50.00 150.00 450.00 850.00 NULL, flag "
    "true but for row 2, city Shanghai Beijing \"\" NULL Wuhan, ratio (double) 0.5 1.5 2.5 3.5 4.5.",
    module_rows};

static const struct manual_row batch_rows[] = {
    {"batch.NAME, batch:column(name)", "A column. A field that is not there is an error that names the nearest.",
     "batch:set('x', batch.id)", "x: 1|2|3|4|5"},
    {"batch:set(name, column or constant)", "Makes or replaces a field; NULL is luaduct.null.", "batch:set('x', batch.id * 10)",
     "x: 10|20|30|40|50"},
    {"batch:add(name, type)", "A new field of NULLs, to be filled row by row.", "batch:add('x', 'string')",
     "x: NULL|NULL|NULL|NULL|NULL"},
    {"batch:remove(name)", "Takes a field away.", "batch:remove('ratio') batch:set('x', batch:has('ratio'))",
     "x: false|false|false|false|false"},
    {"batch:rename{old = \"new\", …}", "New names, all at once; the fields keep their places.", "batch:rename{city = 'x'}",
     "x: Shanghai|Beijing||NULL|Wuhan"},
    {"batch:select{names}", "These fields only, in this order.", "batch:select{'city', 'id'} batch:set('x', #batch:fields())",
     "x: 2|2|2|2|2"},
    {"batch:keep(mask), batch:drop(mask)",
     "Leaves only the rows where the mask is true, or leaves those out. They are counted as filtered.",
     "batch:keep(batch.amount:gt(100) & batch.flag)", "id: 3|4"},
    {"batch:dirty(mask, reason)", "Puts rows aside with a reason, whatever when_error says.",
     "batch:dirty(batch.city:is_null(), 'no city')", "id: 1|2|3|5"},
    {"batch:map({inputs}, {outputs}, function)",
     "Calls the function for each row with the values of the inputs; what it returns goes to the outputs, "
     "\"name\" or \"name type\". Without a type it is that of the field, or of the first value. A row whose function fails is "
     "that row's error.",
     "batch:map({'id', 'city'}, {'x string'}, function(id, city) return city and id .. city end)",
     "x: 1Shanghai|2Beijing|3|NULL|5Wuhan"},
    {"for row in batch:rows() do … end",
     "The rows one by one; row.NAME reads and writes. row:get(name) and row:set(name, value) are for names that "
     "are no Lua names, row:dirty(reason) and row:drop() take the row out.",
     "for row in batch:rows() do if row.city == nil then row:drop() else row.id = row.id + 1 end end", "id: 2|3|4|6"},
    {"batch:count(), batch:has(name), batch:fields()", "How many rows; whether there is a field; a list of {name = , type = }.",
     "batch:set('x', batch:count())", "x: 5|5|5|5|5"},
    {0},
};

static const struct manual_section batch_section = {"The batch", NULL, batch_rows};

static const struct manual_row column_rows[] = {
    {"column + - * / // % column",
     "Row by row, with a column or a constant; NULL gives NULL. bigint stays bigint but for /, with a decimal it is a "
     "decimal, with a double a double. A result that does not fit is that row's error.",
     "batch:set('x', batch.id * 2 + 1)", "x: 3|5|7|9|11"},
    {"column .. column", "Texts joined; numbers as they are printed.", "batch:set('x', batch.id .. '-' .. batch.city)",
     "x: 1-Shanghai|2-Beijing|3-|NULL|5-Wuhan"},
    {"column:eq(x), :ne, :lt, :le, :gt, :ge",
     "A mask, NULL where a side is NULL. <, > and == do not work on columns (and == with a constant is just false).",
     "batch:keep(batch.amount:ge(450))", "id: 3|4"},
    {"mask & mask, mask | mask, ~mask", "And, or, not; Lua's own and, or and not do not work on columns.",
     "batch:keep(~batch.flag | batch.id:eq(5))", "id: 2|5"},
    {"column:is_null(), column:is_not_null()", "A mask without NULL.", "batch:keep(batch.city:is_not_null())", "id: 1|2|3|5"},
    {"column:is_in{a, b, …}", "A mask: equal to one of the constants.", "batch:keep(batch.city:is_in{'Wuhan', 'Beijing'})",
     "id: 2|5"},
    {"column:coalesce(x)", "x where it is NULL.", "batch:set('x', batch.city:coalesce('?'))", "x: Shanghai|Beijing||?|Wuhan"},
    {"column:cast(type)", "The column as another type, strictly: what would lose something is the row's error.",
     "batch:set('x', batch.amount:cast('string'))", "x: 50.00|150.00|450.00|850.00|NULL"},
    {"column:type()", "The type's name.", "batch:set('x', batch.amount:type()) batch:keep(batch.id:eq(1))", "x: decimal(10,2)"},
    {"luaduct.choose(mask, a, b)", "a where the mask is true, else b, also where the mask is NULL.",
     "batch:set('x', luaduct.choose(batch.amount:gt(400), 'high', 'low'))", "x: low|low|high|high|low"},
    {0},
};

static const struct manual_section column_section = {
    "Columns", "Operators and methods work on all rows at once, in C; a column lives as long as its batch.", column_rows};

static const struct manual_row value_rows[] = {
    {"luaduct.decimal(x)", "An exact decimal from a text, an integer or a decimal; from a float by its shortest text.",
     "luaduct.decimal('0.1') + luaduct.decimal('0.2') == luaduct.decimal('0.3')", "true"},
    {"decimal + - * / decimal",
     "Exact but for /, which has at least six digits behind the point; with a float it is a float. They compare with each "
     "other by ==, with integers and floats by < and <=.",
     "luaduct.decimal('1.50') * 3", "4.50"},
    {"decimal:round([digits])", "Half away from zero; digits below 0 round before the point.",
     "luaduct.decimal('2.345'):round(2)", "2.35"},
    {"decimal:tonumber()", "The nearest float.", "luaduct.decimal('2.50'):tonumber()", "2.5"},
    {"luaduct.null", "NULL where nil cannot stand: in lists, in batch:set and luaduct.choose, in JSON.", "luaduct.null == nil",
     "false"},
    {0},
};

static const struct manual_section value_section = {"Values",
                                                    "NULL is nil. bigint is an integer, double a float, boolean a boolean; "
                                                    "string, binary and json are strings. A decimal with more "
                                                    "digits than its column holds is that row's error: round it.",
                                                    value_rows};

static const struct manual_row kind_rows[] = {
    {"luaduct.expression(text [, option] [, type])",
     "An expression of the language of filter and assign, as a function of the batch that gives a column. Make it in open(ctx). "
     "option is the path of the option that it comes from, for messages that point into the job file; type is what it must give.",
     "local big = luaduct.expression('amount > 100 and city is not null') batch:keep(big(batch))", "id: 2|3"},
    {"luaduct.mask.cover{options}, .segments, .replace_chars, .hash, .pseudonym, .interval, .round, .empty, .phone, .email, "
     ".id_card, .bank_card, .name, .ip, .mac, .car_plate, .address, .gps",
     "A rule of the kind mask with its options, as a function of a column that gives the masked one. Make it in open(ctx).",
     "local hide = luaduct.mask.cover{before = 1, after = 1} batch:set('x', hide(batch.city))",
     "x: S******i|B*****g||NULL|W***n"},
    {"luaduct.replacer{options}",
     "A rule of the kind replace (find, with, regex, case_sensitive), as a function of a column. Make it in open(ctx).",
     "local tidy = luaduct.replacer{find = 'AN', with = '*'} batch:set('x', tidy(batch.city))", "x: Sh*ghai|Beijing||NULL|Wuh*"},
    {"luaduct.json_columns{options}", "The kind json with its options, as an object with :run(batch). Make it in open(ctx).",
     NULL, NULL},
    {"luaduct.at(option, function, ...)",
     "Calls the function. In open(ctx), and while a job is checked, an error of it is told at that option, and nothing comes "
     "back.",
     NULL, NULL},
    {"luaduct.at_name(option, function, ...)", "The same, where it is the option's name in its map that is wrong.", NULL, NULL},
    {"luaduct.check_constant(value, type, option)", "In open(ctx): complains when the value is none of that type.", NULL, NULL},
    {0},
};

static const struct manual_section kind_section = {"What the built-in kinds are made of",
                                                   "Their Lua files are in lua/ of the source tree, to be copied and changed.",
                                                   kind_rows};

const struct manual_section *const manual_sections[] = {
    &module_section,    &batch_section,    &column_section, &column_text_manual, &value_section, &time_value_manual,
    &text_value_manual, &json_text_manual, &lookups_manual, &counters_manual,    &kind_section,  NULL,
};

/* --- printing --- */

static size_t characters_of(struct str word)
{
    size_t count = 0;

    for (size_t i = 0; i < word.size; i++)
        count += (word.data[i] & 0xC0) != 0x80;
    return count;
}

/* Words in lines, each indented. */
static void print_wrapped(struct buffer *text, const char *words, size_t indent)
{
    struct str rest = str_of(words), word;
    size_t column = 0;

    while (rest.data) {
        size_t width;

        str_cut(rest, ' ', &word, &rest);
        width = characters_of(word);
        if (column && column + 1 + width > LINE_MAX_COLUMNS) {
            buffer_append_char(text, '\n');
            column = 0;
        }
        if (column == 0)
            buffer_print(text, "%*s", (int)indent, "");
        else
            buffer_append_char(text, ' ');
        buffer_append_str(text, word);
        column = (column ? column + 1 : indent) + width;
    }
    buffer_append_char(text, '\n');
}

static void print_row(struct buffer *text, const struct manual_row *row, bool markdown)
{
    if (markdown) {
        buffer_print(text, "### `%s`\n\n%s\n\n", row->call, row->text);
        if (row->example)
            buffer_print(text, "    %s\n    --> %s\n\n", row->example, row->result);
        return;
    }
    buffer_print(text, "  %s\n", row->call);
    print_wrapped(text, row->text, 6);
    if (row->example)
        buffer_print(text, "        %s\n        --> %s\n", row->example, row->result);
}

void manual_print(struct buffer *text, bool markdown)
{
    if (markdown)
        buffer_print(text,
                     "# What a Lua stage can say\n\nMade by `luaduct help lua markdown`; every example is run by the tests.\n\n");
    for (const struct manual_section *const *section = manual_sections; *section; section++) {
        if (markdown) {
            buffer_print(text, "## %s\n\n", (*section)->title);
            if ((*section)->text)
                buffer_print(text, "%s\n\n", (*section)->text);
        } else {
            buffer_print(text, "%s%s\n", section == manual_sections ? "" : "\n", (*section)->title);
            if ((*section)->text)
                print_wrapped(text, (*section)->text, 2);
        }
        for (const struct manual_row *row = (*section)->rows; row->call; row++)
            print_row(text, row, markdown);
    }
}
