/* api.h: the parts of the luaduct table that are files of their own, and how their types and tables answer to wrong names.
 * A part has NAME_install_throws, once a state, for its metatables; NAME_push_throws, once a module, which adds its functions to
 * the table at the top; and rows of the manual.
 * Ownership: what the parts keep belongs to the state. Threads: those of the state. */
#ifndef LUADUCT_SCRIPT_API_H
#define LUADUCT_SCRIPT_API_H

#include "script/internal.h"
#include "script/manual.h"

/* Makes a metatable that scripts cannot see, with methods; a name that is none of them is an error that names the nearest. what:
 * "a counter". Left at the top. metamethods may be NULL. */
void api_type_throws(lua_State *L, const char *metatable, const char *what, const luaL_Reg *metamethods, const luaL_Reg *methods);
/* The name among the keys of the table at `table` that is nearest to the word, or NULL. Leaves things on the stack. */
const char *api_nearest_throws(lua_State *L, int table, struct str word);
/* More methods for a metatable whose __index is a table; from here on it answers to names that it has not. */
void api_methods_throws(lua_State *L, const char *metatable, const char *what, const luaL_Reg *methods);
/* The table at the top answers to names that it has not with an error that names the nearest; what: "luaduct.json". */
void api_strict_throws(lua_State *L, const char *what);
/* A field of the table at the top: a strict table with these functions; name: "json". */
void api_table_throws(lua_State *L, const char *name, const char *what, const luaL_Reg *functions);
/* Wrong arguments name the function as people write it, "luaduct.json.decode: ...". */
void api_install_throws(lua_State *L);
/* All parts into the luaduct table at the top, which becomes strict. */
void api_push_throws(lua_State *L);

/* counters.c */
void counters_install_throws(lua_State *L);
void counters_push_throws(lua_State *L);
/* A run is over: what it counted holds, or is forgotten. */
void counters_end_run(struct script_state *state, bool good);
void counters_free(struct script_module *module);
extern const struct manual_section counters_manual;

/* json_text.c */
void json_text_install_throws(lua_State *L);
void json_text_push_throws(lua_State *L);
void json_text_free(struct script_state *state);
extern const struct manual_section json_text_manual;

/* time_value.c */
void time_value_install_throws(lua_State *L);
void time_value_push_throws(lua_State *L);
void time_value_free(struct script_state *state);
extern const struct manual_section time_value_manual;

/* text_value.c */
void text_value_push_throws(lua_State *L);
void text_value_free(struct script_state *state);
struct hasher;
/* The hasher for the algorithm at index and the salt at another; the state's. */
struct hasher *text_value_hasher_throws(lua_State *L, int index, int salt_index);
extern const struct manual_section text_value_manual;

/* lookup.c */
void lookups_install_throws(lua_State *L);
void lookups_push_throws(lua_State *L);
/* Between two batches: reads files that have changed. */
void lookups_check(struct script_state *state, int64_t now_ms);
void lookups_free(struct script_state *state);
extern const struct manual_section lookups_manual;

/* column_text.c: into the table of methods at the top. */
void column_text_methods_throws(lua_State *L);
void column_text_free(struct script_state *state);
extern const struct manual_section column_text_manual;

#endif
