/* The families J and S of negative_cases.h: bodies, and parameters out of their table. */
#include "negative_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebma/op_request.h"

/* --- J: JSON ------------------------------------------------------------------------------ */

static const char good[] =
    "{\"n\":1,\"seed\":7,\"noise_scale\":0.5,\"response_format\":\"none\",\"model\":\"tiny\"}";

/* J02, J10: a good body cut off anywhere, and with any byte made impossible. */
static void broken_json(void)
{
    char copy[sizeof(good)];

    for (size_t n = 0; n + 1 < sizeof(good) - 1; n++)
        negative_body("J truncated", good, n, (negative_want){400, 0});
    for (size_t i = 0; i < sizeof(good) - 1; i++) {
        memcpy(copy, good, sizeof(good));
        copy[i] = '\xff';
        negative_body("J 0xff", copy, sizeof(good) - 1, (negative_want){400, 0});
        copy[i] = '\0';
        negative_body("J NUL", copy, sizeof(good) - 1, (negative_want){400, 0});
    }
}

static void json_texts(void)
{
    static const struct {
        const char *body;
        int status;
    } rows[] = {{"null", 400},
                {"5", 400},
                {"\"x\"", 400},
                {"true", 400},
                {"   ", 400},
                {"{} {}", 400},
                {"{} x", 400},
                {"{}//", 400},
                {"/* */{}", 400},
                {"\xef\xbb\xbf{}", 400},
                {"{\"n\":NaN}", 400},
                {"{\"n\":Infinity}", 400},
                {"{\"n\":01}", 400},
                {"{\"n\":+1}", 400},
                {"{\"n\":.5}", 400},
                {"{\"n\":0x1}", 400},
                {"{\"n\":1,}", 400},
                {"{n:1}", 400},
                {"{'n':1}", 400},
                {"{\"n\":1,\"n\":1}", 400},
                {"{\"n\":1,\"n\":100000}", 400},
                {"{\"seed\":99999999999999999999}", 400},
                {"{\"noise_scale\":1e999}", 400},
                {"{\"model\":\"\\u0000\"}", 400},
                {"{\"\\u0000\":1}", 400},
                {"{\"model\":\"\\ud800\"}", 400},
                {"{\"model\":\"\\x41\"}", 400},
                {"{\"model\":\"\xc0\xaf\"}", 400},
                {"{\"model\":\"\xed\xa0\x80\"}", 400},
                {"{\"model\":\"a\tb\"}", 400},
                {"{\"noise_scale\":1e-999}", 422},
                {"{\"noise_scale\":5e-324}", 422},
                {"{\"noise_scale\":-0.0}", 422},
                {"{\"callback\":\"http://evil/\"}", 422},
                {"{\"return\":\"file:///etc/passwd\"}", 422},
                {"{\"format\":\"png\"}", 422},
                {"{\"\":1}", 422},
                {"{\"__proto__\":{}}", 422},
                {"{\"a/b~c\":1}", 422}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        negative_text("J text", rows[i].body, rows[i].status);
}

/* J04, J05, J06: depth, length, number of keys. */
static void json_sizes(void)
{
    static char body[65537];
    size_t n = 0;

    for (int depth = 17; depth <= 2049; depth += 508) {
        memset(body, '[', (size_t)depth);
        memset(body + depth, ']', (size_t)depth);
        negative_body("J deep", body, 2 * (size_t)depth, (negative_want){400, 0});
        memset(body, '[', (size_t)depth);
        negative_body("J open", body, (size_t)depth, (negative_want){400, 0});
    }
    memset(body, ' ', sizeof(body));
    negative_body("J blanks", body, 65536, (negative_want){400, 0});
    negative_body("J one byte too long", body, 65537, (negative_want){413, 0});
    n = (size_t)snprintf(body, sizeof(body), "{");
    for (int i = 0; i < 300; i++)
        n += (size_t)snprintf(body + n, sizeof(body) - n, i ? ",\"k%d\":1" : "\"k%d\":1", i);
    body[n++] = '}';
    negative_body("J keys", body, n, (negative_want){400, 422});
    memset(body, 'x', sizeof(body));
    memcpy(body, "{\"model\":\"", 10);
    memcpy(body + 60000, "\"}", 2);
    negative_body("J12", body, 60002, (negative_want){422, 0});
}

/* --- S: parameters, from the table --------------------------------------------------------- */

/* A body with one field; a row in an object stands in one. */
static void field_body(char out[256], const ebm_param *p, const char *value)
{
    const char *point = strchr(p->name, '.');

    if (point)
        snprintf(out, 256, "{\"%.*s\":{\"%s\":%s}}", (int)(point - p->name), p->name, point + 1,
                 value);
    else
        snprintf(out, 256, "{\"%s\":%s}", p->name, value);
}

/* What a row takes after all, or is told apart by another status. */
static bool is_fine(const ebm_param *p, const char *value)
{
    if (p->type == EBM_PARAM_MODEL) /* well-formed, but nobody's: 404 below */
        return strcmp(value, "\"x\"") == 0 || strcmp(value, "\"1\"") == 0;
    if (p->type == EBM_PARAM_BOOL)
        return strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
    if (p->type == EBM_PARAM_OBJECT)
        return strcmp(value, "{}") == 0;
    return p->type == EBM_PARAM_IMAGE && strcmp(value, "\"\"") == 0 && !ebma_row_is_list(p);
}

static void wrong_numbers(const char *path, const ebm_param *p)
{
    static const char *const whole[] = {"1e0", "9223372036854775807", "-9223372036854775808"};
    char body[256], value[40];

    snprintf(value, sizeof(value), "%.17g", p->max * 1.001 + 1);
    field_body(body, p, value);
    negative_text_at(path, "S above", body, 422);
    snprintf(value, sizeof(value), "%.17g", p->min - 2);
    field_body(body, p, value);
    negative_text_at(path, "S below", body, 422);
    if (p->type == EBM_PARAM_REAL)
        return;
    snprintf(value, sizeof(value), "%.0f", p->max + 1);
    field_body(body, p, value);
    negative_text_at(path, "S one above", body, 422);
    snprintf(value, sizeof(value), "%.1f", p->min < 1 ? 1.0 : p->min);
    field_body(body, p, value);
    negative_text_at(path, "S one with a point", body, 422);
    for (size_t i = 0; i < 3; i++) {
        field_body(body, p, whole[i]);
        negative_text_at(path, "S one with an exponent, or far off", body, 422);
    }
}

/* J09, S01-S04: every field of an operation with every kind of value that it does not take. */
static void wrong_values(const char *path, ebm_op_kind kind)
{
    static const char *const values[] = {"true", "false",  "[]",    "{}",
                                         "[1]",  "\"\"",   "\"x\"", "1.5e300",
                                         "-2",   "-1e300", "\"1\"", "\"../../etc/passwd\""};
    ebma_table table = ebma_op_table(kind);
    char body[256];

    for (size_t i = 0; i < table.n; i++) {
        const ebm_param *p = table.row[i];

        for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
            field_body(body, p, values[v]);
            if (!is_fine(p, values[v]))
                negative_text_at(path, "S wrong value", body, 422);
        }
        if (p->type == EBM_PARAM_INT || p->type == EBM_PARAM_REAL || p->type == EBM_PARAM_SEED)
            wrong_numbers(path, p);
    }
}

