/* The flag parser: every word of the command line is hostile until its row has checked it. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/option_file.h"
#include "cli/option_table.h"
#include "ebm/params.h"

#define VALUE_MAX 4096 /* bytes; a path is not longer */

/* --- values -------------------------------------------------------------------------------- */

static ebm_status bad(ebm_error *err, const ebmt_option *row, const char *what, const char *text)
{
    return ebm_error_set(err, EBM_ERR_ARG, row->flag, "%s, got '%.60s'", what, text);
}

static ebm_status out_of_range(ebm_error *err, const ebmt_option *row, const char *text)
{
    return ebm_error_set(err, EBM_ERR_RANGE, row->flag, "must be from %.16g to %.16g, got '%.40s'",
                         row->min, row->max, text);
}

/* strtoll alone would take blanks, a plus sign and an empty string. */
static ebm_status parse_whole(const ebmt_option *row, const char *text, int64_t *out,
                              ebm_error *err)
{
    const char *digits = text[0] == '-' ? text + 1 : text;
    size_t n = strspn(digits, "0123456789");
    if (n == 0 || digits[n] != '\0')
        return bad(err, row, "must be a whole number", text);
    errno = 0;
    long long value = strtoll(text, NULL, 10);
    if (errno != 0 || (double)value < row->min || (double)value > row->max)
        return out_of_range(err, row, text);
    *out = value;
    return EBM_OK;
}

/* The character set keeps out "nan", "inf" and hexadecimal, which strtod would take. */
static ebm_status parse_real(const ebmt_option *row, const char *text, double *out, ebm_error *err)
{
    char *end;
    if (text[strspn(text, "0123456789.eE+-")] != '\0' || text[0] == '+')
        return bad(err, row, "must be a number", text);
    double value = strtod(text, &end);
    if (end == text || *end != '\0')
        return bad(err, row, "must be a number", text);
    if (!(value >= row->min && value <= row->max)) /* bounds are finite: infinity is out, too */
        return out_of_range(err, row, text);
    *out = value;
    return EBM_OK;
}

static ebm_status parse_choice(const ebmt_option *row, const char *text, int32_t *out,
                               ebm_error *err)
{
    const char *choice = row->choices;
    for (int32_t i = 0; *choice; i++) {
        size_t n = strcspn(choice, "|");
        if (strlen(text) == n && strncmp(choice, text, n) == 0) {
            *out = i;
            return EBM_OK;
        }
        choice += n + (choice[n] == '|');
    }
    return ebm_error_set(err, EBM_ERR_ARG, row->flag, "must be one of %s, got '%.40s'",
                         row->choices, text);
}

static ebm_status parse_ints(const ebmt_option *row, const char *text, ebmt_int_list *out,
                             ebm_error *err)
{
    ebmt_int_list list = {0, {0}};
    const char *at = text;
    for (;;) {
        char word[24];
        int64_t value = 0;
        size_t n = strcspn(at, ",");
        if (n == 0 || n >= sizeof word || list.n == EBMT_INT_LIST_MAX)
            return bad(err, row, "must be 1 to 8 whole numbers with commas between them", text);
        memcpy(word, at, n);
        word[n] = '\0';
        ebm_status st = parse_whole(row, word, &value, err);
        if (st != EBM_OK)
            return st;
        list.item[list.n++] = (int32_t)value;
        if (at[n] == '\0')
            break;
        at += n + 1;
    }
    *out = list;
    return EBM_OK;
}

static ebm_status parse_int32(const ebmt_option *row, const char *text, int32_t *out,
                              ebm_error *err)
{
    int64_t wide = 0;
    ebm_status st = parse_whole(row, text, &wide, err);
    if (st == EBM_OK)
        *out = (int32_t)wide;
    return st;
}

static ebm_status parse_seed(const ebmt_option *row, const char *text, int64_t *out, ebm_error *err)
{
    ebmt_option bounds = *row;
    bounds.min = -1.0;
    bounds.max = EBM_SEED_MAX;
    return parse_whole(&bounds, text, out, err);
}

