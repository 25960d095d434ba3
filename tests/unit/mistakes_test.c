/* mistakes_test.c: what is wrong with a job's stages, as a person meets it: all at once, each at its place, nothing that only follows
 * from something else. */
#include "support/stage_bed.h"

enum { SAID_MAX = 16 };

struct job_case {
    const char *about, *stages; /* the first line is the file's fourth */
    const char *said[SAID_MAX]; /* "LINE:COLUMN+WIDTH text" in order, up to NULL: the text's beginning */
};

#define PARSE                                                                                                                    \
    "  - {name: parse, kind: json, columns: [{name: id, path: $.id, type: bigint}, {name: name, path: $.name, type: string}, "     \
    "{name: amount, path: $.amount, type: string}]}\n"

static const struct job_case together[] = {
    {"an assign",
     PARSE "  - name: a\n"
           "    kind: assign\n"
           "    rename: {nmae: user, amount: price}\n"
           "    cast: {amount: bigint, amuont: date, id: date}\n"
           "    set:\n"
           "      - {field: x, expression: uper(name) || nmae}\n"
           "      - {field: y, expression: user + 1}\n"
           "      - {field: z, value: \"2024-02-30\", type: date}\n"
           "      - {field: u, value: 1, expression: id}\n"
           "      - {field: w, expression: x || y || z || u || id || yy}\n"
           "    drop: [nam, idd]\n"
           "  - {name: g, kind: filter, condition: x > 1 and y = 2 and z > '2024-01-01' and u = 'a' and user = 4 and id = '5'}\n",
     {"7:14+4 stage a: rename.nmae: there is no field \"nmae\"; did you mean \"name\"?",
      "8:12+6 stage a: cast.amount: there is no field \"amount\"; this stage has renamed it to \"price\"",
      "8:28+6 stage a: cast.amuont: there is no field \"amuont\"; the fields are: ",
      "8:46+4 stage a: cast.id: bigint does not convert to date",
      "10:32+4 stage a: set[1].expression: there is no function \"uper\"; did you mean \"upper\"?",
      "10:46+4 stage a: set[1].expression: there is no field \"nmae\" here; did you mean \"name\"?",
      "12:27+12 stage a: set[3].value: \"2024-02-30\" cannot become date",
      "13:9+5 stage a: set[4]: either a value or an expression is wanted",
      "14:58+2 stage a: set[5].expression: there is no field \"yy\" here; did you mean \"y\"?",
      "15:12+3 stage a: drop[1]: there is no field \"nam\"; did you mean \"name\"?",
      "15:17+3 stage a: drop[2]: there is no field \"idd\"; did you mean \"id\"?"}},
    {"a select",
     PARSE "  - {name: a, kind: assign, select: [nme, id, amuont]}\n"
           "  - {name: g, kind: filter, condition: nme = 1 and amuont = 2 and amount = '3'}\n",
     {"5:38+3 stage a: select[1]: there is no field \"nme\"; did you mean \"name\"?",
      "5:47+6 stage a: select[3]: there is no field \"amuont\"; did you mean \"amount\"?",
      "6:67+6 stage g: condition: there is no field \"amount\" here; stage a has taken it away"}},
    {"names that come twice",
     PARSE "  - {name: a, kind: assign, rename: {name: id, amount: price, id: nr}}\n"
           "  - {name: b, kind: assign, rename: {name: user, nr: price}}\n"
           "  - {name: c, kind: assign, drop: [nr, nr]}\n"
           "  - {name: d, kind: assign, select: [price, price, prise, prise]}\n"
           "  - {name: g, kind: filter, condition: price = '1' and prise = 2 and nr = 3}\n",
     {"6:38+4 stage b: rename.name: there is no field \"name\"; stage a has renamed it to \"id\"",
      "6:54+5 stage b: rename.nr: there would be two fields \"price\"; remove or rename the other one",
      "7:40+2 stage c: drop[2]: there is no field \"nr\"; this stage has taken it away",
      "8:45+5 stage d: select[2]: field \"price\" is selected twice",
      "8:52+5 stage d: select[3]: there is no field \"prise\"; did you mean \"price\"?",
      "8:59+5 stage d: select[4]: ",
      "9:70+2 stage g: condition: there is no field \"nr\" here; stage c has taken it away"}},
    {"a replace",
     PARSE "  - name: r\n"
           "    kind: replace\n"
           "    rules:\n"
           "      - {field: nmae, find: a, with: b}\n"
           "      - {field: name, find: '(a', with: '\\1', regex: true}\n"
           "      - {field: name, find: (a), with: x$2, regex: true}\n"
           "      - {field: name, find: \"a\\\\d\", with: \"\\u4e0a\\\\e\"}\n"
           "      - {field: id, find: a, with: b}\n"
           "      - {field: amuont, find: (, with: b, regex: true}\n",
     {"8:17+4 stage r: rules[1].field: there is no field \"nmae\"; did you mean \"name\"?",
      "9:31+1 stage r: rules[2].find: character 2 of the pattern: missing closing parenthesis",
      "10:41+1 stage r: rules[3].with: character 2: there is no group 2; the pattern has 1",
      "11:31+2 stage r: rules[4].find: character 2: \\d is no escape",
      "11:50+2 stage r: rules[4].with: character 2: \\e is no escape",
      "12:17+2 stage r: rules[5].field: field \"id\": replace: a text is wanted, this one is bigint",
      "13:17+6 stage r: rules[6].field: there is no field \"amuont\"; did you mean \"amount\"?",
      "13:31+1 stage r: rules[6].find: character 1 of the pattern: missing closing parenthesis"}},
    {"a mask",
     PARSE "  - name: m\n"
           "    kind: mask\n"
           "    rules:\n"
           "      - {field: nmae, rule: phone}\n"
           "      - {field: name, rule: cover, with: \"\"}\n"
           "      - {field: id, rule: interval, intervals: [{from: a, to: 2, value: x}]}\n"
           "      - {fields: [amount, idd], rule: round, digits: 2}\n"
           "  - {name: g, kind: filter, condition: id = 'x' and name = 1}\n",
     {"8:17+4 stage m: rules[1].field: there is no field \"nmae\"; did you mean \"name\"?", "9:42+2 stage m: rules[2].with: ",
      "10:56+1 stage m: rules[3].intervals[1].from: ", "11:19+6 stage m: rules[4].fields[1]: round takes bigint",
      "11:27+3 stage m: rules[4].fields[2]: there is no field \"idd\"; did you mean \"id\"?"}},
    {"a json",
     PARSE "  - name: j\n"
           "    kind: json\n"
           "    from: naem\n"
           "    expand: $.items[\n"
           "    rest: others\n"
           "    columns:\n"
           "      - {name: a, path: a.b, type: bigint}\n"
           "      - {name: b, path: \"@.b\", type: bigint, default: x}\n"
           "      - {name: c, path: \"$.c['d\", type: bigint, default: \"12.5\"}\n"
           "      - {name: d, path: \"$.d[*]\", type: bigint}\n"
           "  - {name: g, kind: filter, condition: a = 1 and b = 'x' and d = 3 and others = '4' and amuont = 5}\n",
     {"8:21+1 stage j: expand: path \"$.items[\" breaks at character 9",
      "11:25+1 stage j: columns[1].path: path \"a.b\" breaks at character 1",
      "12:55+1 stage j: columns[2].default: the default \"x\" does not suit type bigint",
      "13:32+1 stage j: columns[3].path: path \"$.c['d\" breaks at character 7: the quoted name does not end",
      "13:58+6 stage j: columns[3].default: the default \"12.5\" does not suit type bigint",
      "14:41+6 stage j: columns[4].type: path \"$.d[*]\" collects values as JSON text",
      "15:52+1 stage g: condition: a bigint and a string do not compare",
      "15:89+6 stage g: condition: there is no field \"amuont\" here; did you mean \"amount\"?"}},
    {"the field that a json reads",
     PARSE "  - {name: j, kind: json, from: naem, columns: [{name: a, path: $.a, type: bigint}]}\n"
           "  - {name: k, kind: json, from: id, columns: [{name: b, path: $.b, type: string}], expand: $.x}\n"
           "  - {name: g, kind: filter, condition: a = 1 and b = '2' and zzz = 3}\n",
     {"5:33+4 stage j: from: there is no field \"naem\" to parse; did you mean \"name\"?",
      "6:33+2 stage k: from: field id is bigint; only string, json and binary fields hold JSON",
      "7:62+3 stage g: condition: there is no field \"zzz\" here; the fields are: "}},
    {"what a stage has taken away",
     PARSE "  - {name: a, kind: assign, rename: {amount: price}, drop: [name]}\n"
           "  - {name: b, kind: assign, rename: {id: nr}}\n"
           "  - {name: c, kind: assign, rename: {nr: number}}\n"
           "  - {name: g, kind: filter, condition: amount = name and id = 1 and nr = 2}\n"
           "  - {name: m, kind: mask, rules: [{field: name, rule: phone}]}\n"
           "  - {name: j, kind: json, from: amount, columns: [{name: x, path: $.a, type: bigint}]}\n",
     {"8:40+6 stage g: condition: there is no field \"amount\" here; stage a has renamed it to \"price\"",
      "8:49+4 stage g: condition: there is no field \"name\" here; stage a has taken it away",
      "8:58+2 stage g: condition: there is no field \"id\" here; stage b has renamed it to \"nr\", which is \"number\" now",
      "8:69+2 stage g: condition: there is no field \"nr\" here; stage c has renamed it to \"number\"",
      "9:43+4 stage m: rules[1].field: there is no field \"name\"; stage a has taken it away",
      "10:33+6 stage j: from: there is no field \"amount\" to parse; stage a has renamed it to \"price\""}},
};