/* J11: each field misspelt in three ways. */
static void misspelt_fields(const char *path, ebm_op_kind kind)
{
    static const char *const before[] = {"", " ", "X"}, *const after[] = {"x", "", ""};
    ebma_table table = ebma_op_table(kind);
    char body[256];

    for (size_t i = 0; i < table.n; i++) {
        for (size_t k = 0; k < 3; k++) {
            snprintf(body, sizeof(body), "{\"%s%s%s\":1}", before[k], table.row[i]->name, after[k]);
            negative_text_at(path, "S unknown", body, 422);
        }
    }
}

/* S05, S06 */
static void model_ids(void)
{
    static const struct {
        const char *id;
        int status;
    } rows[] = {{"../../etc/passwd", 422},
                {"/abs", 422},
                {"a%2fb", 422},
                {"MODEL", 422},
                {"", 422},
                {".", 422},
                {"..", 422},
                {"a..b", 422},
                {"-a", 422},
                {"a b", 422},
                {"a\\\\b", 422},
                {"\xf0\x9f\x98\x80", 422},
                {"0123456789012345678901234567890123456789012345678901234567890123x", 422},
                {"con", 404},
                {"other", 404},
                {"tiny.", 404}};
    char body[256];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(body, sizeof(body), "{\"model\":\"%s\"}", rows[i].id);
        negative_text("S05", body, rows[i].status);
    }
}

