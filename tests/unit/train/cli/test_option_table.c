/* The flag parser: every kind, every way to be wrong, and a help text made of the same rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/option_table.h"
#include "ebm/memory.h"

typedef struct values {
    int32_t batch, mode;
    int64_t iterations, seed;
    double lr;
    const char *out, *title, *dir;
    bool flip;
    ebmt_int_list mult;
} values;

static const ebmt_option rows[] = {
    EBMT_GROUP("Sizes"),
    {"--batch", EBMT_OPT_INT, offsetof(values, batch), 1, 100, NULL, "images", "batch size", false},
    {"--iterations", EBMT_OPT_INT64, offsetof(values, iterations), 0, 1e12, NULL, "", "length",
     false},
    {"--seed", EBMT_OPT_SEED, offsetof(values, seed), 0, 0, NULL, "", "seed", false},
    {"--lr", EBMT_OPT_REAL, offsetof(values, lr), 0, 1, NULL, "", "step", false},
    {"--lr-final", EBMT_OPT_REAL, offsetof(values, lr), 0, 1, NULL, "", "prefix of nothing", false},
    EBMT_GROUP("Files"),
    {"--out", EBMT_OPT_STRING, offsetof(values, out), 0, 0, NULL, "DIR", "where to", true},
    {"--title", EBMT_OPT_STRING, offsetof(values, title), 0, 0, NULL, "", "a title", false},
    {"--flip", EBMT_OPT_FLAG, offsetof(values, flip), 0, 0, NULL, "", "mirror", false},
    {"--mode", EBMT_OPT_CHOICE, offsetof(values, mode), 0, 0, "slow|fast|faster", "", "mode",
     false},
    {"--mult", EBMT_OPT_INTS, offsetof(values, mult), 1, 9, NULL, "", "widths", false},
};

static const ebmt_command command = {.name = "demo",
                                     .summary = "Does nothing.",
                                     .options = rows,
                                     .n_options = sizeof rows / sizeof rows[0],
                                     .argument = "DIR",
                                     .argument_offset = offsetof(values, dir)};

#define MAX_WORDS 16

/* Splits at blanks; "~" stands for an empty word, "_" in it for a blank. */
static int split(const char *line, char *buffer, char **words)
{
    int n = 0;
    strcpy(buffer, line);
    for (char *word = strtok(buffer, " "); word && n < MAX_WORDS; word = strtok(NULL, " ")) {
        for (char *c = word; *c; c++)
            *c = (char)(*c == '_' ? ' ' : *c);
        if (strcmp(word, "~") == 0)
            *word = '\0';
        words[n++] = word;
    }
    return n;
}

static ebm_status parse(const char *line, char *buffer, values *v, ebmt_parsed *parsed,
                        ebm_error *err)
{
    char *words[MAX_WORDS];
    int n = split(line, buffer, words);
    return ebmt__options_parse(&command, n, words, v, parsed, err);
}

static void test_all_kinds(void **state)
{
    char buffer[512];
    values v = {0};
    ebmt_parsed parsed;
    (void)state;
    assert_int_equal(parse("--batch 7 --iterations=1000000000000 --seed 9007199254740991 --lr 1e-3 "
                           "--out=a=b here --flip --mode faster --mult 1,2,9",
                           buffer, &v, &parsed, NULL),
                     EBM_OK);
    assert_int_equal(v.batch, 7);
    assert_true(v.iterations == 1000000000000);
    assert_true(v.seed == 9007199254740991);
    assert_true(v.lr == 1e-3);
    assert_string_equal(v.out, "a=b");
    assert_string_equal(v.dir, "here");
    assert_true(v.flip);
    assert_int_equal(v.mode, 2);
    assert_int_equal(v.mult.n, 3);
    assert_int_equal(v.mult.item[2], 9);
    assert_true(ebmt__option_given(&command, &parsed, "--lr"));
    assert_false(ebmt__option_given(&command, &parsed, "--title"));
    assert_false(ebmt__option_given(&command, &parsed, "--nothing"));
}

static void test_defaults_stay(void **state)
{
    char buffer[512];
    values v = {.batch = 5, .seed = -1, .mode = 1, .mult = {2, {3, 4}}};
    ebmt_parsed parsed;
    (void)state;
    assert_int_equal(parse("--out x d", buffer, &v, &parsed, NULL), EBM_OK);
    assert_int_equal(v.batch, 5);
    assert_int_equal(v.seed, -1);
    assert_int_equal(v.mode, 1);
    assert_int_equal(v.mult.n, 2);
    assert_false(v.flip);
}

