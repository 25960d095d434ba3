/* json_path.h: what a compiled path holds; for the extractor only.
 * Ownership: json_path_parse gives it, json_path_free takes it. Threads: any; read-only after parsing. */
#ifndef LUADUCT_BATCH_KERNELS_JSON_PATH_H
#define LUADUCT_BATCH_KERNELS_JSON_PATH_H

#include "batch/kernels/json.h"

enum { JSON_PATH_STEPS_MAX = 64 };

enum json_step_kind { JSON_STEP_KEY, JSON_STEP_INDEX, JSON_STEP_EACH };

struct json_step {
    enum json_step_kind kind;
    struct str key;  /* JSON_STEP_KEY: in the path's own memory */
    uint32_t index;  /* JSON_STEP_INDEX */
};

struct json_path {
    bool element; /* starts with @, the element of an expanded array, instead of $ */
    size_t step_count;
    struct json_step *steps;
    char *keys; /* the bytes of all keys, unescaped */
};

#endif