/* S01-S04, S07, S08, M01: the values as they are listed, beside the rows of the tables. */
static void listed_values(void)
{
    static const struct {
        const char *path, *body;
    } rows[] = {
        {"/v1/sample", "{\"steps_per_level\":-1}"},
        {"/v1/sample", "{\"steps_per_level\":2147483648}"},
        {"/v1/sample", "{\"steps_per_level\":9223372036854775807}"},
        {"/v1/sample", "{\"n\":0}"},
        {"/v1/sample", "{\"n\":-1}"},
        {"/v1/sample", "{\"n\":65}"},
        {"/v1/sample", "{\"noise_scale\":-1}"},
        {"/v1/sample", "{\"noise_scale\":1e308}"},
        {"/v1/mcmc", "{\"step_scale\":-1}"},
        {"/v1/mcmc", "{\"step_scale\":0}"},
        {"/v1/mcmc", "{\"step_scale\":1e308}"},
        {"/v1/mcmc", "{\"step_scale\":5e-324}"},
        {"/v1/sample", "{\"temperature\":1}"},
        {"/v1/sample", "{\"seed\":9223372036854775807}"},
        {"/v1/sample", "{\"seed\":1.5}"},
        {"/v1/sample", "{\"seed\":\"abc\"}"},
        {"/v1/sample", "{\"label\":3}"},
        {"/v1/sample", "{\"format\":\"bmp\"}"},
        {"/v1/sample", "{\"response_format\":\"file\"}"},
        {"/v1/sample", "{\"output_format\":\"jpeg\"}"},
        {"/v1/sample", "{\"width\":29}"},
        {"/v1/mcmc", "{\"height\":27}"},
        {"/v1/sample", "{\"return\":\"file:///etc/passwd\"}"},
        {"/v1/sample", "{\"callback\":\"http://example.com/\"}"},
        {"/v1/mcmc", "{\"steps\":100001}"},
        {"/v1/mcmc", "{\"steps\":0}"},
        {"/v1/mcmc", "{\"chains\":65}"},
        {"/v1/mcmc", "{\"chains\":0}"},
        {"/v1/mcmc", "{\"thin\":0}"},
        {"/v1/mcmc", "{\"steps\":10,\"thin\":11}"},
        {"/v1/mcmc", "{\"steps\":10,\"warmup\":10}"},
        {"/v1/mcmc", "{\"steps\":10,\"warmup\":11}"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        negative_text_at(rows[i].path, "S listed", rows[i].body, 422);
}

static const struct {
    const char *path;
    ebm_op_kind kind;
} operations[] = {{"/v1/sample", EBM_OP_SAMPLE},
                  {"/v1/inpaint", EBM_OP_INPAINT},
                  {"/v1/interpolate", EBM_OP_INTERPOLATE},
                  {"/v1/energy", EBM_OP_ENERGY},
                  {"/v1/mcmc", EBM_OP_MCMC},
                  {"/v1/likelihood", EBM_OP_LIKELIHOOD}};

void negative_json_cases(void)
{
    broken_json();
    json_texts();
    json_sizes();
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        wrong_values(operations[i].path, operations[i].kind);
        misspelt_fields(operations[i].path, operations[i].kind);
    }
    model_ids();
    listed_values();
}