static void test_odd_but_legal(void **state)
{
    static const char *const lines[] = {
        "--out x -- --dir",
        "d --out x",
        "--out x --seed -1 d",
        "--out x --seed=-1 d",
        "--out=--x d",
        "--out x - ",
        "--out x --lr .5 d",
        "--out x --lr 5e-1 d",
        "--out x --lr -0 d",
        "--out x --flip=true d",
        "--out x --flip=false d",
        "--out x --batch 007 d",
        "--out x --lr 1 d",
        "--out x --title -5 d",
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char buffer[512];
        values v = {0};
        ebmt_parsed parsed;
        ebm_error err = {0};
        if (parse(lines[i], buffer, &v, &parsed, &err) != EBM_OK)
            fail_msg("'%s': %s: %s", lines[i], err.where, err.text);
    }
}

static const struct {
    const char *line, *where;
    ebm_status expected;
} bad[] = {
    {"d", "--out", EBM_ERR_ARG},
    {"--out x", "DIR", EBM_ERR_ARG},
    {"--out x d e", "DIR", EBM_ERR_ARG},
    {"--out x ~", "DIR", EBM_ERR_ARG},
    {"--nothing --out x d", "--nothing", EBM_ERR_ARG},
    {"--nothing=5 --out x d", "--nothing", EBM_ERR_ARG},
    {"-b 5 --out x d", "-b", EBM_ERR_ARG},
    {"--bat 5 --out x d", "--bat", EBM_ERR_ARG}, /* no abbreviations */
    {"--batchy 5 --out x d", "--batchy", EBM_ERR_ARG},
    {"--Batch 5 --out x d", "--Batch", EBM_ERR_ARG},
    {"--=5 --out x d", "--", EBM_ERR_ARG},
    {"--out x d --batch", "--batch", EBM_ERR_ARG},
    {"--batch --out x d", "--batch", EBM_ERR_ARG},
    {"--title --out x d", "--title", EBM_ERR_ARG},
    {"--batch= --out x d", "--batch", EBM_ERR_ARG},
    {"--out= d", "--out", EBM_ERR_ARG},
    {"--out ~ d", "--out", EBM_ERR_ARG},
    {"--out x --out x d", "--out", EBM_ERR_ARG},
    {"--out x --batch 1 --batch=1 d", "--batch", EBM_ERR_ARG},
    {"--out x --flip --flip d", "--flip", EBM_ERR_ARG},
    {"--out x --flip=yes d", "--flip", EBM_ERR_ARG},
    {"Sizes d --out x", "DIR", EBM_ERR_ARG}, /* a heading is no flag */
    {"--out x --flip= d", "--flip", EBM_ERR_ARG},
    {"--out x --batch 0 d", "--batch", EBM_ERR_RANGE},
    {"--out x --batch 101 d", "--batch", EBM_ERR_RANGE},
    {"--out x --batch -5 d", "--batch", EBM_ERR_RANGE},
    {"--out x --batch 99999999999999999999 d", "--batch", EBM_ERR_RANGE},
    {"--out x --batch 4294967297 d", "--batch", EBM_ERR_RANGE}, /* 1 in 32 bits */
    {"--out x --batch 1e3 d", "--batch", EBM_ERR_ARG},
    {"--out x --batch 0x10 d", "--batch", EBM_ERR_ARG},
    {"--out x --batch 10MB d", "--batch", EBM_ERR_ARG},
    {"--out x --batch 1.5 d", "--batch", EBM_ERR_ARG},
    {"--out x --batch +5 d", "--batch", EBM_ERR_ARG},
    {"--out x --batch _5 d", "--batch", EBM_ERR_ARG},
    {"--out x --batch 5_ d", "--batch", EBM_ERR_ARG},
    {"--out x --batch=- d", "--batch", EBM_ERR_ARG},
    {"--out x --iterations 1000000000001 d", "--iterations", EBM_ERR_RANGE},
    {"--out x --seed -2 d", "--seed", EBM_ERR_RANGE},
    {"--out x --seed 9007199254740992 d", "--seed", EBM_ERR_RANGE},
    {"--out x --seed random d", "--seed", EBM_ERR_ARG},
    {"--out x --lr nan d", "--lr", EBM_ERR_ARG},
    {"--out x --lr inf d", "--lr", EBM_ERR_ARG},
    {"--out x --lr -inf d", "--lr", EBM_ERR_ARG},
    {"--out x --lr 0x1p-3 d", "--lr", EBM_ERR_ARG},
    {"--out x --lr 1e999 d", "--lr", EBM_ERR_RANGE},
    {"--out x --lr 1.0000001 d", "--lr", EBM_ERR_RANGE},
    {"--out x --lr -0.1 d", "--lr", EBM_ERR_RANGE},
    {"--out x --lr 1,5 d", "--lr", EBM_ERR_ARG},
    {"--out x --lr 1e d", "--lr", EBM_ERR_ARG},
    {"--out x --lr . d", "--lr", EBM_ERR_ARG},
    {"--out x --lr +1 d", "--lr", EBM_ERR_ARG},
    {"--out x --mode quick d", "--mode", EBM_ERR_ARG},
    {"--out x --mode fas d", "--mode", EBM_ERR_ARG},
    {"--out x --mode slow|fast d", "--mode", EBM_ERR_ARG},
    {"--out x --mult , d", "--mult", EBM_ERR_ARG},
    {"--out x --mult 1, d", "--mult", EBM_ERR_ARG},
    {"--out x --mult ,1 d", "--mult", EBM_ERR_ARG},
    {"--out x --mult 1,,2 d", "--mult", EBM_ERR_ARG},
    {"--out x --mult 1,0 d", "--mult", EBM_ERR_RANGE},
    {"--out x --mult 1,10 d", "--mult", EBM_ERR_RANGE},
    {"--out x --mult 1,x d", "--mult", EBM_ERR_ARG},
    {"--out x --mult 1,2,3,4,5,6,7,8,9 d", "--mult", EBM_ERR_ARG},
    {"--out x --mult 1111111111111111111111111111111111 d", "--mult", EBM_ERR_ARG},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char buffer[512];
        values v = {0};
        ebmt_parsed parsed;
        ebm_error err = {0};
        ebm_status st = parse(bad[i].line, buffer, &v, &parsed, &err);
        if (st != bad[i].expected || strcmp(err.where, bad[i].where) != 0)
            fail_msg("'%s': %s at '%s': %s", bad[i].line, ebm_status_name(st), err.where, err.text);
        assert_true(err.text[0] != '\0');
    }
}

