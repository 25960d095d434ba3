/* infer_internal.h: what infer.c counts and infer_columns.c reads. */
#ifndef LUADUCT_SAMPLE_INFER_INTERNAL_H
#define LUADUCT_SAMPLE_INFER_INTERNAL_H

#include <math.h>
#include <stdio.h>
#include <yyjson.h>

#include "batch/decimal.h"
#include "batch/time.h"
#include "batch/type.h"

enum { INFER_EXAMPLE_BYTES = 40, INFER_ROOT_KEYS_MAX = 2048, INFER_NODES_MAX = 16384 };

struct infer_node {
    struct str key; /* owned */
    unsigned depth;
    struct infer_node **children; /* in the order in which they were first seen */
    size_t child_count, child_capacity, guess;
    bool full;         /* there were more keys */
    bool deep;         /* there were more levels */
    yyjson_val *value; /* of the object in hand */

    size_t present, nulls;
    size_t booleans, whole, huge, points, exponents, texts, arrays, objects; /* numbers: beyond 64 bits, with a point, others */
    size_t digits, scale;                                /* before and behind the point, the most of all plain numbers */
    bool no_double;                                      /* a number that a double cannot hold */
    int64_t least, most;                                 /* of `whole` */
    size_t empty, number_texts, dates, instants, locals; /* of texts */
    size_t text_digits, text_scale;
    bool text_scale_differs;
    bool fine;     /* times with more than milliseconds */
    bool odd_time; /* a time that its offset leads out of the calendar */
    size_t elements_least, elements_most, arrays_of_objects;
    char *example;
};

struct infer {
    struct infer_node record, element; /* of records that are objects; of elements of records that are arrays */
    size_t nodes;
    size_t records, objects, arrays, elements, scalars, broken, tombstones;
};

#endif