/* Expressions as YAML may hold them. */
static const struct job_case places[] = {
    {"plain, of several lines",
     "  - name: f\n    kind: filter\n    condition: __offset__ > 1 and\n      (__key__ = 'a' or\n       kee = 1)\n",
     {"8:8+3 stage f: condition: there is no field \"kee\" here"}},
    {"a quote that is doubled",
     "  - {name: f, kind: filter, condition: '__key__ = ''\u4e0a'' and kee = 1 and __kye__ = ''b'''}\n",
     {"4:61+3 stage f: condition: there is no field \"kee\" here",
      "4:73+7 stage f: condition: there is no field \"__kye__\" here; did you mean \"__key__\"?"}},
    {"escapes",
     "  - {name: f, kind: filter, condition: \"__key__ = '\\x61\\u4e0a\\\\' and\\tkee = \\\"x\\\"\"}\n",
     {"4:71+3 stage f: condition: there is no field \"kee\" here", "4:77+5 stage f: condition: there is no field \"x\" here (texts"}},
    {"between quotes, of several lines",
     "  - name: f\n    kind: filter\n    condition: \"__offset__ > 1 \\\n      and kee = 1\n\n      and x y\"\n",
     {"9:13+1 stage f: condition: an operator or the end is wanted here, not \"y\""}},
    {"folded",
     "  - name: f\n    kind: filter\n    condition: >-\n      __offset__ > 1\n      and kee = 1\n\n      and __kye__ = 'b'\n",
     {"8:11+3 stage f: condition: there is no field \"kee\" here", "10:11+7 stage f: condition: there is no field \"__kye__\" here"}},
    {"line by line",
     "  - name: f\n    kind: filter\n    condition: | # why\n      __offset__ > 1\n        and kee = 1\n      and __kye__ = 'b'\n",
     {"8:13+3 stage f: condition: there is no field \"kee\" here", "9:11+7 stage f: condition: there is no field \"__kye__\" here"}},
    {"a text that has no closing quote",
     "  - name: f\n    kind: filter\n    condition: |\n      __key__ =\n       'a\n      b\n",
     {"8:8+1 stage f: condition: the text that begins here has no closing '"}},
    {"more of the text than its line",
     "  - name: f\n    kind: filter\n    condition: |\n      'a\n      bc' like __key__\n",
     {"8:16+7 stage f: condition: the pattern of like must be a constant text"}},
};