static void test_a_megabyte(void **state)
{
    const size_t n = 1 << 20;
    char out[] = "--out", dir[] = "d", *long_word = malloc(n + 1);
    values v = {0};
    ebmt_parsed parsed;
    (void)state;
    assert_non_null(long_word);
    memset(long_word, '7', n);
    long_word[n] = '\0';
    char *as_value[] = {out, long_word, dir};
    assert_int_equal(ebmt__options_parse(&command, 3, as_value, &v, &parsed, NULL), EBM_ERR_ARG);
    char *as_argument[] = {long_word};
    assert_int_equal(ebmt__options_parse(&command, 1, as_argument, &v, &parsed, NULL), EBM_ERR_ARG);
    memcpy(long_word, "--", 2);
    assert_int_equal(ebmt__options_parse(&command, 1, as_argument, &v, &parsed, NULL), EBM_ERR_ARG);
    free(long_word);
}

static void test_help_wins(void **state)
{
    char buffer[512];
    values v = {0};
    ebmt_parsed parsed;
    (void)state;
    assert_int_equal(parse("--nothing --help", buffer, &v, &parsed, NULL), EBM_OK);
    assert_true(parsed.help);
    assert_int_equal(parse("-h", buffer, &v, &parsed, NULL), EBM_OK);
    assert_true(parsed.help);
    assert_int_equal(parse("--out x -- --help", buffer, &v, &parsed, NULL), EBM_OK);
    assert_false(parsed.help);
}

static void test_help_text(void **state)
{
    const values v = {
        .batch = 5, .seed = -1, .lr = 0.25, .title = "none", .mode = 1, .mult = {2, {3, 4}}};
    static const char *const parts[] = {"usage: ebm demo [--flag VALUE]... DIR\n",
                                        "Does nothing.\n\nSizes:\n  --batch",
                                        "\n\nFiles:\n  --out",
                                        "--batch N",
                                        "(1..100 images; default 5)",
                                        "(default: drawn)",
                                        "(0..1; default 0.25)",
                                        "--out DIR",
                                        "(required)",
                                        "(default none)",
                                        "--mode slow|fast|faster",
                                        "(default fast)",
                                        "(1..9; default 3,4)",
                                        "--flip",
                                        "--help"};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    (void)state;
    assert_non_null(out);
    ebmt__options_help(&command, &v, out);
    fclose(out);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!strstr(text, parts[i]))
            fail_msg("no '%s' in:\n%s", parts[i], text);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_kinds),     cmocka_unit_test(test_defaults_stay),
        cmocka_unit_test(test_odd_but_legal), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_a_megabyte),    cmocka_unit_test(test_help_wins),
        cmocka_unit_test(test_help_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