static ebm_status parse_truth(const ebmt_option *row, const char *text, bool *out, ebm_error *err)
{
    *out = strcmp(text, "true") == 0;
    if (!*out && strcmp(text, "false") != 0)
        return bad(err, row, "takes no value, or true or false", text);
    return EBM_OK;
}

ebm_status ebmt__option_set(const ebmt_option *row, const char *text, void *values, ebm_error *err)
{
    void *at = (char *)values + row->offset;
    if (text[0] == '\0')
        return ebm_error_set(err, EBM_ERR_ARG, row->flag, "needs a value, got an empty one");
    if (strlen(text) > VALUE_MAX)
        return ebm_error_set(err, EBM_ERR_ARG, row->flag, "value is longer than %d bytes",
                             VALUE_MAX);
    switch (row->kind) {
    case EBMT_OPT_INT:
        return parse_int32(row, text, at, err);
    case EBMT_OPT_INT64:
        return parse_whole(row, text, at, err);
    case EBMT_OPT_SEED:
        return parse_seed(row, text, at, err);
    case EBMT_OPT_REAL:
        return parse_real(row, text, at, err);
    case EBMT_OPT_STRING:
        memcpy(at, &text, sizeof text);
        return EBM_OK;
    case EBMT_OPT_CHOICE:
        return parse_choice(row, text, at, err);
    case EBMT_OPT_INTS:
        return parse_ints(row, text, at, err);
    case EBMT_OPT_FLAG:
        return parse_truth(row, text, at, err);
    case EBMT_OPT_GROUP:
        break;
    }
    return ebm_error_set(err, EBM_ERR_INTERNAL, row->flag, "row without a kind");
}

/* --- words --------------------------------------------------------------------------------- */

/* Finds the row of a word; *value points behind the '=', or is NULL. */
static const ebmt_option *find_row(const ebmt_command *command, const char *word,
                                   const char **value)
{
    size_t n = strcspn(word, "=");
    *value = word[n] == '=' ? word + n + 1 : NULL;
    for (size_t i = 0; i < command->n_options; i++) {
        const char *flag = command->options[i].flag;
        if (strlen(flag) == n && strncmp(flag, word, n) == 0)
            return &command->options[i];
    }
    return NULL;
}

static ebm_status mark_seen(const ebmt_command *command, const ebmt_option *row,
                            ebmt_parsed *parsed, ebm_error *err)
{
    bool *seen = &parsed->seen[row - command->options];
    if (*seen)
        return ebm_error_set(err, EBM_ERR_ARG, row->flag, "given twice");
    *seen = true;
    return EBM_OK;
}

/* Handles argv[*i], and the value after it, which *i then points at. A value may not look like a
 * flag: "--out --resume" is a forgotten value; "--out=--odd" says that it is meant. */
static ebm_status take_flag(const ebmt_command *command, int argc, char **argv, int *i,
                            void *values, ebmt_parsed *parsed, ebm_error *err)
{
    const char *value = NULL;
    const ebmt_option *row = find_row(command, argv[*i], &value);
    if (!row) {
        char flag[64];
        size_t n = strcspn(argv[*i], "=");
        (void)snprintf(flag, sizeof flag, "%.*s", n < 60 ? (int)n : 60, argv[*i]);
        return ebm_error_set(err, EBM_ERR_ARG, flag, "no such flag");
    }
    ebm_status st = mark_seen(command, row, parsed, err);
    if (st != EBM_OK)
        return st;
    if (!value && row->kind == EBMT_OPT_FLAG)
        value = "true";
    if (!value) {
        if (*i + 1 >= argc || strncmp(argv[*i + 1], "--", 2) == 0)
            return ebm_error_set(err, EBM_ERR_ARG, row->flag, "needs a value");
        value = argv[++*i];
    }
    return ebmt__option_set(row, value, values, err);
}