/* The carets of the mistake that is printed there. */
static unsigned caret_width(const char *printed)
{
    const char *carets = strchr(printed, '\n');

    carets = carets ? strchr(carets + 1, '\n') : NULL;
    carets = carets ? strchr(carets, '^') : NULL;
    return carets ? (unsigned)strspn(carets, "^") : 0;
}

/* Looks from *printed on. */
static bool is_said(const char **printed, const char *said)
{
    unsigned line, column, width;
    char place[64];
    const char *found, *text = strchr(said, ' ') + 1;

    assert_int_equal(sscanf(said, "%u:%u+%u", &line, &column, &width), 3);
    snprintf(place, sizeof(place), "job.yaml:%u:%u: ", line, column);
    found = strstr(*printed, place);
    if (!found || strncmp(found + strlen(place), text, strlen(text)) != 0 || caret_width(found) != width)
        return false;
    *printed = found + 1;
    return true;
}

static void check_cases(const struct job_case *cases, size_t count)
{
    unsigned wrong = 0;

    for (size_t i = 0; i < count; i++) {
        const struct job_case *one = &cases[i];
        struct stage_bed bed;
        const char *printed;
        size_t said = 0;

        if (stage_bed_open(&bed, one->stages))
            fail_msg("%s: no mistake was found", one->about);
        printed = buffer_text(&bed.said);
        while (said < SAID_MAX && one->said[said] && is_said(&printed, one->said[said]))
            said++;
        if ((said < SAID_MAX && one->said[said]) || report_mistakes(bed.report) != said) {
            fprintf(stderr, "%s: %s\nis not said, or not all, in\n%s\n", one->about, said < SAID_MAX && one->said[said] ? one->said[said] : "",
                        buffer_text(&bed.said));
            wrong++;
        }
        stage_bed_close(&bed);
    }
    assert_int_equal(wrong, 0);
}

static void test_together(void **state)
{
    (void)state;
    check_cases(together, COUNT_OF(together));
}

static void test_places(void **state)
{
    (void)state;
    check_cases(places, COUNT_OF(places));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_together),
        cmocka_unit_test(test_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
