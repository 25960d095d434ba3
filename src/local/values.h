/* values.h: a record's values as columns of SQLite and back, with the checks that the service makes when it stores them.
 * Readable in any SQLite tool: integers and booleans INTEGER, float and double REAL ("NaN" as text), decimals, dates and times
 * TEXT (UTC where they are instants), texts TEXT, binary BLOB; array, map and struct BLOB in their wire form (a record stream of
 * one column).
 * Ownership: bound bytes and read ones are borrowed, as each function says. Threads: any, no state. Errors: ERROR_DATA names the
 * column, never the value. */
#ifndef LUADUCT_LOCAL_VALUES_H
#define LUADUCT_LOCAL_VALUES_H

#include "maxcompute/record.h"

#include <sqlite3.h>

enum { FIELD_BYTES_MAX = 8 << 20 };

/* Whether the value may stand in the column: range, UTF-8, digits, length, NULL. */
bool value_check(const struct mc_column *column, const struct record_value *value, struct error *error) MUST_USE;
/* Binds a checked value; its bytes must live until the statement is stepped. */
void value_bind(sqlite3_stmt *statement, int index, const struct mc_column *column, const struct record_value *value);
/* Reads it back. Texts point into the statement's row. Nested values live as long as the decoder in *nested_out and the
 * statement's row; the caller frees it (NULL for all other types). */
bool value_read(sqlite3_stmt *statement, int index, const struct mc_column *column, struct record_value *value_out,
                struct record_decoder **nested_out, struct error *error) MUST_USE;
/* The declared type of the column's SQLite counterpart. */
const char *value_affinity(enum mc_kind kind);

#endif
