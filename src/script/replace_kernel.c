/* replace_kernel.c: luaduct.replacer(rule, path): the kernel of one rule of a stage of kind replace. */
#include "script/kernel.h"

#include "batch/kernels/replace.h"

static bool run(void *kernel, struct batch *batch, const struct column *column, struct str name, struct column **column_out,
                struct error *error)
{
    return replacer_run(kernel, batch, column, name, column_out, error);
}

static void release(void *kernel)
{
    replacer_free(kernel);
}

static const struct kernel_ops replacer_ops = {.name = "luaduct.replacer", .run = run, .free = release};

/* A text that must be there. */
static struct str read_text(struct kernel_options *options, const char *key, const char *missing)
{
    struct str text = kernel_text(options, key, false);

    if (lua_isnil(options->L, -1))
        kernel_complain(options, "", "%s", missing);
    return text;
}

int replacer_new_throws(lua_State *L)
{
    static const char *const known[] = {"field", "find", "with", "regex", "case_sensitive"};
    struct kernel_options options;
    struct replace_options rule;
    struct replace_mistakes mistakes;
    struct replacer *replacer = NULL;
    struct kernel_box *box;

    lua_settop(L, 2);
    luaL_checktype(L, 1, LUA_TTABLE);
    box = kernel_push_throws(L, &replacer_ops);
    kernel_options_init_throws(&options, L, 1, 2);
    kernel_check_keys(&options, known, COUNT_OF(known));
    rule.find = read_text(&options, "find", "\"find\" is missing: the text to find");
    rule.with = read_text(&options, "with", "\"with\" is missing: what is put there; '' takes out what is found");
    rule.regex = kernel_boolean(&options, "regex", false);
    rule.case_sensitive = kernel_boolean(&options, "case_sensitive", false);
    if (!options.mistakes && !replacer_new(&replacer, &rule, &mistakes)) {
        if (mistakes.find.kind != ERROR_NONE)
            kernel_complain_at(&options, "find", mistakes.find_at, "%s", mistakes.find.text);
        if (mistakes.with.kind != ERROR_NONE)
            kernel_complain_at(&options, "with", mistakes.with_at, "%s", mistakes.with.text);
    }
    if (replacer)
        kernel_fill(box, replacer);
    kernel_options_end_throws(&options);
    lua_settop(L, 3);
    return 1;
}
