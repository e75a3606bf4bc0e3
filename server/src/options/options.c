/* Flags, environment and file put together, see options.h. */
#include "options/options.h"

#include <string.h>

#include "options/conf_file.h"
#include "options/option_rows.h"

#define ROWS_MAX 32

/* Texts of one source, by row; NULL: not given there. */
typedef struct source {
    const char *text[ROWS_MAX];
} source;

static int usage_error(ebm_error *err, const char *name, const char *what)
{
    char shown[64];

    snprintf(shown, sizeof(shown), "%.60s", name);
    ebm_error_set(err, EBM_ERR_ARG, shown, "%s", what);
    return EBMD_EX_USAGE;
}

/* Number of the row that is called so, without dashes; the number of rows if none is. */
static size_t find(const char *name, size_t len)
{
    size_t n;
    const ebmd_option *rows = ebmd__option_rows(&n);

    for (size_t i = 0; i < n; i++) {
        if (strlen(rows[i].flag) == len + 2 && strncmp(rows[i].flag + 2, name, len) == 0)
            return i;
    }
    return n;
}

static bool take_action(const char *word, ebmd_options *out)
{
    static const struct {
        const char *word;
        ebmd_action action;
    } known[] = {{"--help", EBMD_SHOW_HELP},
                 {"--version", EBMD_SHOW_VERSION},
                 {"--check-config", EBMD_CHECK_CONFIG},
                 {"--print-config", EBMD_PRINT_CONFIG},
                 {"--print-options", EBMD_PRINT_TABLE}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(word, known[i].word) == 0) {
            out->action = known[i].action;
            return true;
        }
    }
    return false;
}

/* "--flag value" or "--flag=value" */
static int collect_flags(int argc, const char *const *argv, source *flags, ebmd_options *out,
                         ebm_error *err)
{
    size_t n;
    const ebmd_option *rows = ebmd__option_rows(&n);

    for (int i = 1; i < argc; i++) {
        size_t len = strcspn(argv[i], "=");
        bool dashed = len > 2 && strncmp(argv[i], "--", 2) == 0;
        size_t row = dashed ? find(argv[i] + 2, len - 2) : n;
        bool inline_value = argv[i][len] == '=';

        if (take_action(argv[i], out))
            continue;
        if (strcmp(argv[i], "--make-key") == 0) {
            if (i + 1 == argc)
                return usage_error(err, argv[i],
                                   "needs an ID for the key; usage: ebmd --make-key ID");
            out->action = EBMD_MAKE_KEY;
            out->key_id = argv[++i];
            continue;
        }
        if (row == n)
            return usage_error(err, argv[i], "unknown argument; --help lists all");
        if (flags->text[row])
            return usage_error(err, rows[row].flag, "given twice");
        if (!inline_value && i + 1 == argc)
            return usage_error(err, rows[row].flag, "needs a value");
        flags->text[row] = inline_value ? argv[i] + len + 1 : argv[++i];
    }
    return EBMD_EX_OK;
}

/* What the lines of the file are stored into. */
typedef struct file_reader {
    ebmd_options *out;
    bool seen[ROWS_MAX];
} file_reader;

static ebm_status take_line(void *arg, const ebmd_conf_line *line, ebm_error *err)
{
    file_reader *f = arg;
    size_t n, row = find(line->key, strlen(line->key));
    const ebmd_option *rows = ebmd__option_rows(&n);

    if (row == n)
        return ebm_error_set(err, EBM_ERR_ARG, line->place, "unknown key '%.40s'", line->key);
    if (row == 0)
        return ebm_error_set(err, EBM_ERR_ARG, line->place, "a file cannot name another file");
    if (f->seen[row])
        return ebm_error_set(err, EBM_ERR_ARG, line->place, "'%.40s' is set twice", line->key);
    f->seen[row] = true;
    return ebmd__option_apply(&rows[row], line->place, line->value, f->out, err);
}

/* Values of a source, in the order of the table. names: rows' variables, or their flags. */
static ebm_status apply_source(const source *s, bool environment, ebmd_options *out, ebm_error *err)
{
    size_t n;
    const ebmd_option *rows = ebmd__option_rows(&n);
    ebm_status st = EBM_OK;

    for (size_t i = 0; i < n && st == EBM_OK; i++) {
        if (s->text[i])
            st = ebmd__option_apply(&rows[i], environment ? rows[i].env : rows[i].flag, s->text[i],
                                    out, err);
    }
    return st;
}

static ebm_status apply_file(const source *env, const source *flags, ebmd_options *out,
                             ebm_error *err)
{
    const char *path = flags->text[0] ? flags->text[0] : env->text[0];
    file_reader reader = {.out = out};

    if (!path || path[0] == '\0')
        return EBM_OK;
    return ebmd_conf_read(path, take_line, &reader, err);
}

/* What no single value tells. */
static ebm_status check_together(const ebmd_options *o, ebm_error *err)
{
    if (!o->admin.none && !ebmd_address_is_loopback(&o->admin) && o->api_keys[0] == '\0')
        return ebm_error_set(err, EBM_ERR_ARG, "--admin-listen",
                             "%s is not of this machine alone: --api-keys must say who may come",
                             o->admin.host);
    if ((o->tls_cert[0] == '\0') != (o->tls_key[0] == '\0'))
        return ebm_error_set(err, EBM_ERR_ARG, o->tls_cert[0] ? "--tls-key" : "--tls-cert",
                             "certificate and key are needed together");
    /* streams stand for a long time: connections must be left for everybody else */
    if (o->streams > o->connections / 4 * 3)
        return ebm_error_set(err, EBM_ERR_RANGE, "--streams",
                             "%u streams, but three quarters of %u connections are %u", o->streams,
                             o->connections, o->connections / 4 * 3);
    return EBM_OK;
}

int ebmd_options_parse(int argc, const char *const *argv, char *(*lookup)(const char *),
                       ebmd_options *out, ebm_error *err)
{
    source presets = {{NULL}}, env = {{NULL}}, flags = {{NULL}};
    size_t n;
    const ebmd_option *rows = ebmd__option_rows(&n);
    ebm_status st;
    int rc;

    memset(out, 0, sizeof(*out));
    rc = collect_flags(argc, argv, &flags, out, err);
    if (rc != EBMD_EX_OK || (out->action != EBMD_SERVE && out->action != EBMD_CHECK_CONFIG))
        return rc;
    for (size_t i = 0; i < n; i++) {
        presets.text[i] = rows[i].preset;
        env.text[i] = lookup(rows[i].env);
    }
    st = apply_source(&presets, false, out, err);
    if (st == EBM_OK)
        st = apply_file(&env, &flags, out, err);
    if (st == EBM_OK)
        st = apply_source(&env, true, out, err);
    if (st == EBM_OK)
        st = apply_source(&flags, false, out, err);
    if (st == EBM_OK)
        st = check_together(out, err);
    return st == EBM_OK ? EBMD_EX_OK : EBMD_EX_CONFIG;
}

unsigned ebmd_options_streams(const ebmd_options *o)
{
    return o->streams > 0 ? o->streams : o->connections / 2;
}
