/* word.c */
#include "cli/word.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

enum { OPTIONS_MAX = 64 };

static size_t option_size(const char *text)
{
    return strspn(text, "-abcdefghijklmnopqrstuvwxyz");
}

/* The first place of the option in the usage, behind its name; NULL: there is none. */
static const char *option_find(const char *usage, const char *option)
{
    size_t size = strlen(option);

    for (const char *at = usage; (at = strstr(at, "--")); at += option_size(at))
        if (option_size(at) == size && memcmp(at, option, size) == 0)
            return at + size;
    return NULL;
}

/* "FILE" of "--sample FILE"; empty when it takes none. */
static struct str option_value(const char *behind)
{
    if (behind[0] != ' ' || !behind[1] || strchr(" [-(", behind[1]))
        return str_make(behind, 0);
    return str_make(behind + 1, strcspn(behind + 1, " ],\n"));
}

/* The option of the usage that is nearest to the word, to free; NULL: none is near. */
static char *option_nearest(const char *usage, const char *word)
{
    char *names[OPTIONS_MAX], *found = NULL;
    const char *nearest;
    size_t count = 0;

    for (const char *at = usage; count < OPTIONS_MAX && (at = strstr(at, "--")); at += option_size(at))
        names[count++] = str_dup(str_make(at, option_size(at)));
    nearest = str_nearest(str_of(word), (const char *const *)names, count);
    if (nearest)
        found = xstrdup(nearest);
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    return found;
}

int word_refuse(const char *command, char *const *words, const char *usage)
{
    const char *word = words[0];
    const char *behind = word[0] == '-' ? option_find(usage, word) : NULL;
    struct str value = behind ? option_value(behind) : STR("");
    char *nearest = word[0] == '-' && !behind ? option_nearest(usage, word) : NULL;

    fflush(stdout);
    fprintf(stderr, "luaduct %s: ", command);
    if (value.size && !words[1])
        fprintf(stderr, "%s wants a value behind it: %s %.*s\n", word, word, (int)value.size, value.data);
    else
        fprintf(stderr, "\"%s\" is not understood%s%s%s%s `luaduct %s --help` tells the options\n", word,
                behind           ? " here"
                : word[0] == '-' ? ""
                                 : " behind what is named already",
                nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : ";", command);
    free(nearest);
    return EXIT_CONFIG;
}
