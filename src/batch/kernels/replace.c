/* replace.c: a rule is a finder and a text, or a pattern and a template. */
#include "batch/kernels/replace.h"

#include "batch/kernels/escape.h"
#include "batch/kernels/regex.h"
#include "batch/kernels/text_internal.h"

#include <stdlib.h>

struct replacer {
    struct regex *regex; /* NULL: literal */
    struct regex_template *plan;
    char *find, *with; /* literal, without escapes */
    size_t with_size;
    struct text_finder finder;
};

static bool make_literal(struct replacer *replacer, const struct replace_options *options, struct replace_mistakes *mistakes)
{
    size_t find_size = 0, find_at, with_at;
    bool ok, with_ok;

    replacer->find = xmalloc(options->find.size + 1);
    replacer->with = xmalloc(options->with.size + 1);
    ok = escape_resolve(options->find, replacer->find, &find_size, &find_at, &mistakes->find);
    if (!ok)
        mistakes->find_at = (ptrdiff_t)find_at;
    with_ok = escape_resolve(options->with, replacer->with, &replacer->with_size, &with_at, &mistakes->with);
    if (!with_ok)
        mistakes->with_at = (ptrdiff_t)with_at;
    ok &= with_ok;
    if (ok)
        text_finder_init(&replacer->finder, str_make(replacer->find, find_size), options->case_sensitive);
    return ok;
}

static bool make_pattern(struct replacer *replacer, const struct replace_options *options, struct replace_mistakes *mistakes)
{
    size_t at;

    if (!regex_new(&replacer->regex, options->find, options->case_sensitive, &at, &mistakes->find)) {
        mistakes->find_at = (ptrdiff_t)at;
        return false;
    }
    if (regex_template_new(&replacer->plan, replacer->regex, options->with, true, &at, &mistakes->with))
        return true;
    mistakes->with_at = (ptrdiff_t)at;
    return false;
}

static void check_text(struct str text, struct error *mistake)
{
    if (!str_is_utf8(text))
        error_set(mistake, ERROR_CONFIG, "the text is not valid UTF-8");
}

bool replacer_new(struct replacer **replacer_out, const struct replace_options *options, struct replace_mistakes *mistakes)
{
    struct replacer *replacer = xcalloc(1, sizeof(*replacer));
    bool ok;

    mistakes->find.kind = mistakes->with.kind = ERROR_NONE;
    mistakes->find_at = mistakes->with_at = -1;
    check_text(options->find, &mistakes->find);
    check_text(options->with, &mistakes->with);
    if (!options->find.size)
        error_set(&mistakes->find, ERROR_CONFIG, "there is nothing to find; an empty text is everywhere");
    ok = mistakes->find.kind == ERROR_NONE && mistakes->with.kind == ERROR_NONE;
    if (ok && options->regex)
        ok = make_pattern(replacer, options, mistakes);
    else if (ok)
        ok = make_literal(replacer, options, mistakes);
    if (ok)
        *replacer_out = replacer;
    else
        replacer_free(replacer);
    return ok;
}

void replacer_free(struct replacer *replacer)
{
    if (!replacer)
        return;
    regex_template_free(replacer->plan);
    regex_free(replacer->regex);
    text_finder_release(&replacer->finder);
    free(replacer->find);
    free(replacer->with);
    free(replacer);
}

static const char *replace(struct text_row *row)
{
    const struct replacer *replacer = row->with;

    if (replacer->regex)
        return regex_replace_all(row, replacer->regex, replacer->plan);
    return text_replace_all(row, &replacer->finder, str_make(replacer->with, replacer->with_size));
}

bool replacer_run(struct replacer *replacer, struct batch *batch, const struct column *column, struct str field,
                  struct column **column_out, struct error *error)
{
    struct text_call call = {
        .operation = replace,
        .type = TYPE_STRING,
        .characters = true, /* literal matches do not need it, but then the result is known, and no one looks again */
        .texts = {{column, false}},
        .with = replacer,
        .what = STR("replace"),
        .field = field,
    };
    struct error wrong;

    if (text_run(batch, &call, column_out, &wrong))
        return true;
    if (wrong.kind == ERROR_SCRIPT && field.size)
        error_wrap(&wrong, "field \"%.*s\"", STR_ARG(field));
    *error = wrong;
    return false;
}
