/* csv.h: comma-separated values of a small file in memory, as RFC 4180 has them; lines may end with LF or CRLF, a byte order mark
 * and empty lines are passed over. (Records of a topic are read by src/decode/csv.c, whose options and speed are others.)
 * Ownership: the reader works in the caller's bytes and changes them: doubled quotes are undone in place; fields are slices of
 * them. Threads: one owner. Errors: kind CONFIG, with the line; the caller puts the file's name in front. */
#ifndef LUADUCT_UTIL_CSV_H
#define LUADUCT_UTIL_CSV_H

#include "util/error.h"
#include "util/str.h"

struct csv_reader {
    char *at, *end;
    char separator;
    unsigned line; /* of the record that was read last, from 1 */
    unsigned line_next;
};

void csv_reader_init(struct csv_reader *reader, char *bytes, size_t size, char separator);
/* One record into fields[fields_max]; *count_out is 0 at the end. More fields than there is room for are an error. */
bool csv_reader_next(struct csv_reader *reader, struct str *fields, size_t fields_max, size_t *count_out,
                     struct error *error) MUST_USE;

#endif