static ebm_status take_argument(const ebmt_command *command, const char *word, bool *have,
                                void *values, ebm_error *err)
{
    if (!command->argument || *have)
        return ebm_error_set(err, EBM_ERR_ARG, command->argument, "unexpected argument '%.60s'",
                             word);
    if (word[0] == '\0' || strlen(word) > VALUE_MAX)
        return ebm_error_set(err, EBM_ERR_ARG, command->argument, "is empty or over %d bytes",
                             VALUE_MAX);
    *have = true;
    memcpy((char *)values + command->argument_offset, &word, sizeof word);
    return EBM_OK;
}

/* Flags win: the file is read last and leaves alone what they have set. */
static ebm_status take_file(const ebmt_command *command, void *values, ebmt_parsed *parsed,
                            ebm_error *err)
{
    const char *path = NULL, *value;
    if (!command->config || !ebmt__option_given(command, parsed, command->config))
        return EBM_OK;
    const ebmt_option *row = find_row(command, command->config, &value);
    memcpy(&path, (const char *)values + row->offset, sizeof path);
    return ebmt__options_read(command, path, values, parsed, err);
}

static ebm_status check_complete(const ebmt_command *command, const ebmt_parsed *parsed, bool have,
                                 ebm_error *err)
{
    for (size_t i = 0; i < command->n_options; i++) {
        if (command->options[i].required && !parsed->seen[i])
            return ebm_error_set(err, EBM_ERR_ARG, command->options[i].flag, "is required");
    }
    if (command->argument && !have)
        return ebm_error_set(err, EBM_ERR_ARG, command->argument, "is required");
    return EBM_OK;
}

static bool asks_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

ebm_status ebmt__options_parse(const ebmt_command *command, int argc, char **argv, void *values,
                               ebmt_parsed *parsed, ebm_error *err)
{
    bool have = false, flags = true;
    assert(command->n_options <= EBMT_OPTIONS_MAX);
    memset(parsed, 0, sizeof *parsed);
    if (asks_help(argc, argv)) {
        parsed->help = true;
        return EBM_OK;
    }
    for (int i = 0; i < argc; i++) {
        ebm_status st = EBM_OK;
        if (flags && strcmp(argv[i], "--") == 0)
            flags = false;
        else if (flags && argv[i][0] == '-' && argv[i][1] != '\0')
            st = take_flag(command, argc, argv, &i, values, parsed, err);
        else
            st = take_argument(command, argv[i], &have, values, err);
        if (st != EBM_OK)
            return st;
    }
    ebm_status st = take_file(command, values, parsed, err);
    return st == EBM_OK ? check_complete(command, parsed, have, err) : st;
}

void ebmt__options_clear(ebmt_parsed *parsed)
{
    ebmt__option_file_free(parsed->file);
    parsed->file = NULL;
}

bool ebmt__option_given(const ebmt_command *command, const ebmt_parsed *parsed, const char *flag)
{
    const char *value;
    const ebmt_option *row = find_row(command, flag, &value);
    return row && parsed->seen[row - command->options];
}

/* --- help ---------------------------------------------------------------------------------- */

static const char *value_name(const ebmt_option *row)
{
    switch (row->kind) {
    case EBMT_OPT_INT:
    case EBMT_OPT_INT64:
    case EBMT_OPT_SEED:
        return "N";
    case EBMT_OPT_REAL:
        return "X";
    case EBMT_OPT_STRING:
        return row->unit[0] ? row->unit : "TEXT";
    case EBMT_OPT_CHOICE:
        return row->choices;
    case EBMT_OPT_INTS:
        return "N,N,...";
    case EBMT_OPT_FLAG:
    case EBMT_OPT_GROUP:
        break;
    }
    return "";
}

static void print_ints(const ebmt_int_list *list, FILE *out)
{
    for (int32_t i = 0; i < list->n; i++)
        (void)fprintf(out, "%s%d", i ? "," : "default ", list->item[i]);
}

static void print_choice(const ebmt_option *row, int32_t index, FILE *out)
{
    const char *choice = row->choices;
    for (; index > 0; index--)
        choice += strcspn(choice, "|") + 1;
    (void)fprintf(out, "default %.*s", (int)strcspn(choice, "|"), choice);
}

static void print_preset(const ebmt_option *row, const void *values, FILE *out)
{
    const void *at = (const char *)values + row->offset;
    switch (row->kind) {
    case EBMT_OPT_INT:
        if ((double)*(const int32_t *)at < row->min)
            (void)fprintf(out, "no default");
        else
            (void)fprintf(out, "default %d", *(const int32_t *)at);
        break;
    case EBMT_OPT_INT64:
        if ((double)*(const int64_t *)at < row->min)
            (void)fprintf(out, "no default");
        else
            (void)fprintf(out, "default %lld", (long long)*(const int64_t *)at);
        break;
    case EBMT_OPT_SEED:
        if (*(const int64_t *)at < 0)
            (void)fprintf(out, "default: drawn");
        else
            (void)fprintf(out, "default %lld", (long long)*(const int64_t *)at);
        break;
    case EBMT_OPT_REAL:
        if (*(const double *)at < row->min)
            (void)fprintf(out, "no default");
        else
            (void)fprintf(out, "default %.6g", *(const double *)at);
        break;
    case EBMT_OPT_STRING:
        if (*(const char *const *)at)
            (void)fprintf(out, "default %s", *(const char *const *)at);
        break;
    case EBMT_OPT_CHOICE:
        print_choice(row, *(const int32_t *)at, out);
        break;
    case EBMT_OPT_INTS:
        print_ints(at, out);
        break;
    case EBMT_OPT_FLAG:
    case EBMT_OPT_GROUP:
        break;
    }
}

static bool has_bounds(const ebmt_option *row)
{
    return row->kind == EBMT_OPT_INT || row->kind == EBMT_OPT_INT64 || row->kind == EBMT_OPT_REAL ||
           row->kind == EBMT_OPT_INTS;
}

/* The second line of an entry: bounds, unit, default. */
static void print_facts(const ebmt_option *row, const void *values, FILE *out)
{
    bool string = row->kind == EBMT_OPT_STRING;
    if (row->kind == EBMT_OPT_FLAG ||
        (string && !row->required && !*(const char *const *)((const char *)values + row->offset)))
        return;
    (void)fprintf(out, "%28s(", "");
    if (has_bounds(row))
        (void)fprintf(out, "%.10g..%.10g%s%s; ", row->min, row->max, row->unit[0] ? " " : "",
                      row->unit);
    if (row->required)
        (void)fprintf(out, "required");
    else
        print_preset(row, values, out);
    (void)fprintf(out, ")\n");
}

static void print_row(const ebmt_option *row, const void *values, FILE *out)
{
    char left[96];
    int n = snprintf(left, sizeof left, "%s %s", row->flag, value_name(row));
    (void)fprintf(out, "  %-25s", left);
    if (n > 25) /* too long for its column */
        (void)fprintf(out, "\n%27s", "");
    (void)fprintf(out, " %s\n", row->help);
    print_facts(row, values, out);
}

void ebmt__options_help(const ebmt_command *command, const void *values, FILE *out)
{
    (void)fprintf(out, "usage: ebm %s [--flag VALUE]...%s%s\n\n%s\n\n", command->name,
                  command->argument ? " " : "", command->argument ? command->argument : "",
                  command->summary);
    for (size_t i = 0; i < command->n_options; i++) {
        const ebmt_option *row = &command->options[i];
        if (row->kind == EBMT_OPT_GROUP)
            (void)fprintf(out, "%s%s:\n", i ? "\n" : "", row->flag);
        else
            print_row(row, values, out);
    }
    (void)fprintf(out, "  %-25s %s\n", "--help", "print this and exit");
}
